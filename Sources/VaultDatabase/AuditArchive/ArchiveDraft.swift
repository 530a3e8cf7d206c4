import Glibc
import VaultModel

/// An archive while it is being made: rows of a vault's log in a database of their own, each proven to follow the one before as it is copied.
///
/// The vault is read over a connection of its own, a few rows at a time, and no transaction stays open between them: rows never change, and
/// whoever writes goes on writing. Memory stays the same however many rows there are. Not for two threads at one time.
public final class ArchiveDraft {
  private let vault: Database
  private let draft: Database
  private let path: String
  private let vaultId: String
  /// The parts that were archived before.
  public let earlier: [AuditKeyRows.Segment]
  /// The last row that was copied.
  public private(set) var place: ChainPosition
  public var first: Int64 { (earlier.last?.last ?? 0) + 1 }
  private static let batch: Int64 = 500

  /// Begins a draft, in the place of one that was left there.
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
    // Where anything fails, the draft is thrown away: it needs neither a journal nor the disk's word.
    try draft.execute(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096; PRAGMA secure_delete = OFF")
    try Schema.make(in: draft)
    draft.restrict()
    try draft.execute("BEGIN IMMEDIATE")
    try draft.statement("INSERT INTO vault (id, created_at) VALUES (?, ?)").begin().bind(id).bind(now.milliseconds).run()
    for segment in earlier { try AuditKeyRows.put(segment, into: draft) }
  }

  deinit { Self.remove(path) }

  /// Takes a draft away, and what SQLite or a compression left of one.
  private static func remove(_ path: String) {
    for suffix in ["", "-wal", "-shm", "-journal", ".gz"] { unlink(path + suffix) }
  }

  /// The last row that may go: those from a time on stay, those whose code is still to come, and calls without an outcome with all after them.
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

  /// Copies the next rows, as far as `last`.
  ///
  /// - Parameter most: how many bytes the draft may have; it ends before that.
  /// - Returns: whether there are more to come.
  /// - Throws: `AuditChain.Fault` for a row that is not the one that must stand there.
  public func copy(through last: Int64, atMost most: Int) throws -> Bool {
    let rows = try vault.prepare(
      "SELECT \(AuditRows.columns) FROM audit_event WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT \(Self.batch)"
    ).begin().bind(place.sequence).bind(last)
    var count: Int64 = 0
    while try rows.step() {
      let record = try AuditRows.read(rows)
      let next = place.sequence + 1
      guard record.sequence == next else { throw AuditChain.Fault.missing(sequence: next) }
      guard AuditRows.previousHash(rows) == place.hash else { throw AuditChain.Fault.unbound(sequence: next) }
      guard AuditChain.hash(of: record, after: place.hash) == record.hash else { throw AuditChain.Fault.changed(sequence: next) }
      try AuditRows.insert(record, after: place.hash, mac: AuditRows.mac(rows), into: draft)
      place = ChainPosition(sequence: next, hash: record.hash)
      count += 1
    }
    guard place.sequence < last else { return false }
    guard count > 0 else { throw AuditChain.Fault.missing(sequence: place.sequence + 1) }
    return try size() < most
  }

  private func size() throws -> Int {
    let pages = try draft.statement("PRAGMA page_count").begin().first { $0.int(0) } ?? 0
    return try Int(pages * (draft.statement("PRAGMA page_size").begin().first { $0.int(0) } ?? 0))
  }

  /// Ends the rows with the head that is signed for the last of them, and puts the archive under its name.
  ///
  /// - Returns: what the log is to say of it.
  /// - Throws: `AuditChain.Fault` where what then stands on the disk does not verify; `DatabaseError`. There is no file then.
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

  /// Takes away what an archiving left under the name that was ended before the log named it: an archive of ours, of rows that all still
  /// stand in the log as they are, or the empty file that kept its name. Nothing is lost where it makes room for the next.
  ///
  /// - Throws: `DatabaseError` where any other file is there.
  public func makeRoom(for file: String, signedBy key: [UInt8]) throws {
    var status = stat()
    guard lstat(file, &status) == 0 else { return }
    guard try isLeftover(file, status, key) else {
      throw DatabaseError.insecure(path: file, why: "is there already", remedy: "name another file")
    }
    unlink(file)
  }

  private func isLeftover(_ file: String, _ status: stat, _ key: [UInt8]) throws -> Bool {
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
