import CSystem
import VaultConcurrency
import VaultDatabase
import VaultModel
import VaultSecrets

/// Verifies the audit log: each row, in order, and what the log says of itself.
///
/// Each row names the hash that it follows, so each core takes a range of the rows, over a connection of its own.
struct AuditVerifier {
  private let database: Database
  private let vaultId: String
  private let verification: VerificationInput
  private let isArchive: Bool
  private let table: AuditTable
  /// The columns of a row in this database.
  private let columns: String

  /// - Parameter isArchive: only its own checkpoints say where it ends, so the last row must have one.
  init(
    _ database: Database, vaultId: String, _ verification: VerificationInput, isArchive: Bool, table: AuditTable = .current
  ) throws {
    self.table = table
    columns = try table.selection(at: Schema.currentVersion(database))
    self.database = database
    self.vaultId = vaultId
    self.verification = verification
    self.isArchive = isArchive
  }

  func run() throws -> AuditChain.Verdict {
    if let fault = try guards() { return .broken(fault) }
    let signer = try publicKey()
    func isTrusted(_ head: AuditCheckpoint) -> Bool { signer.map { head.isSigned(by: $0, vaultId: vaultId) } ?? false }
    let checkpoints = try AuditKeyRows.checkpoints(in: database)
    let (start, segmentFault) = try archived(checkpoints, isTrusted)
    if let segmentFault { return .broken(segmentFault) }
    let later = checkpoints.filter { $0.sequence > start.sequence }
    if let untrusted = later.first(where: { !isTrusted($0) }) { return .broken(.checkpoint(sequence: untrusted.sequence)) }
    if let anchoredCheckpoint = verification.anchoredCheckpoint, !isTrusted(anchoredCheckpoint) {
      return .broken(.checkpoint(sequence: anchoredCheckpoint.sequence))
    }
    // Rows that were added since, and every row where a range has a fault: a pass in order finds the first one.
    let proven = try inRanges(from: start, later) ?? VerifiedRange(at: start)
    var pass = VerificationPass(after: proven, verification: verification, checkpoints: later, table: table)
    if let fault = try Self.check(&pass, columns, in: database) {
      return .broken(try diagnose(fault, at: pass.sequence, after: pass.hash))
    }
    if let fault = try end(pass) ?? keysMadeAgain() { return .broken(fault) }
    if verification.isThorough || pass.sequence - start.sequence <= VerificationInput.maxIndexed, let fault = try indexes() {
      return .broken(fault)
    }
    return .whole(rows: pass.sequence)
  }

  /// The least number of rows for which another thread is worth its start.
  private static let leastRange: Int64 = 10_000

  /// Verifies ranges of the rows at once.
  ///
  /// - Returns: nil if any of them has a fault, does not follow the one before it, or could not be read.
  private func inRanges(from start: ChainPosition, _ checkpoints: [AuditCheckpoint]) throws -> VerifiedRange? {
    let last = try database.prepare("SELECT coalesce(max(sequence), 0) FROM audit_event").begin().first { $0.int(0) } ?? 0
    // An archive's file has no name by which it could be opened again.
    let count = isArchive ? 1 : min(Int64(sys_available_cores()), (last - start.sequence) / Self.leastRange)
    guard count > 1 else { return nil }
    let rows = (last - start.sequence) / count
    let (path, columns, table, verification) = (database.path, columns, table, verification)
    let ranges = BlockingPool.shared.each(Int(count)) { number -> VerifiedRange? in
      let first = start.sequence + Int64(number) * rows
      let end = number == count - 1 ? last : first + rows
      do {
        let database = try Database(path: path, access: .readOnly)
        guard let start = try number == 0 ? start : Self.position(of: first, in: database) else { return nil }
        var pass = VerificationPass(
          after: VerifiedRange(at: start), verification: verification, checkpoints: checkpoints.filter { $0.sequence <= end },
          table: table)
        let fault = try Self.check(&pass, columns, through: end, in: database)
        return fault == nil && pass.sequence == end ? VerifiedRange(pass, from: start) : nil
      } catch { return nil }
    }
    var proven = VerifiedRange(at: start)
    for range in ranges {
      guard let range, proven.append(range) else { return nil }
    }
    return proven
  }

  /// A row's number, and the hash that it states.
  private static func position(of sequence: Int64, in database: Database) throws -> ChainPosition? {
    try database.prepare("SELECT hash FROM audit_event WHERE sequence = ?").begin().bind(sequence).first {
      ChainPosition(sequence: sequence, hash: $0.blob(0))
    }
  }

  /// Checks the rows after the last one of the pass.
  private static func check(
    _ pass: inout VerificationPass, _ columns: String, through last: Int64 = .max, in database: Database
  ) throws
    -> AuditChain.Fault?
  {
    try database.readThrough()
    let rows = try database.prepare(
      "SELECT \(columns) FROM audit_event WHERE sequence > ? AND sequence <= ? ORDER BY sequence"
    ).begin().bind(pass.sequence).bind(last)
    while try rows.step() {
      if let fault = pass.check(rows) { return fault }
    }
    return nil
  }

  /// Anything other than a plain table can change its answer from read to read, and a trigger can swallow rows.
  private func guards() throws -> AuditChain.Fault? {
    if isArchive {
      let tables = try database.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'audit_event' AND type = 'table'")
        .begin()
        .first { $0.int(0) }
      return tables == 1 ? nil : .unguarded(what: "table audit_event is missing")
    }
    do {
      try Schema.check(database)
      return nil
    } catch DatabaseError.foreignSchema(_, let what) {
      return .unguarded(what: what)
    }
  }

  /// A log gets its keys once; again only if a user accepted it in its state, which the next row says.
  private func keysMadeAgain() throws -> AuditChain.Fault? {
    try database.prepare(
      """
      SELECT sequence FROM audit_event AS made WHERE action = 'AuditKeysMade' AND action <> 'Deliver' AND detail LIKE 'heads are signed by %' \
      AND sequence > (SELECT min(sequence) FROM audit_event WHERE action = 'AuditKeysMade' AND action <> 'Deliver' \
      AND detail LIKE 'heads are signed by %') \
      AND NOT EXISTS (SELECT 1 FROM audit_event WHERE sequence = made.sequence + 1 AND action = 'AuditAccepted') LIMIT 1
      """
    ).begin().first { .keysMadeAgain(sequence: $0.int(0)) }
  }

  /// Reports find rows by indexes, which are copies of row data: an attacker with access to the file can leave rows out of them.
  private func indexes() throws -> AuditChain.Fault? {
    let found = try database.prepare("PRAGMA integrity_check(audit_event)").begin().first { $0.text(0) }
    guard found == "ok" else { return .index(what: found ?? "the integrity check gave no result") }
    guard try Schema.currentVersion(database) >= Schema.deferredIndexes else { return nil }
    return try database.prepare(
      """
      SELECT sequence FROM audit_event NOT INDEXED WHERE pending IS NOT NULL AND sequence < \
      (SELECT sequence FROM audit_event NOT INDEXED WHERE pending IS NULL ORDER BY sequence DESC LIMIT 1) ORDER BY sequence LIMIT 1
      """
    ).begin().first { .index(what: "row \($0.int(0)) is in no index") }
  }

  /// The position at which the rows in the table begin: after the archived ones, whose last hash a signed checkpoint confirms.
  private func archived(_ checkpoints: [AuditCheckpoint], _ isTrusted: (AuditCheckpoint) -> Bool) throws
    -> (start: ChainPosition, AuditChain.Fault?)
  {
    var start = ChainPosition(sequence: 0, hash: AuditChain.root(vaultId: vaultId))
    let segments = try AuditKeyRows.segments(in: database)
    for segment in segments {
      guard segment.first == start.sequence + 1, segment.firstPrevious == start.hash, segment.lastHash.count == 32,
        let head = checkpoints.first(where: { $0.sequence == segment.last }), head.hash == segment.lastHash, isTrusted(head)
      else { return (start, .segment(sequence: segment.last)) }
      start = ChainPosition(sequence: segment.last, hash: segment.lastHash)
    }
    // Otherwise an attacker could remove old rows, using a checkpoint that the vault signed for another reason.
    if let last = segments.last, try !isAnnounced(last) {
      return (start, .segment(sequence: last.last))
    }
    // Archived rows are removed a few at a time, the oldest first. Those that remain must lead to the signed checkpoint at the end
    // of the segment.
    let oldest = try database.prepare("SELECT sequence, previous_hash FROM audit_event ORDER BY sequence LIMIT 1").begin().first {
      (sequence: $0.int(0), previous: $0.blob(1))
    }
    if let oldest, oldest.sequence <= start.sequence {
      guard oldest.sequence >= 1, oldest.previous.count == 32 else { return (start, .inserted(sequence: oldest.sequence)) }
      start = ChainPosition(sequence: oldest.sequence - 1, hash: oldest.previous)
    }
    return (start, nil)
  }

  /// Whether the log itself says that these rows were archived. For an archive that begins after earlier ones, the log that says so
  /// is elsewhere.
  private func isAnnounced(_ segment: AuditKeyRows.Segment) throws -> Bool {
    if try database.prepare("SELECT 1 FROM audit_event WHERE sequence = ?").begin().bind(segment.last + 1).first({ _ in true })
      == nil
    {
      return false
    }
    if try AuditKeyRows.publicKey(in: database) == nil { return true }
    return try database.prepare(
      """
      SELECT 1 FROM audit_event WHERE action = 'AuditArchived' AND action <> 'Deliver' AND substr(detail, 1, length(?1)) = ?1 \
      AND sequence > ?2
      """
    ).begin().bind(segment.announcement).bind(segment.last).first { _ in true } == true
  }

  private func publicKey() throws -> [UInt8]? {
    try verification.publicKey ?? verification.anchoredCheckpoint?.publicKey ?? AuditKeyRows.publicKey(in: database)
      ?? AuditKeyRows.newestSigner(in: database)
  }

  private func end(_ pass: borrowing VerificationPass) throws -> AuditChain.Fault? {
    if let later = pass.checkpoints.last(where: { $0.sequence > pass.sequence }) {
      return .truncated(after: pass.sequence, expected: later.sequence)
    }
    if isArchive, pass.checkpoints.last?.sequence != pass.sequence { return .unsigned(sequence: pass.sequence) }
    guard let anchoredCheckpoint = verification.anchoredCheckpoint, anchoredCheckpoint.sequence > pass.sequence else {
      return nil
    }
    // If only audit rows had been cut off, the other tables would still hold what the vault did since.
    let newer = try database.prepare("SELECT EXISTS (SELECT 1 FROM session WHERE issued_at > ?)").begin()
      .bind(pass.lastTime).first { $0.int(0) != 0 }
    return newer == true
      ? .truncated(after: pass.sequence, expected: anchoredCheckpoint.sequence)
      : .rolledBack(to: pass.sequence, expected: anchoredCheckpoint.sequence)
  }

  /// Finds out more about an invalid row: whether it belongs elsewhere, and where the row is that belongs there.
  private func diagnose(_ fault: AuditChain.Fault, at sequence: Int64, after last: [UInt8]) throws -> AuditChain.Fault {
    switch fault {
    case .changed, .missing: break
    default: return fault
    }
    guard let here = try row("sequence >= ? ORDER BY sequence", .number(sequence)) else { return fault }
    // A row's hash reveals its true number.
    guard let own = (max(1, sequence - 64)...sequence + 64).first(where: { here.isTrue(as: $0) }) else {
      return .changed(sequence: sequence)
    }
    if own < sequence { return .inserted(sequence: own) }
    guard let rightful = try row("previous_hash = ? AND sequence <> \(here.sequence)", .bytes(last)) else {
      return .missing(sequence: sequence)
    }
    return rightful.isTrue(as: sequence)
      ? .reordered(sequence: sequence, standsAt: rightful.sequence) : .missing(sequence: sequence)
  }

  /// A row of the table, which stays at it as long as it is referenced.
  private struct Row {
    let statement: Statement
    let table: AuditTable
    var sequence: Int64 { statement.int(AuditField.sequence.rawValue) }

    /// Whether its hash is that of its values with another number.
    func isTrue(as number: Int64) -> Bool {
      var form = CanonicalRow(table)
      return statement.withBlob(AuditField.previousHash.rawValue) { form.put(statement, after: $0, as: number) }
        && form.hash() == statement.blob(AuditField.hash.rawValue)
    }
  }

  private enum Key {
    case number(Int64)
    case bytes([UInt8])
  }

  private func row(_ condition: String, _ key: Key) throws -> Row? {
    // Consists of fixed pieces; values are bound.
    let sql = "SELECT \(columns) FROM audit_event WHERE \(condition) LIMIT 1"
    let statement = try database.prepare(sql).begin()
    switch key {
    case .number(let number): try statement.bind(number)
    case .bytes(let bytes): try statement.bind(bytes)
    }
    return try statement.step() ? Row(statement: statement, table: table) : nil
  }
}
