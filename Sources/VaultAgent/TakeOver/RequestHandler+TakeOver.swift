import AWSClient
import AWSConfig
import VaultKeys
import VaultModel
import VaultStore
import VaultWire

// Taking over what another program has.
extension RequestHandler {
  func takeOver(_ request: TakeOverRequest, _ context: RequestContext) async throws -> ImportOutcome {
    guard request.home.hasPrefix("/") else { throw AgentError.noHome }
    var outcome = ImportOutcome()
    if !request.dryRun {
      try await ensureUnlocked(context)
      if let files = request.files { outcome = try await catalog.follow(files, context) }
      outcome.warnings = Array(outcome.warnings.prefix(100))
    }
    let read = try request.files.map {
      try SharedConfig.read(configFile: $0.config, credentialsFile: $0.credentials, home: $0.home)
    }
    let known = try await catalog.knownSections(besides: read?.sections ?? [])
    let stores = TheirStores(
      request, sections: read?.sections ?? [], known: known,
      places: try await catalog.signInPlaces(among: known, request, context),
      keyring: ForeignKeyring(buses: { [session] in session.buses }), prompter: context.prompter, now: clock.now())
    let findings = try await request.program.source.findings(stores)
    let takeOver = TakeOver(
      catalog: catalog, ssoSessions: ssoSessions, isDryRun: request.dryRun, known: known, context: context)
    let items = try await takeOver.run(findings)
    for item in items { try await context.connection.send(entry: item, clock) }
    let taken = items.filter { $0.result == .taken }
    if !taken.isEmpty, !request.dryRun {
      var event = AuditEvent(
        action: .profilesImported, outcome: .success, trigger: .manual, requester: context.requester)
      event.detail = "from \(request.program.rawValue): " + TakeOver.counts(taken)
      try await store.record(event)
      notifier.forget()
      await scheduler.resume()
    }
    return outcome
  }
}

extension TakeOverProgram {
  /// How its stores are read.
  var source: any TakeOverSource {
    switch self {
    case .awsVault: AWSVault()
    case .awsCLICache: AWSCLICache()
    case .granted: Granted()
    case .awsSSO: AWSSSO()
    case .saml2aws: SAML2AWS()
    case .leapp: Leapp()
    }
  }
}
