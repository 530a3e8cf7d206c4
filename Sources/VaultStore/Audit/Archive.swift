import Glibc
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

// Old rows are moved to a separate file, which the log names. Slow work runs on another thread, and rows are removed a few at a
// time: a credential request meanwhile waits for at most one such piece.
extension VaultStore {
  /// Writes the rows from before a time to a file, verifies it, names it in the log, and removes them from the table.
  ///
  /// Calls without an outcome stay, and all rows after them. The versions of secrets that are still in use are logged again. A file
  /// ends when it reaches its maximum size (`AuditArchive.fullAt`); the rest is for the next one.
  /// - Parameter known: no row after this one is removed: the row of the checkpoint in the key store.
  /// - Returns: what was archived, and how many more rows are old enough.
  /// - Throws: `StoreError.nothingToArchive`; `DatabaseError` if the file already exists or cannot be written. Nothing is then
  ///   removed.
  public func archive(before time: Timestamp, through known: Int64 = .max, to path: String, requester: Requester) async throws
    -> (segment: AuditKeyRows.Segment, left: Int64)
  {
    try await archive(before: time, through: known, to: path, atMost: AuditArchive.fullAt, requester: requester) { _ in }
  }

  func archive(
    before time: Timestamp, through known: Int64 = .max, to path: String, atMost maximum: Int, requester: Requester,
    step: ArchiveStep.Listener
  ) async throws -> (segment: AuditKeyRows.Segment, left: Int64) {
    guard let key = signing?.publicKey, cipher != nil else { throw StoreError.locked }
    // A second archive would begin with the rows of the first.
    guard !isArchiving else { throw StoreError.archiving }
    isArchiving = true
    defer { isArchiving = false }
    let order = ArchiveOrder(
      vault: database.path, file: path, time: time, known: min(known, head.sequence - 1), maximum: maximum, now: clock.now())
    let (segment, left) = try await SideThread().writeArchive(order, signedBy: key, step: step) { try await self.sign($0) }
    do {
      await step(.written)
      try name(segment, requester)
    } catch {
      unlink(path)
      throw error
    }
    await step(.named)
    try await clearArchived(step: step)
    return (segment, left)
  }

  private func sign(_ place: ChainPosition) throws -> AuditCheckpoint {
    guard let signing, cipher != nil else { throw StoreError.locked }
    return AuditCheckpoint(sequence: place.sequence, hash: place.hash, at: clock.now(), vaultId: vaultId, by: signing)
  }

  /// From this commit on, the file is part of the log, and its rows may be removed.
  private func name(_ segment: AuditKeyRows.Segment, _ requester: Requester) throws {
    let checkpoint = try sign(ChainPosition(sequence: segment.last, hash: segment.lastHash))
    let standing = try database.statement("SELECT hash FROM audit_event WHERE sequence = ?").begin().bind(segment.last).first {
      $0.blob(0)
    }
    guard standing == segment.lastHash else {
      throw StoreError.chainBroken(AuditChain.Fault.changed(sequence: segment.last).description)
    }
    try change { store in
      try AuditKeyRows.put(checkpoint, into: store.database)
      try AuditKeyRows.put(segment, into: store.database)
      var event = AuditEvent(action: .auditArchived, outcome: .success, trigger: .manual, requester: requester)
      event.detail = "\(segment.announcement), \(segment.file)"
      try store.append(event)
      // The sealed key may be for a row that is removed; the next agent begins with it.
      try store.sealRatchet()
    }
  }

  // MARK: removing rows

  /// The maximum time per piece, in nanoseconds, and how long the executor is left to others after it, in microseconds.
  private static let pieceTime: Int64 = 3_000_000
  private static let delay: UInt32 = 1_000
  private static let maxRowsPerPiece: Int64 = 1_000

  /// Whether archived rows are still in the table, left by an agent that was interrupted while it removed them.
  public var hasArchivedRows: Bool {
    get throws { try archivedRows(maximum: 1) != nil }
  }

  /// Removes archived rows from the table, the oldest first and a few at a time, until all are gone or the vault is locked. The
  /// next agent removes any rows that an interrupted one left.
  public func clearArchived() async throws { try await clearArchived { _ in } }

  func clearArchived(step: ArchiveStep.Listener) async throws {
    let thread = SideThread()
    var count: Int64 = 32
    while cipher != nil, signing != nil, let last = try archivedRows(maximum: count) {
      let start = monotonicNanoseconds()
      try removeRows(through: last)
      let taken = monotonicNanoseconds() - start
      if taken > Self.pieceTime {
        count = max(1, count / 2)
      } else if taken < Self.pieceTime / 2 {
        count = min(Self.maxRowsPerPiece, count * 2)
      }
      await step(.clearing)
      await thread.delay(microseconds: Self.delay)
    }
  }

  /// The last of the next archived rows that are still in the table; nil if there are none.
  ///
  /// Relies only on the log itself: a segment that somebody else wrote to the database removes nothing.
  private func archivedRows(maximum: Int64) throws -> Int64? {
    guard let segment = try AuditKeyRows.segments(in: database).last,
      let first = try database.statement("SELECT min(sequence) FROM audit_event").begin().first({ $0.int(0) }),
      first <= segment.last
    else { return nil }
    let isNamed = try database.statement(
      "SELECT 1 FROM audit_event WHERE action = 'AuditArchived' AND substr(detail, 1, length(?1)) = ?1 AND sequence > ?2"
    ).begin().bind(segment.announcement).bind(segment.last).first { _ in true }
    return isNamed == true ? min(segment.last, first + maximum - 1) : nil
  }

  /// The log decides which version of a secret is valid: for secrets still in use, it repeats the version before the row is
  /// removed.
  private func removeRows(through last: Int64) throws {
    // After a power cut, some rows may be back, and are removed again.
    try change(.process) { store in
      let kept = try store.database.statement(
        """
        SELECT subject, subject_version FROM audit_event a WHERE sequence <= ?1 AND subject IS NOT NULL \
        AND subject_version = (SELECT max(subject_version) FROM audit_event b WHERE b.subject = a.subject) \
        AND (subject = ?2 OR subject IN (SELECT owner_id FROM secret))
        """
      ).begin().bind(last).bind(Self.rowSubject).rows { (id: $0.text(0), version: $0.int(1)) }
      try store.database.statement("DELETE FROM audit_event WHERE sequence <= ?").begin().bind(last).run()
      for subject in kept {
        var event = AuditEvent(action: .secretKept, outcome: .success, trigger: .manual, requester: store.agent)
        event.detail = "version \(subject.version) of \(subject.id)"
        try store.append(event, subject: subject)
      }
    }
  }
}
