import VaultModel
import VaultStore
import VaultWire

// Credentials files that are kept fresh.
extension RequestHandler {
  func linkFile(_ request: LinkFileRequest, _ context: RequestContext) async throws -> Done {
    guard request.file.hasPrefix("/"), !request.section.isEmpty,
      request.section.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x5B && $0 != 0x5D && $0 < 0x7F })
    else { throw AgentError.badRequest("missing file or section of the link") }
    try await catalog.requireProfile(request.profile)
    let asked = IssueRequest { ($0.profile, $0.trigger) = (request.profile, .credentials) }
    try await broker.link(
      CredentialsLink(path: request.file, section: request.section, profile: request.profile),
      try CredentialRequest(asked, context), requester: context.requester, prompter: context.prompter)
    return Done()
  }

  func unlinkFile(_ request: UnlinkFileRequest, _ context: RequestContext) async throws -> [String] {
    try await ensureUnlocked(context)
    let links = try await store.credentialsLinks().filter {
      $0.path == request.file && (request.name == nil || request.name == $0.profile || request.name == $0.section)
    }
    for link in links { try await broker.unlink(link, requester: context.requester) }
    return links.map(\.section)
  }

  /// The client writes the file, which is the person's and not the vault's; this records that first.
  func linkProfiles(_ request: LinkProfilesRequest, _ context: RequestContext) async throws -> [String] {
    let isLinked = !request.unlink
    guard !request.names.isEmpty else { throw AgentError.badRequest("missing name of the profile to link") }
    for name in request.names where isLinked { try await catalog.requireProfile(name) }
    try await store.record(
      request.names.map { name in
        var event = AuditEvent(
          action: isLinked ? .profilesLinked : .profilesUnlinked, outcome: .success, trigger: .manual,
          profile: isLinked ? name : nil, requester: context.requester)
        event.detail = isLinked ? "in \(request.file)" : "[\(name)] in \(request.file)"
        return event
      })
    var regions: [String] = []
    for name in request.names where isLinked {
      regions.append((try? await catalog.region(of: name, context.environment)) ?? "")
    }
    return regions
  }
}
