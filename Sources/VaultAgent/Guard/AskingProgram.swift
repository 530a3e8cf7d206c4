import CSystem
import Glibc
import VaultModel

/// The program that will have the credentials, as far as the kernel knows it: what `vault exec` becomes, what runs `vault credentials`
/// or `vault env`, or what asks the agent itself.
struct AskingProgram {
  /// What it is called.
  let name: String
  /// Its file, with all links resolved; empty if that cannot be found.
  let path: String

  /// - Parameter client: the file of the vault's own client.
  /// - Returns: nil if the kernel does not vouch for the requester.
  init?(_ requester: Requester, client: String) {
    guard requester.isProven else { return nil }
    let isClient = requester.executable == client
    if isClient, requester.program == client {
      guard !requester.parent.isEmpty else { return nil }
      self.init(word: requester.parent, path: requester.parent)
    } else if isClient {
      self.init(word: requester.program, path: Self.find(requester.program, for: requester) ?? "")
    } else {
      self.init(word: requester.executable, path: requester.executable)
    }
  }

  private init(word: String, path: String) {
    self.path = path.isEmpty ? "" : Self.resolved(path) ?? ""
    name = GuardCommands.name(word)
  }

  /// The file that a word names where the client runs, as execvp(3) finds it.
  private static func find(_ word: String, for requester: Requester) -> String? {
    func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : requester.directory + "/" + path }
    if word.contains("/") { return absolute(word) }
    for folder in searchPath(of: requester.pid).split(separator: ":", omittingEmptySubsequences: false) {
      let file = absolute(folder.isEmpty ? word : "\(folder)/\(word)")
      if access(file, X_OK) == 0 { return file }
    }
    return nil
  }

  /// The `PATH` with which the process was started.
  private static func searchPath(of pid: Int32) -> String {
    let descriptor = sys_open("/proc/\(pid)/environ", O_RDONLY, 0)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    let isRead = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
      while bytes.count < 1 << 21 {
        let count = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
        if count <= 0 { return count == 0 }
        bytes.append(contentsOf: buffer[..<count])
      }
      return false
    }
    guard isRead, let entry = bytes.split(separator: 0).first(where: { $0.starts(with: "PATH=".utf8) }) else { return "" }
    return String(decoding: entry.dropFirst("PATH=".utf8.count), as: UTF8.self)
  }

  /// The files that a name stands for in a rule, with all links resolved.
  static func installed(_ name: String) -> [String] {
    GuardCommands.folders.filter(isProtected).compactMap { resolved("\($0)/\(name)") }
  }

  /// Whether a folder is root's, and this user cannot put a file in it.
  private static func isProtected(_ folder: String) -> Bool {
    var status = stat()
    guard stat(folder, &status) == 0, status.st_uid == 0, status.st_mode & 0o002 == 0 else { return false }
    return geteuid() == 0 || access(folder, W_OK) != 0
  }

  /// A path with all links resolved; nil if nothing is there.
  static func resolved(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }
}
