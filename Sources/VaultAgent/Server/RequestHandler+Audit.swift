import VaultAudit
import VaultModel
import VaultStore
import VaultWire

// Requests about the audit log.
extension RequestHandler {
  func auditCheckpoint(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    if message.has(.refresh) {
      try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
      await masterKeys.anchorCheckpoint()
    }
    let verification = try await masterKeys.verification(for: prompter, requester: requester)
    let reply = ReplyBuilder(.done)
    reply.add(.item, verification.anchoredCheckpoint?.line)
    reply.add(.text, verification.fault)
    return reply
  }

  func auditAccept(_ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    try await masterKeys.acceptLog(for: prompter, requester: requester)
    return ReplyBuilder(.done)
  }

  func auditKey(_ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let key = try await store.makeVerificationKey(requester: requester)
    await masterKeys.anchorCheckpoint()
    let reply = ReplyBuilder(.done)
    reply.add(.item, String(key.sequence))
    key.key.withBytes { reply.add(.answer, $0) }
    return reply
  }

  func auditArchive(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    guard let path = message.text(.name), path.hasPrefix("/"), let before = message.text(.text).flatMap({ Int64($0) }) else {
      throw AgentError.badRequest("an archive without a file or a time")
    }
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
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
        before: Timestamp(milliseconds: before), through: min(head, received), to: path, requester: requester)
    } catch StoreError.nothingToArchive where received < head {
      throw Failure(
        "rows behind \(received) have not come to every live copy, and stay in the log",
        hint: "`vault agent status` says which waits",
        exitStatus: .temporary)
    }
    await masterKeys.anchorCheckpoint()
    let reply = ReplyBuilder(.done, count: Int(segment.last - segment.first + 1))
    reply.add(.item, "first\t\(segment.first)")
    reply.add(.item, "last\t\(segment.last)")
    reply.add(.item, "left\t\(left)")
    return reply
  }
}
