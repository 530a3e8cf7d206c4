import AWSClient
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

// Signing in, with a person.
extension SSOSessions {
  /// Seconds that a person has to return from the browser: the lifetime of a device code.
  static let timeouts: Int64 = 600

  /// Signs in to a place, and replaces its earlier sign-in. Concurrent requests for a sign-in of the same kind share it; it ends
  /// when nobody waits for it any more (Ctrl-C).
  func signIn(_ place: SSOSessionConfig, flow: SignInFlow, _ context: NetworkTrust.Context) async throws -> SignInRecord {
    // The older form of configuration has no scopes, which an authorization code requires.
    let flow = place.scopes.isEmpty ? .device : flow
    return try await signingIn.share("\(flow) \(place.name)", for: context.prompter, endsAlone: true) { prompter in
      let context = context.asked(by: prompter)
      return switch flow {
      case .browser: try await signInByBrowser(place, context)
      case .device: try await signInByDevice(place, context)
      }
    }
  }

  private func signInByBrowser(_ place: SSOSessionConfig, _ context: NetworkTrust.Context) async throws -> SignInRecord {
    try await withClient(place, flow: .browser, context) { client in
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

  private func signInByDevice(_ place: SSOSessionConfig, _ context: NetworkTrust.Context) async throws -> SignInRecord {
    try await withClient(place, flow: .device, context) { client in
      let endpoint = try ServiceEndpoint(.oidc, region: place.region, settings: place.oidc)
      let device = try await clients.oidc.startDeviceAuthorization(
        client, startURL: place.startURL, at: endpoint,
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
    _ place: SSOSessionConfig, flow: SignInFlow, _ context: NetworkTrust.Context,
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
    return try await body(try await register(place, flow: flow, scopes: scopes, context))
  }

  private func register(_ place: SSOSessionConfig, flow: SignInFlow, scopes: String, _ context: NetworkTrust.Context)
    async throws
    -> SSOClientRegistration
  {
    let endpoint = try ServiceEndpoint(.oidc, region: place.region, settings: place.oidc)
    let route = try await context.route(to: endpoint, place.oidc, by: clients.trust)
    return try await audited(context.event(.registerClient, place, at: endpoint, by: route), in: store) { event in
      let client = try await clients.oidc.registerClient(
        name: "vault", scopes: place.scopes, grantTypes: flow == .browser ? [.authorizationCode, .refreshToken] : [],
        redirectURIs: flow == .browser ? [SignInCallback.registeredURL] : [], issuerURL: flow == .browser ? place.startURL : nil,
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
