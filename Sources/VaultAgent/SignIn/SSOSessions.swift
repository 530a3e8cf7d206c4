import AWSClient
import VaultBytes
import VaultConcurrency
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// Manages the sign-ins to IAM Identity Center: signing in, silent renewal, signing out.
struct SSOSessions: Sendable {
  /// An access token is renewed once it has less than this left, in seconds (botocore, `SSOTokenProvider`: 15 minutes).
  private static let lead: Int64 = 15 * 60

  private let store: VaultStore
  private let clients: Clients
  private let clock: any WallClock
  private let redirect: OneTimeRedirect
  /// Records other users' connections.
  private let rejections: RejectionMonitor
  private let renewing: SingleFlightGroup<any Prompter, Bool>
  private let signingIn: SingleFlightGroup<any Prompter, SignInRecord>

  init(store: VaultStore, clients: Clients, clock: any WallClock, redirect: OneTimeRedirect, rejections: RejectionMonitor) {
    self.redirect = redirect
    self.rejections = rejections
    self.store = store
    self.clients = clients
    self.clock = clock
    renewing = SingleFlightGroup(clock: clock)
    signingIn = SingleFlightGroup(clock: clock)
  }

  /// A valid access token, renewed without a person if it is near its end.
  ///
  /// - Throws: ``SignInError/needed(name:)`` if a person must sign in.
  func token(_ place: SSOSessionConfig, _ context: NetworkTrust.Context) async throws -> SecretBytes {
    try await requireTrust(in: place, context)
    guard let kept = try await store.openSignIn(named: place.name), Self.fits(kept, place) else {
      throw SignInError.needed(name: place.name)
    }
    guard kept.record.expiresAt.since(clock.now()) < Self.lead * 1_000 else { return kept.tokens.accessToken }
    try await renew(place, context, after: kept.record, isOver: false)
    guard let fresh = try await store.openSignIn(named: place.name), fresh.record.expiresAt > clock.now() else {
      throw SignInError.needed(name: place.name)
    }
    return fresh.tokens.accessToken
  }

  /// A place that is not AWS's own must be trusted before its tokens are checked, so that a refused request gets the reason.
  private func requireTrust(in place: SSOSessionConfig, _ context: NetworkTrust.Context) async throws {
    guard place.foreignHosts != nil else { return }
    for (service, settings) in [(AWSService.oidc, place.oidc), (.portal, place.portal)] {
      let endpoint = try ServiceEndpoint(service, region: place.region, settings: settings)
      _ = try await context.route(to: endpoint, settings, by: clients.trust)
    }
  }

  /// The replacement of a token that AWS no longer accepts before its expiry: a token that came meanwhile, else one from the
  /// refresh token.
  ///
  /// - Throws: ``SignInError/needed(name:)`` if a person must sign in; AWS's own error if that cannot be known now.
  func replacement(of token: SecretBytes, _ place: SSOSessionConfig, _ context: NetworkTrust.Context) async throws -> SecretBytes
  {
    // The first attempt may join a renewal that others began for a token near its end, and that tolerated an outage.
    for _ in 0..<2 {
      guard let kept = try await store.openSignIn(named: place.name), Self.fits(kept, place) else { break }
      guard kept.tokens.accessToken.equals(token) else { return kept.tokens.accessToken }
      try await renew(place, context, after: kept.record, isOver: true)
    }
    guard let kept = try await store.openSignIn(named: place.name), !kept.tokens.accessToken.equals(token) else {
      throw SignInError.needed(name: place.name)
    }
    return kept.tokens.accessToken
  }

  /// Renews a sign-in, once for all waiters.
  ///
  /// - Parameter isOver: AWS no longer accepts the access token, whatever its expiry.
  private func renew(_ place: SSOSessionConfig, _ context: NetworkTrust.Context, after record: SignInRecord, isOver: Bool)
    async throws
  {
    _ = try await renewing.share(place.name, for: context.prompter) { prompter in
      try await renewAlone(place, context.asked(by: prompter), after: record, isOver: isOver)
      return true
    }
  }

  /// A sign-in is for one start URL in one region, at the hosts that issued it. If the config or an environment now names others,
  /// its tokens are sent nowhere.
  private static func fits(_ kept: (record: SignInRecord, tokens: SignInTokens), _ place: SSOSessionConfig) -> Bool {
    kept.record.startURL == place.startURL && kept.record.region == place.region && kept.tokens.hosts == place.foreignHosts
  }

  private func renewAlone(_ place: SSOSessionConfig, _ context: NetworkTrust.Context, after record: SignInRecord, isOver: Bool)
    async throws
  {
    // Another waiter may have renewed it before this one's turn.
    guard let kept = try await store.openSignIn(named: place.name), kept.record.id == record.id, Self.fits(kept, place) else {
      return
    }
    let isOver = isOver || record.expiresAt <= clock.now()
    guard let refreshToken = kept.tokens.refreshToken, record.clientEndsAt > clock.now() else {
      guard isOver else { return }
      return try await end(record, context)
    }
    let client = SSOClientRegistration(
      clientId: kept.tokens.clientId, clientSecret: kept.tokens.clientSecret, expiresAt: record.clientEndsAt)
    do {
      try await importToken(.refreshToken(refreshToken), as: client, in: place, context, how: "renewed", renewing: record)
    } catch let error as SSOOIDCError where error.exitStatus != .temporary {
      // The portal session has expired or was ended there; the access token may still work for its last minutes.
      guard isOver || [.invalidGrant, .invalidClient, .expiredToken].contains(error.reason) else { return }
      try await end(record, context)
    } catch {
      guard isOver else { return }
      throw error
    }
  }

  /// Requests a token and stores it, between an intent and its outcome.
  ///
  /// - Parameters:
  ///   - how: for the log.
  ///   - before: the sign-in that is renewed; the result is valid only while it exists.
  ///   - wait: the action while the grant is not ready yet; nil if it must be ready.
  @discardableResult
  private func importToken(
    _ grant: SSOGrant, as client: SSOClientRegistration, in place: SSOSessionConfig, _ context: NetworkTrust.Context, how: String,
    renewing before: SignInRecord? = nil, waiting wait: ((SSOOIDCError) async throws -> Void)? = nil
  ) async throws -> SignInRecord {
    let endpoint = try ServiceEndpoint(.oidc, region: place.region, settings: place.oidc)
    let route = try await context.route(to: endpoint, place.oidc, by: clients.trust)
    let (record, _) = try await audited(context.event(.createToken, place, how: how, at: endpoint, by: route), in: store) {
      event in
      let token = try await poll(wait) { try await clients.oidc.createToken(grant, for: client, at: endpoint, via: route) }
      // A renewal need not return another refresh token: the existing one then stays in use (RFC 6749, 6).
      var refreshToken = token.refreshToken
      if refreshToken == nil, case .refreshToken(let old) = grant { refreshToken = old }
      let record = SignInRecord(
        id: Identifier.make("sso"), name: place.name, startURL: place.startURL, region: place.region,
        scopes: place.scopes.joined(separator: " "), signedInAt: clock.now(), expiresAt: token.expiresAt,
        isRenewable: refreshToken != nil, clientEndsAt: client.expiresAt)
      event.issuedAt = record.signedInAt
      event.expiresAt = record.expiresAt
      let tokens = SignInTokens(
        accessToken: token.accessToken, refreshToken: refreshToken, clientId: client.clientId,
        clientSecret: client.clientSecret, hosts: place.foreignHosts)
      return (record, tokens)
    } keep: { id, kept, event in
      try await store.complete(id, signIn: kept.0, tokens: kept.1, event: event, renewing: before?.id)
    }
    do { try await writeShared(place.name) } catch {
      context.prompter.notice("the AWS CLI's token could not be written: \(Failure(error).message)")
    }
    return record
  }

  private func poll(
    _ wait: ((SSOOIDCError) async throws -> Void)?, _ ask: () async throws -> SSOToken
  ) async throws -> SSOToken {
    while true {
      do {
        return try await ask()
      } catch let error as SSOOIDCError where error.reason == .authorizationPending || error.reason == .slowDown {
        guard let wait else { throw error }
        try await wait(error)
      }
    }
  }

  /// AWS no longer accepts this sign-in. A sign-in that a person has begun in its place meanwhile stays, and serves the waiters.
  ///
  /// - Throws: ``SignInError/needed(name:)`` if there is no other.
  private func end(_ record: SignInRecord, _ context: NetworkTrust.Context) async throws {
    let name = record.name
    guard try await store.endSignIn(name, id: record.id, as: .expired, trigger: context.trigger, requester: context.requester)
    else {
      return
    }
    context.prompter.notice("the sign-in to \(name) has expired; run `vault login \(ShellText.word(name))`")
    throw SignInError.needed(name: name)
  }

  /// Signs out: here at once, with the sessions from the sign-in, and then on the server, if it can be reached.
  ///
  /// - Returns: false if nobody was signed in.
  func signOut(_ name: String, _ context: NetworkTrust.Context, place: SSOSessionConfig?) async throws -> Bool {
    guard let kept = try await store.openSignIn(named: name) else { return false }
    _ = try await store.endSignIn(name, as: .signedOut, trigger: .manual, requester: context.requester)
    _ = try await store.forgetSessions(ofSignIn: name, requester: context.requester)
    try await unshare(name, requester: context.requester)
    do {
      // If the place is not the one that issued the token, no server is told.
      guard kept.tokens.hosts == place?.foreignHosts else { throw SignInError.elsewhere(name: name) }
      let settings = place?.portal ?? EndpointSettings()
      let endpoint = try ServiceEndpoint(.portal, region: kept.record.region, settings: settings)
      try await clients.portal.logout(
        token: kept.tokens.accessToken, at: endpoint, via: try await context.route(to: endpoint, settings, by: clients.trust))
    } catch let error as SSOPortalError where error.reason == .signInAgain {
      // This is the wanted result.
    } catch {
      context.prompter.notice("IAM Identity Center could not be told of the sign-out: \(Failure(error).message)")
    }
    return true
  }
}

extension NetworkTrust.Context {
  /// - Parameter how: for the log.
  func event(
    _ action: AuditAction, _ place: SSOSessionConfig, how: String? = nil, at endpoint: ServiceEndpoint, by route: NetworkSettings
  ) -> AuditEvent {
    var event = AuditEvent(action: action, outcome: .intent, trigger: trigger, requester: requester)
    event.detail = how.map { "\(place.name): \($0)" } ?? place.name
    event.go(to: endpoint, by: route)
    return event
  }

  func route(to endpoint: ServiceEndpoint, _ settings: EndpointSettings, by trust: NetworkTrust) async throws -> NetworkSettings {
    try await trust.route(to: endpoint, settings, sending: "the tokens of your sign-in", for: self)
  }

  func asked(by prompter: any Prompter) -> Self {
    Self(requester: requester, trigger: trigger, environment: environment, prompter: prompter)
  }
}

// A company's own address for the portal.
extension SSOSessions {
  /// AWS's own URL behind a start URL that a person or their config names.
  func resolved(_ named: StartURL, _ context: NetworkTrust.Context) async throws -> StartURL {
    if named.isAWS { return named }
    let isPlain = named.address.scheme == "http"
    let settings = EndpointSettings(
      url: isPlain ? named.text : nil, caBundle: context.environment["AWS_CA_BUNDLE"].flatMap { $0.isEmpty ? nil : $0 },
      urlVariable: isPlain ? "the start URL" : nil, caBundleVariable: "AWS_CA_BUNDLE")
    context.prompter.progress("asking \(named.address.hostHeader) for the IAM Identity Center …")
    let route = try await clients.trust.route(
      to: NamedHost(named.address), settings, sending: "the question where it leads", for: context)
    return try await clients.startURLs.resolve(named, via: route)
  }

  /// The start URL that IAM Identity Center itself knows. A company's own address is resolved for each sign-in, as by the AWS CLI:
  /// it may lead to another region one day.
  private func ownURL(of place: SSOSessionConfig, _ context: NetworkTrust.Context) async throws -> String {
    guard let named = StartURL(place.startURL), !named.isAWS else { return place.startURL }
    let url = try await resolved(named, context)
    if let region = url.region, region != place.region {
      throw StartURLError.movedRegion(url: url.text, region: region, configured: place.region)
    }
    return url.text
  }
}

// Signing in, with a person.
extension SSOSessions {
  /// Seconds that a person has to return from the browser: the lifetime of a device code.
  private static let timeouts: Int64 = 600

  /// Signs in to a place, and replaces its earlier sign-in. Concurrent requests for a sign-in of the same kind share it; it ends
  /// when nobody waits for it any more (Ctrl-C).
  func signIn(_ place: SSOSessionConfig, flow: SignInFlow, _ context: NetworkTrust.Context) async throws -> SignInRecord {
    // The older form of configuration has no scopes, which an authorization code requires.
    let flow = place.scopes.isEmpty ? .device : flow
    return try await signingIn.share("\(flow) \(place.name)", for: context.prompter, endsAlone: true) { prompter in
      let context = context.asked(by: prompter)
      let url = try await ownURL(of: place, context)
      return switch flow {
      case .browser: try await signInByBrowser(place, url: url, context)
      case .device: try await signInByDevice(place, url: url, context)
      }
    }
  }

  private func signInByBrowser(_ place: SSOSessionConfig, url startURL: String, _ context: NetworkTrust.Context) async throws
    -> SignInRecord
  {
    try await withClient(place, url: startURL, flow: .browser, context) { client in
      let endpoint = try ServiceEndpoint(.oidc, region: place.region, settings: place.oidc)
      let pkce = PKCE()
      let state = PKCE.newState()
      let callback = try SignInCallback(state: SecretBytes(state)) { [rejections] in
        rejections.record($0, at: "the sign-in's callback")
      }
      let url = pkce.authorizeURL(
        clientId: client.clientId, redirectURI: callback.redirectURL, state: state, scopes: place.scopes, at: endpoint)
      let address = show(url, code: nil, context)
      defer { if let address { redirect.close(address) } }
      context.prompter.progress("waiting for you to sign in …")
      let code = try await withThrowingTaskGroup(of: SecretBytes?.self) { group in
        group.addTask { try await callback.code() }
        group.addTask {
          try await clock.sleep(until: clock.now().adding(seconds: Self.timeouts))
          callback.giveUp()
          return nil
        }
        defer { group.cancelAll() }
        while let found = try await group.next() { if let found { return found } }
        throw SignInError.tooLate
      }
      return try await importToken(
        .authorizationCode(code, verifier: pkce.verifier, redirectURI: callback.redirectURL), as: client, in: place, context,
        how: "browser")
    }
  }

  private func signInByDevice(_ place: SSOSessionConfig, url startURL: String, _ context: NetworkTrust.Context) async throws
    -> SignInRecord
  {
    try await withClient(place, url: startURL, flow: .device, context) { client in
      let endpoint = try ServiceEndpoint(.oidc, region: place.region, settings: place.oidc)
      let device = try await clients.oidc.startDeviceAuthorization(
        client, startURL: startURL, at: endpoint,
        via: try await context.route(to: endpoint, place.oidc, by: clients.trust))
      let address = show(device.verificationURIComplete ?? device.verificationURI, code: device.userCode, context)
      defer { if let address { redirect.close(address) } }
      context.prompter.progress("waiting for you to sign in …")
      var interval = Int64(device.interval)
      try await clock.sleep(until: clock.now().adding(seconds: interval))
      return try await importToken(.deviceCode(device.deviceCode), as: client, in: place, context, how: "device") { error in
        if error.reason == .slowDown { interval += 5 }
        guard device.expiresAt > clock.now() else { throw SignInError.tooLate }
        try await clock.sleep(until: clock.now().adding(seconds: interval))
      }
    }
  }

  /// Shows a page for signing in.
  ///
  /// - Returns: the address that redirects the person's browser to the page until the sign-in ends. The page's own URL is for the
  ///   person who signs in, and every user can read the browser's command line. Nil if no port was free.
  private func show(_ url: String, code: String?, _ context: NetworkTrust.Context) -> String? {
    let address = try? redirect.open(SecretBytes(url), once: false, for: Self.timeouts)
    context.prompter.show(Page { ($0.url, $0.code, $0.address) = (url, code, address) })
    return address
  }

  /// Lends a client registration: the stored one while it is valid, else a new one; also a new one if the server has forgotten it.
  private func withClient<Result>(
    _ place: SSOSessionConfig, url: String, flow: SignInFlow, _ context: NetworkTrust.Context,
    body: (SSOClientRegistration) async throws -> Result
  ) async throws -> Result {
    let scopes = place.scopes.joined(separator: " ")
    let kept = try await store.ssoClient(
      startURL: place.registrationKey, region: place.region, scopes: scopes, flow: flow,
      livingUntil: clock.now().adding(seconds: 2 * Self.timeouts))
    if let kept {
      do {
        return try await body(
          SSOClientRegistration(
            clientId: kept.record.clientId, clientSecret: kept.secret, expiresAt: kept.record.expiresAt))
      } catch let error as SSOOIDCError where error.reason == .invalidClient {
        // Continues with a new one.
      }
    }
    return try await body(try await register(place, url: url, flow: flow, scopes: scopes, context))
  }

  private func register(_ place: SSOSessionConfig, url: String, flow: SignInFlow, scopes: String, _ context: NetworkTrust.Context)
    async throws
    -> SSOClientRegistration
  {
    let endpoint = try ServiceEndpoint(.oidc, region: place.region, settings: place.oidc)
    let route = try await context.route(to: endpoint, place.oidc, by: clients.trust)
    return try await audited(context.event(.registerClient, place, at: endpoint, by: route), in: store) { event in
      let client = try await clients.oidc.registerClient(
        name: "vault", scopes: place.scopes, grantTypes: flow == .browser ? [.authorizationCode, .refreshToken] : [],
        redirectURIs: flow == .browser ? [SignInCallback.registeredURL] : [], issuerURL: flow == .browser ? url : nil,
        at: endpoint, via: route)
      event.expiresAt = client.expiresAt
      return client
    } keep: { id, client, event in
      try await store.complete(
        id,
        client: SSOClientRecord(
          startURL: place.registrationKey, region: place.region, scopes: scopes, flow: flow, clientId: client.clientId,
          expiresAt: client.expiresAt), secret: client.clientSecret, event: event)
    }
  }
}

// Sign-ins that the vault shares with the AWS CLI.
extension SSOSessions {
  /// The setting that names the home directory for which a sign-in's token is written.
  private static func setting(_ name: String) -> String { "share-token.\(name)" }

  /// From now on, each access token of a sign-in is also written for the SDKs.
  func share(_ name: String, home: String, requester: Requester) async throws {
    try await store.setSetting(Self.setting(name), home, requester: requester)
    try await writeShared(name)
  }

  /// Writes the token of a shared sign-in; does nothing for another.
  private func writeShared(_ name: String) async throws {
    guard let home = try await store.setting(Self.setting(name)), let kept = try await store.openSignIn(named: name) else {
      return
    }
    try TokenCache(home: home).write(kept.tokens.accessToken, kept.record)
  }

  /// Removes the shared token at the end of a sign-in.
  private func unshare(_ name: String, requester: Requester) async throws {
    do {
      guard let home = try await store.setting(Self.setting(name)) else { return }
      TokenCache(home: home).remove(name)
    } catch RowError.setting {
      // The file belongs to another program: the vault has nothing there.
    }
    try await store.setSetting(Self.setting(name), nil, requester: requester)
  }

  /// Adopts the AWS CLI's sign-in for as long as its access token is valid.
  func adopt(_ place: SSOSessionConfig, home: String, _ context: NetworkTrust.Context) async throws -> SignInRecord {
    let file = try TokenCache(home: home).read(place.name)
    let cached: CachedToken
    do throws(CachedToken.Malformed) {
      cached = try CachedToken(file)
    } catch {
      throw SignInError.failed("the AWS CLI's token: \(error.what)")
    }
    guard cached.startURL == place.startURL, cached.region == place.region else {
      throw SignInError.failed("the AWS CLI's token is for \(cached.startURL) in \(cached.region)")
    }
    return try await adopt(cached, in: place, renewal: nil, context)
  }

  /// Seconds: a registration lives for about 90 days, whatever a file says.
  private static let maxRegistration: Int64 = 100 * 86_400

  /// Whether there is a sign-in for a place that works, or can be renewed.
  func isSignedIn(_ place: SSOSessionConfig) async throws -> Bool {
    guard let record = try await store.signIn(named: place.name) else { return false }
    return record.expiresAt > clock.now() || record.isRenewable && record.clientEndsAt > clock.now()
  }

  /// Takes over the AWS CLI's sign-in with all that it needs to be renewed.
  @discardableResult
  func takeOver(_ cached: CachedToken, in place: SSOSessionConfig, _ context: NetworkTrust.Context) async throws -> SignInRecord {
    try await adopt(cached, in: place, renewal: cached.renewal.flatMap { $0.client.expiresAt > clock.now() ? $0 : nil }, context)
  }

  /// - Parameter renewal: nil to use the access token only.
  private func adopt(
    _ cached: CachedToken, in place: SSOSessionConfig, renewal: CachedToken.Renewal?, _ context: NetworkTrust.Context
  ) async throws -> SignInRecord {
    let life = cached.expiresAt.since(clock.now())
    guard life > 60_000 || renewal != nil else { throw SignInError.failed("the AWS CLI's token has expired") }
    guard life <= SSOOIDCClient.maxLifetime * 1_000 else {
      throw SignInError.failed("the AWS CLI's token has an invalid expiration")
    }
    let record = SignInRecord(
      id: Identifier.make("sso"), name: place.name, startURL: place.startURL, region: place.region,
      scopes: place.scopes.joined(separator: " "), signedInAt: clock.now(), expiresAt: cached.expiresAt,
      isRenewable: renewal != nil,
      clientEndsAt: renewal.map { min($0.client.expiresAt, clock.now().adding(seconds: Self.maxRegistration)) }
        ?? cached.expiresAt)
    var event = AuditEvent(action: .tokenAdopted, outcome: .intent, trigger: context.trigger, requester: context.requester)
    event.detail = "\(place.name): the AWS CLI's"
    return try await audited(event, in: store) { event in
      event.expiresAt = record.expiresAt
      return record
    } keep: { id, record, event in
      let tokens = SignInTokens(
        accessToken: cached.accessToken, refreshToken: renewal?.refreshToken, clientId: renewal?.client.clientId ?? "",
        clientSecret: renewal?.client.clientSecret ?? SecretBytes(""), hosts: place.foreignHosts)
      try await store.complete(id, signIn: record, tokens: tokens, event: event)
    }
  }
}
