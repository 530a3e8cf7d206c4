import VaultModel
import VaultStore
import VaultWire

// Credentials files that are kept fresh.
extension RequestHandler {
  func linkFile(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let link = try link(of: message)
    try await catalog.requireProfile(link.profile)
    try await broker.link(link, try CredentialRequest(message), requester: requester, prompter: prompter)
    return ReplyBuilder(.done)
  }

  /// Without a profile, unlinks the whole file.
  func unlinkFile(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    guard let path = message.text(.credentialsFile) else { throw AgentError.badRequest("no file") }
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let asked = message.text(.profile)
    let links = try await store.credentialsLinks().filter {
      $0.path == path && (asked == nil || asked == $0.profile || asked == $0.section)
    }
    let reply = ReplyBuilder(.done)
    for link in links {
      try await broker.unlink(link, requester: requester)
      reply.add(.text, link.section)
    }
    return reply
  }

  /// The client writes the file, which is the person's and not the vault's; this records that first.
  func linkProfiles(_ message: Message, _ requester: Requester) async throws -> ReplyBuilder {
    let names = message.texts(.item)
    guard let path = message.text(.configFile), !names.isEmpty else {
      throw AgentError.badRequest("a link without a file or a name")
    }
    let isLinked = !message.has(.unset)
    for name in names where isLinked { try await catalog.requireProfile(name) }
    try await store.record(
      names.map { name in
        var event = AuditEvent(
          action: isLinked ? .profilesLinked : .profilesUnlinked, outcome: .success, trigger: .manual,
          profile: isLinked ? name : nil, requester: requester)
        event.detail = isLinked ? "in \(path)" : "[\(name)] in \(path)"
        return event
      })
    let reply = ReplyBuilder(.done)
    let environment = CredentialRequest.environment(of: message)
    for name in names where isLinked { reply.add(.region, (try? await catalog.region(of: name, environment)) ?? "") }
    return reply
  }

  private func link(of message: Message) throws(AgentError) -> CredentialsLink {
    guard let path = message.text(.credentialsFile), path.hasPrefix("/"), let section = message.text(.name), !section.isEmpty,
      section.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x5B && $0 != 0x5D && $0 < 0x7F }), let profile = message.text(.profile)
    else { throw .badRequest("a link without a file, a section or a profile") }
    return CredentialsLink(path: path, section: section, profile: profile)
  }
}
