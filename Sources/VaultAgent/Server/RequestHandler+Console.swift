import AWSClient
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

// The AWS console, signed in as a profile.
extension RequestHandler {
  func console(_ asked: ConsoleRequest, _ context: RequestContext) async throws -> WireBytes {
    let (requester, prompter) = (context.requester, context.prompter)
    let request = try CredentialRequest(asked.credentials, context)
    let issued = try await broker.issue(request, to: requester, prompter: prompter)
    let settings = try await catalog.endpoint(of: request.profile, .signin, environment: request.environment)
    let hosts = try ConsoleHosts(region: issued.region, settings: settings)
    let route = try await clients.trust.route(
      to: hosts, settings, sending: "the credentials of the session",
      for: NetworkTrust.Context(requester: requester, trigger: .console, environment: request.environment, prompter: prompter))
    prompter.progress("asking AWS to sign in to the console …")
    var event = AuditEvent(
      action: .getSigninToken, outcome: .intent, trigger: .console, profile: request.profile, requester: requester)
    event.sourceAccessKeyId = issued.credential.accessKeyId
    event.sessionId = issued.session?.record.id
    event.go(to: hosts, by: route)
    // No duration of the console session is requested: AWS refuses one for a chained role, and the session ends with the
    // credentials.
    let token = try await audited(event, in: store) { _ in
      try await clients.signIn.getSigninToken(issued.credential, at: hosts, via: route)
    }
    let page = hosts.page(asked.service.map { "/\($0)/home" } ?? "/console/home", region: issued.region)
    let url = SignInClient.loginURL(token: token, issuer: nil, destination: page, at: hosts)
    return asked.once ? WireBytes(try redirect.open(url)) : WireBytes(url)
  }
}
