import Glibc
import VaultDatabase
import VaultModel
import VaultSecrets

// Old rows go into a file of their own, which the log names, and out of the table.
extension VaultStore {
  /// Writes the rows from before a time to a file, verifies it, and takes them out of the log, which says so.
  ///
  /// Calls without an outcome stay, and all after them. What the log must know of secrets that live on is said once more.
  /// - Parameter known: no row after this one is taken out: the one whose head the key store has.
  /// - Throws: `StoreError.nothingToArchive`; `DatabaseError` where the file is there already or cannot be written. Nothing is taken out then.
  public func archive(before time: Timestamp, through known: Int64 = .max, to path: String, requester: Requester) throws
    -> AuditKeyRows.Segment
  {
    guard let signing, cipher != nil else { throw StoreError.locked }
    let earlier = try AuditKeyRows.segments(in: database)
    let first = (earlier.last?.last ?? 0) + 1
    let last = min(try lastToArchive(before: time), known)
    guard last >= first, let edges = try edges(first, last) else { throw StoreError.nothingToArchive }
    let checkpoint = AuditCheckpoint(sequence: last, hash: edges.lastHash, at: clock.now(), vaultId: vaultId, by: signing)
    let draft = path + ".new"
    let remove = { for suffix in ["", "-wal", "-shm", "-journal", ".gz"] { _ = unlink(draft + suffix) } }
    remove()
    defer { remove() }
    try writeDraft(draft, first: first, checkpoint: checkpoint, after: earlier)
    if isLeftover(path, first: first, signedBy: signing.publicKey, segments: earlier) { unlink(path) }
    let digest = try AuditArchive.compress(draft, to: path)
    let segment = AuditKeyRows.Segment(
      first: first, last: last, firstPrevious: edges.firstPrevious, lastHash: edges.lastHash, archivedAt: clock.now(), file: path,
      digest: digest)
    do {
      let evidence = AuditEvidence(publicKey: signing.publicKey)
      guard case .whole = try AuditChain.verify(VaultReader(archive: path, digest: digest), against: evidence) else {
        throw StoreError.chainBroken("the rows up to \(last) do not verify")
      }
      try takeOut(segment, checkpoint, requester)
    } catch {
      unlink(path)
      throw error
    }
    return segment
  }

  /// Whether a file is what an archiving left that was ended before the log named it: an archive of ours, of rows that all still stand in the
  /// log as they are, or the empty file that kept its name. Nothing is lost where it makes room for the next.
  private func isLeftover(_ path: String, first: Int64, signedBy key: [UInt8], segments: [AuditKeyRows.Segment]) -> Bool {
    var status = stat()
    guard !segments.contains(where: { $0.file == path }), lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return false
    }
    if status.st_size == 0 { return true }
    guard let archive = try? VaultReader(archive: path),
      (try? archive.vaultId()) == vaultId, (try? archive.firstSequence()) == first,
      case .whole(let last)? = try? AuditChain.verify(archive, against: AuditEvidence(publicKey: key)),
      let own = try? edges(first, last), let hash = try? archive.auditHash(of: last)
    else { return false }
    return own.lastHash == hash
  }

  private func lastToArchive(before time: Timestamp) throws -> Int64 {
    let bounds = try database.prepare(
      """
      SELECT min(coalesce((\(AuditQuery.number(since: "?1", defers: true))), ?2), \
      (SELECT coalesce(min(sequence), ?2) FROM audit_event WHERE mac IS NULL), \
      (SELECT coalesce(min(sequence), ?2) FROM audit_event i WHERE outcome = 'intent' \
      AND NOT EXISTS (SELECT 1 FROM audit_event o WHERE o.intent_id = i.id)))
      """
    ).begin().bind(time.milliseconds).bind(head.sequence).first { $0.int(0) }
    return (bounds ?? 1) - 1
  }

  private func edges(_ first: Int64, _ last: Int64) throws -> (firstPrevious: [UInt8], lastHash: [UInt8])? {
    let statement = try database.statement("SELECT previous_hash, hash FROM audit_event WHERE sequence = ?")
    guard let start = try statement.begin().bind(first).first({ $0.blob(0) }),
      let end = try statement.begin().bind(last).first({ $0.blob(1) })
    else { return nil }
    return (start, end)
  }

  /// A vault's database with these rows alone, and the heads that say where they stand.
  private func writeDraft(
    _ path: String, first: Int64, checkpoint: AuditCheckpoint, after earlier: [AuditKeyRows.Segment]
  ) throws {
    let draft = try Schema.openForWriting(path: path, now: clock.now()).database
    let heads = try AuditKeyRows.checkpoints(in: database)
    let rows = try database.prepare(
      "SELECT \(AuditRows.columns) FROM audit_event WHERE sequence BETWEEN ? AND ? ORDER BY sequence"
    ).begin().bind(first).bind(checkpoint.sequence)
    // Where anything fails, the draft is thrown away.
    try draft.execute("BEGIN IMMEDIATE")
    try draft.statement("INSERT INTO vault (id, created_at) VALUES (?, ?)").begin().bind(vaultId)
      .bind(clock.now().milliseconds).run()
    for segment in earlier { try AuditKeyRows.put(segment, into: draft) }
    let ends = Set(earlier.map(\.last))
    for head in heads where ends.contains(head.sequence) || (first..<checkpoint.sequence).contains(head.sequence) {
      try AuditKeyRows.put(head, into: draft)
    }
    try AuditKeyRows.put(checkpoint, into: draft)
    while try rows.step() {
      try AuditRows.insert(
        try AuditRows.read(rows), after: AuditRows.previousHash(rows), mac: AuditRows.mac(rows), into: draft)
    }
    try draft.execute("COMMIT")
    try draft.execute("PRAGMA journal_mode = DELETE")
  }

  private func takeOut(_ segment: AuditKeyRows.Segment, _ checkpoint: AuditCheckpoint, _ requester: Requester) throws {
    try change { store in
      let kept = try store.database.prepare(
        """
        SELECT a.subject, max(a.subject_version) FROM (SELECT owner_id FROM secret UNION ALL SELECT ?) x \
        JOIN audit_event a ON a.subject = x.owner_id GROUP BY a.subject HAVING max(a.sequence) <= ?
        """
      ).begin().bind(Self.rowSubject).bind(segment.last).rows { (id: $0.text(0), version: $0.int(1)) }
      try AuditKeyRows.put(checkpoint, into: store.database)
      try AuditKeyRows.put(segment, into: store.database)
      try store.database.statement("DELETE FROM audit_event WHERE sequence <= ?").begin().bind(segment.last).run()
      var event = AuditEvent(action: .auditArchived, outcome: .success, trigger: .manual, requester: requester)
      event.detail = "\(segment.announcement), \(segment.file)"
      try store.append(event)
      for subject in kept {
        var event = AuditEvent(action: .secretKept, outcome: .success, trigger: .manual, requester: requester)
        event.detail = "version \(subject.version) of \(subject.id)"
        try store.append(event, subject: subject)
      }
    }
  }
}
