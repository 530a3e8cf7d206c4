import CSystem
import Glibc
import VaultBytes
import VaultKeys
import VaultModel
import VaultSecrets
import VaultWire

/// Another program's files and keyring, to be read and never changed: not even the time of a file's last access.
struct TheirStores: Sendable {
  let home: String
  /// The store or configuration that the person named.
  let path: String?
  let isDryRun: Bool
  /// The sections of the AWS files.
  let sections: [ConfigSection]
  /// What the vault has.
  let known: [SectionKey: KnownSection]
  /// The sign-ins that the vault's profiles can use.
  let places: [SSOSessionConfig]
  let keyring: ForeignKeyring
  let prompter: any Prompter
  let now: Timestamp
  private let variables: [String: String]

  /// Files and folders of more than this are refused.
  static let maxFileBytes = 1 << 20
  static let maxFiles = 1_000

  init(
    _ request: TakeOverRequest, sections: [ConfigSection], known: [SectionKey: KnownSection], places: [SSOSessionConfig],
    keyring: ForeignKeyring, prompter: any Prompter, now: Timestamp
  ) {
    (home, path, isDryRun) = (request.home, request.path, request.dryRun)
    (self.sections, self.known, self.places) = (sections, known, places)
    (self.keyring, self.prompter, self.now) = (keyring, prompter, now)
    variables = Dictionary(
      request.variables.entries.compactMap { entry in
        entry.firstIndex(of: "=").map { (String(entry[..<$0]), String(entry[entry.index(after: $0)...])) }
      }, uniquingKeysWith: { first, _ in first })
  }

  func variable(_ name: String) -> String? { variables[name] }

  /// An absolute path; `~/` is the person's home.
  func absolute(_ path: String) -> String { path.hasPrefix("~/") ? home + path.dropFirst(1) : path }

  /// A path as the person knows it.
  func shown(_ path: String) -> String { path.hasPrefix(home + "/") ? "~" + path.dropFirst(home.utf8.count) : path }

  func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// A whole regular file; nil if there is none. A link is followed, as by the reader of the AWS files.
  func read(_ path: String) throws(TakeOverError) -> SecretBytes? {
    guard let file = try open(path, 0) else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .unreadable(path: shown(path), why: "it is not a regular file")
    }
    guard status.st_size <= Self.maxFileBytes else { throw .unreadable(path: shown(path), why: "it is longer than 1 MiB") }
    var length = 0
    var code: Int32 = 0
    // One more byte reveals a file that grew meanwhile.
    let bytes = SecretBytes(count: Int(status.st_size) + 1) { bytes in
      while length < bytes.count {
        let got = Glibc.read(file, bytes.baseAddress! + length, bytes.count - length)
        if got < 0, errno == EINTR { continue }
        if got < 0 { code = errno }
        guard got > 0 else { return }
        length += got
      }
    }
    guard code == 0 else { throw .unreadable(path: shown(path), why: String(cString: strerror(code))) }
    guard length <= Int(status.st_size) else { throw .unreadable(path: shown(path), why: "it changed while it was read") }
    return bytes.part(0..<length)
  }

  /// The names in a folder, sorted; nil if there is no such folder.
  func names(in folder: String) throws(TakeOverError) -> [String]? {
    guard let file = try open(folder, O_DIRECTORY) else { return nil }
    guard let stream = fdopendir(file) else {
      close(file)
      throw .unreadable(path: shown(folder), why: String(cString: strerror(errno)))
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard name != ".", name != ".." else { continue }
      guard names.count < Self.maxFiles else {
        throw .unreadable(path: shown(folder), why: "it has more than \(Self.maxFiles) files")
      }
      names.append(name)
    }
    return names.sorted()
  }

  private func open(_ path: String, _ flags: Int32) throws(TakeOverError) -> Int32? {
    // Does not wait for a writer if it is a pipe. Only the owner of a file may leave its time of access (open(2), O_NOATIME).
    let flags = flags | O_RDONLY | O_NONBLOCK | O_NOCTTY
    var file = sys_open(path, flags | 0o1_000_000, 0)
    if file < 0, errno == EPERM { file = sys_open(path, flags, 0) }
    if file < 0, errno == ENOENT || errno == ENOTDIR { return nil }
    guard file >= 0 else { throw .unreadable(path: shown(path), why: String(cString: strerror(errno))) }
    return file
  }
}
