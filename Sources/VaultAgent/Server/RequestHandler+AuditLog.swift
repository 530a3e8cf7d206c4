import VaultAudit
import VaultModel
import VaultStore
import VaultWire

// Requests about the audit log.
extension RequestHandler {
  func auditCheckpoint(refresh: Bool, _ context: RequestContext) async throws -> LogCheckpoint {
    if refresh {
      try await ensureUnlocked(context)
      await masterKeys.anchorCheckpoint()
    }
    let verification = try await masterKeys.verification(for: context.prompter, requester: context.requester)
    return LogCheckpoint { ($0.line, $0.fault) = (verification.anchoredCheckpoint?.line, verification.fault) }
  }

  func auditAccept(_ context: RequestContext) async throws -> Done {
    try await masterKeys.acceptLog(for: context.prompter, requester: context.requester)
    return Done()
  }

  func auditKey(_ context: RequestContext) async throws -> AuditorKey {
    try await ensureUnlocked(context)
    let key = try await store.makeVerificationKey(requester: context.requester)
    await masterKeys.anchorCheckpoint()
    return AuditorKey { ($0.sequence, $0.key) = (key.sequence, WireBytes(key.key)) }
  }

  func auditArchive(_ request: ArchiveRequest, _ context: RequestContext) async throws -> ArchivedRows {
    guard request.file.hasPrefix("/") else { throw AgentError.badRequest("missing file of the archive") }
    try await ensureUnlocked(context)
    // Rows without a MAC are not archived, and no checkpoint covers them.
    try await store.addMACs()
    // The checkpoint comes first, and no row after it is archived: if the agent dies then, the log must still contain the row of
    // the anchored checkpoint.
    guard let head = try await masterKeys.putCheckpoint() else { throw AgentError.locked }
    // Nor is a row that a live copy has not received yet: it would never get it.
    let received = await exporters.received ?? head
    let segment: AuditKeyRows.Segment
    let left: Int64
    do {
      (segment, left) = try await store.archive(
        before: request.before, through: min(head, received), to: request.file, requester: context.requester)
    } catch StoreError.nothingToArchive where received < head {
      throw Failure(
        "rows after \(received) have not reached every live copy, and stay in the log",
        hint: "`vault agent status` shows which copy is behind",
        exitStatus: .temporary)
    }
    await masterKeys.anchorCheckpoint()
    return ArchivedRows { ($0.first, $0.last, $0.left) = (segment.first, segment.last, left) }
  }
}
