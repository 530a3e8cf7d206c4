import Glibc
import VaultDatabase
import VaultModel
import VaultSecrets

// Old rows go into a file of their own, which the log names, and out of the table. All that takes long is done on another thread, and the
// rows go a few at a time: who asks for credentials meanwhile waits for one such piece at most.
extension VaultStore {
  /// Writes the rows from before a time to a file, verifies it, names it in the log, and takes them out of the table.
  ///
  /// Calls without an outcome stay, and all after them. What the log must know of secrets that live on is said once more.
  /// A file ends where it is as large as one may be (`AuditArchive.fullAt`); what is left is for the next.
  /// - Parameter known: no row after this one is taken out: the one whose head the key store has.
  /// - Returns: what was archived, and how many more rows are old enough.
  /// - Throws: `StoreError.nothingToArchive`; `DatabaseError` where the file is there already or cannot be written. Nothing is taken out then.
  public func archive(before time: Timestamp, through known: Int64 = .max, to path: String, requester: Requester) async throws
    -> (segment: AuditKeyRows.Segment, left: Int64)
  {
    try await archive(before: time, through: known, to: path, atMost: AuditArchive.fullAt, requester: requester) { _ in }
  }

  func archive(
    before time: Timestamp, through known: Int64 = .max, to path: String, atMost most: Int, requester: Requester,
    step: ArchiveStep.Listener
  ) async throws -> (segment: AuditKeyRows.Segment, left: Int64) {
    guard let key = signing?.publicKey, cipher != nil else { throw StoreError.locked }
    // Of two, the second would begin with the first one's rows.
    guard !isArchiving else { throw StoreError.archiving }
    isArchiving = true
    defer { isArchiving = false }
    let order = ArchiveOrder(
      vault: database.path, file: path, time: time, known: min(known, head.sequence - 1), most: most, now: clock.now())
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

  /// From this commit on the file is a part of the log, and its rows may go.
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
      // The sealed key may be for a row that goes; the next agent begins with it.
      try store.sealRatchet()
    }
  }

  // MARK: taking rows out

  /// How long a piece may take, in nanoseconds, and how long others have the lane after it, in microseconds.
  private static let pieceTime: Int64 = 3_000_000
  private static let pause: UInt32 = 1_000
  private static let mostInPiece: Int64 = 1_000

  /// Whether archived rows still stand in the table: an agent that was ended while it took them out.
  public var hasArchivedRows: Bool {
    get throws { try archivedRows(most: 1) != nil }
  }

  /// Takes the rows that an archive holds out of the table, the oldest first and a few at a time, until all are gone or the vault is locked.
  /// What an agent that was ended meanwhile left, the next one takes out.
  public func clearArchived() async throws { try await clearArchived { _ in } }

  func clearArchived(step: ArchiveStep.Listener) async throws {
    let thread = SideThread()
    var count: Int64 = 32
    while cipher != nil, signing != nil, let last = try archivedRows(most: count) {
      let start = Self.monotonic()
      try takeOut(through: last)
      let taken = Self.monotonic() - start
      if taken > Self.pieceTime {
        count = max(1, count / 2)
      } else if taken < Self.pieceTime / 2 {
        count = min(Self.mostInPiece, count * 2)
      }
      await step(.clearing)
      await thread.pause(microseconds: Self.pause)
    }
  }

  private static func monotonic() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// The last of the next rows that an archive holds and that still stand in the table; nil where there are none.
  ///
  /// Only what the log itself says: a segment that somebody else wrote into the database takes nothing out.
  private func archivedRows(most: Int64) throws -> Int64? {
    guard let segment = try AuditKeyRows.segments(in: database).last,
      let first = try database.statement("SELECT min(sequence) FROM audit_event").begin().first({ $0.int(0) }),
      first <= segment.last
    else { return nil }
    let isNamed = try database.statement(
      "SELECT 1 FROM audit_event WHERE action = 'AuditArchived' AND substr(detail, 1, length(?1)) = ?1 AND sequence > ?2"
    ).begin().bind(segment.announcement).bind(segment.last).first { _ in true }
    return isNamed == true ? min(segment.last, first + most - 1) : nil
  }

  /// Which version of a secret counts, the log says: what it says of those that live on, it says once more before the row goes.
  private func takeOut(through last: Int64) throws {
    // After a power cut some of them may stand again, and are taken out again.
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
