import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

/// What this machine has verified of a team's logs on one server: the key of each log, and how far. This detects a log that was
/// remade with another key, now ends earlier, or is gone, whatever the server says. It also means that only new rows are read.
struct VerifiedLogs {
  struct Entry: Equatable {
    var login: String
    /// The key that signs the log's checkpoints.
    var key: [UInt8]
    /// The last row confirmed by a checkpoint.
    var place: ChainPosition
    var rows: Int64
    var archived: Int64
  }

  private static let header = "vault-team-verified-1"
  private static let maxBytes = 32 << 20

  private let path: String
  private let server: String
  private var entries: [String: Entry] = [:]
  var vaultIds: Dictionary<String, Entry>.Keys { entries.keys }

  /// - Parameters:
  ///   - folder: the user's own, 0700.
  ///   - server: its host, port and database.
  /// - Throws: if the file is not in this program's format.
  init(in folder: String, of server: String) throws {
    self.server = server
    path = "\(folder)/team-\(hex(Array(blake2b(Array(server.utf8)).prefix(8)))).verified"
    try PrivateDirectory.ensure(folder)
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else {
      guard errno == ENOENT else { throw damage("cannot be read (errno \(errno))") }
      return
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_mode & 0o077 == 0,
      status.st_size <= Self.maxBytes
    else { throw damage("is not a file of vault-team") }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
    var lines = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n")[...]
    guard lines.popFirst() == "\(Self.header) \(server)" else { throw damage("has another format") }
    for line in lines {
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 7, let key = unhex(words[2], count: 32), let sequence = Int64(words[3]), sequence >= 0,
        sequence <= TeamPass.lastNumber, let hash = unhex(words[4], count: 32), let rows = Int64(words[5]), rows >= 0,
        rows <= sequence, let archived = Int64(words[6]), archived >= 0, archived <= sequence
      else { throw damage("has an invalid line") }
      entries[String(words[0])] = Entry(
        login: String(words[1]), key: key, place: ChainPosition(sequence: sequence, hash: hash), rows: rows, archived: archived)
    }
  }

  private func damage(_ why: String) -> Failure {
    Failure(
      "\(path) \(why)", hint: "it records the logs that were verified here; without it every log counts as new",
      exitStatus: .badData)
  }

  subscript(_ vaultId: String) -> Entry? {
    get { entries[vaultId] }
    set {
      // No vault has a name that contains the separators of the file's format.
      guard !vaultId.contains(where: \.isWhitespace), newValue?.login.contains(where: \.isWhitespace) != true else { return }
      entries[vaultId] = newValue
    }
  }

  /// Writes it to disk atomically.
  func save() throws {
    var text = "\(Self.header) \(server)\n"
    for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
      text +=
        "\(id) \(entry.login) \(hex(entry.key)) \(entry.place.sequence) \(hex(entry.place.hash)) \(entry.rows) \(entry.archived)\n"
    }
    let draft = path + ".new"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw unsaved() }
    defer { close(file) }
    guard writeAll(text.utf8.span.bytes, to: file), fsync(file) == 0, rename(draft, path) == 0 else { throw unsaved() }
  }

  private func unsaved() -> Failure {
    Failure(
      "\(path) cannot be written (errno \(errno)): the next verification starts from the same row as this one",
      exitStatus: .cannotCreate)
  }
}
