import Glibc
import VaultDatabase
import VaultModel

/// An archive in the making: rows of a vault's log in a database of their own, each proven to follow the one before as it is
/// copied.
///
/// The vault is read over a separate connection, a few rows at a time, and no transaction stays open in between: rows never change,
/// and writers continue to write. Memory use does not depend on the number of rows. Not for use by two threads at once.
public final class ArchiveDraft {
  private let vault: Database
  private let draft: Database
  private let path: String
  private let vaultId: String
  /// The parts archived earlier.
  public let earlier: [AuditKeyRows.Segment]
  /// The last row copied.
  public private(set) var place: ChainPosition
  public var first: Int64 { (earlier.last?.last ?? 0) + 1 }
  private static let batch: Int64 = 500

  /// Begins a draft, replacing any that was left there.
  ///
  /// - Parameter vault: the path of the vault's database.
  public init(of vault: String, at path: String, now: Timestamp) throws {
    self.path = path
    Self.remove(path)
    self.vault = try Database(path: vault, access: .readOnly)
    try self.vault.execute("PRAGMA cache_size = -1024")
    guard let id = try self.vault.statement("SELECT id FROM vault").begin().first({ $0.text(0) }) else {
      throw DatabaseError.badRow(table: "vault", what: "no row")
    }
    vaultId = id
    earlier = try AuditKeyRows.segments(in: self.vault)
    place = ChainPosition(sequence: earlier.last?.last ?? 0, hash: earlier.last?.lastHash ?? AuditChain.root(vaultId: id))
    DatabaseFile.make(path)
    draft = try Database(path: path, access: .readWrite)
    // After any failure the draft is discarded: it needs neither a journal nor a sync.
    try draft.execute(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096; PRAGMA secure_delete = OFF")
    try Schema.make(in: draft)
    draft.restrict()
    try draft.execute("BEGIN IMMEDIATE")
    try draft.statement("INSERT INTO vault (id, created_at) VALUES (?, ?)").begin().bind(id).bind(now.milliseconds).run()
    for segment in earlier { try AuditKeyRows.put(segment, into: draft) }
  }

  deinit { Self.remove(path) }

  /// Removes a draft, and what SQLite or a compression left of one.
  private static func remove(_ path: String) {
    for suffix in ["", "-wal", "-shm", "-journal", ".gz"] { unlink(path + suffix) }
  }

  /// The last row that may be archived. Rows from `time` on stay, as do rows that have no MAC yet, and calls without an outcome
  /// with all rows after them.
  public func lastToArchive(before time: Timestamp, through known: Int64) throws -> Int64 {
    let bound = try vault.prepare(
      """
      SELECT min(coalesce((\(AuditQuery.number(since: "?1", defers: true))), ?2), \
      (SELECT coalesce(min(sequence), ?2) FROM audit_event WHERE mac IS NULL), \
      (SELECT coalesce(min(sequence), ?2) FROM audit_event i WHERE outcome = 'intent' \
      AND NOT EXISTS (SELECT 1 FROM audit_event o WHERE o.intent_id = i.id)))
      """
    ).begin().bind(time.milliseconds).bind(known + 1).first { $0.int(0) }
    return min(known, (bound ?? 1) - 1)
  }

  /// Copies the next rows, up to `last`.
  ///
  /// - Parameter maximum: the size in bytes before which the draft ends.
  /// - Returns: whether there are more rows.
  /// - Throws: `AuditChain.Fault` for a row that is not the expected one.
  public func copy(through last: Int64, atMost maximum: Int) throws -> Bool {
    let rows = try vault.prepare(
      "SELECT \(AuditRows.columns) FROM audit_event WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT \(Self.batch)"
    ).begin().bind(place.sequence).bind(last)
    var count: Int64 = 0
    while try rows.step() {
      let next = place.sequence + 1
      guard rows.int(AuditField.sequence.rawValue) == next else { throw AuditChain.Fault.missing(sequence: next) }
      guard AuditRows.previousHash(rows) == place.hash else { throw AuditChain.Fault.unbound(sequence: next) }
      guard AuditRows.hasTrueHash(rows) else { throw AuditChain.Fault.changed(sequence: next) }
      try AuditRows.copy(rows, into: draft)
      place = ChainPosition(sequence: next, hash: rows.blob(AuditField.hash.rawValue))
      count += 1
    }
    guard place.sequence < last else { return false }
    guard count > 0 else { throw AuditChain.Fault.missing(sequence: place.sequence + 1) }
    return try size() < maximum
  }

  private func size() throws -> Int {
    let pages = try draft.statement("PRAGMA page_count").begin().first { $0.int(0) } ?? 0
    return try Int(pages * (draft.statement("PRAGMA page_size").begin().first { $0.int(0) } ?? 0))
  }

  /// Ends the rows with the signed checkpoint of the last one, and moves the archive to its final name.
  ///
  /// - Returns: what to log about it.
  /// - Throws: `AuditChain.Fault` if the file on disk does not verify; `DatabaseError`. There is then no file.
  public func finish(_ end: AuditCheckpoint, as file: String, at now: Timestamp) throws -> AuditKeyRows.Segment {
    let ends = Set(earlier.map(\.last))
    for head in try AuditKeyRows.checkpoints(in: vault)
    where ends.contains(head.sequence) || (first..<end.sequence).contains(head.sequence) {
      try AuditKeyRows.put(head, into: draft)
    }
    try AuditKeyRows.put(end, into: draft)
    try draft.execute("COMMIT")
    let previous = earlier.last?.lastHash ?? AuditChain.root(vaultId: vaultId)
    let digest = try AuditArchive.compress(path, to: file)
    do {
      let verdict = try AuditChain.verify(
        VaultReader(archive: file, digest: digest), against: VerificationInput(publicKey: end.publicKey))
      if case .broken(let fault) = verdict { throw fault }
    } catch {
      unlink(file)
      throw error
    }
    return AuditKeyRows.Segment(
      first: first, last: end.sequence, firstPrevious: previous, lastHash: end.hash, archivedAt: now, file: file, digest: digest)
  }

  /// Removes what an interrupted archiving left under the name before the log named it: the vault's own archive, whose rows are all
  /// still unchanged in the log, or the empty file that reserved its name. Nothing is lost by making room for the next one.
  ///
  /// - Throws: `DatabaseError` if there is any other file.
  public func makeRoom(for file: String, signedBy key: [UInt8]) throws {
    var status = stat()
    guard lstat(file, &status) == 0 else { return }
    guard try isLeftover(file, status: status, key: key) else {
      throw DatabaseError.insecure(path: file, why: "already exists", remedy: "choose another file")
    }
    unlink(file)
  }

  private func isLeftover(_ file: String, status: stat, key: [UInt8]) throws -> Bool {
    guard !earlier.contains(where: { $0.file == file }), status.st_mode & S_IFMT == S_IFREG else { return false }
    if status.st_size == 0 { return true }
    guard let archive = try? VaultReader(archive: file), (try? archive.vaultId()) == vaultId,
      (try? archive.firstSequence()) == first,
      case .whole(let last)? = try? AuditChain.verify(archive, against: VerificationInput(publicKey: key)),
      let hash = try? archive.auditHash(of: last)
    else { return false }
    return try vault.statement("SELECT hash FROM audit_event WHERE sequence = ?").begin().bind(last).first { $0.blob(0) } == hash
  }
}
