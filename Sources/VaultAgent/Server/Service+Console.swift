import AWSClient
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

// The AWS console, signed in as a profile.
extension Service {
  func console(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> Reply {
    let wish = try Wish(message)
    let issued = try await broker.issue(wish, to: requester, prompter: prompter)
    let settings = try await catalogue.endpoint(of: wish.profile, .signin, environment: wish.environment)
    let hosts = try ConsoleHosts(region: issued.region, settings: settings)
    let route = try await clients.trust.route(
      to: hosts, settings, sending: "the credentials of the session",
      for: NetworkTrust.Asker(requester: requester, trigger: .console, environment: wish.environment, prompter: prompter))
    prompter.progress("asking AWS to sign in to the console …")
    var event = AuditEvent(
      action: .getSigninToken, outcome: .intent, trigger: .console, profile: wish.profile, requester: requester)
    event.sourceAccessKeyId = issued.credential.accessKeyId
    event.sessionId = issued.session?.record.id
    event.go(to: hosts, by: route)
    // No length of the console's session is asked for: AWS refuses one for a chained role, and the credentials' own end is the end.
    let token = try await audited(event, in: store) { _ in
      try await clients.signIn.getSigninToken(issued.credential, at: hosts, via: route)
    }
    let page = hosts.page(message.text(.name).map { "/\($0)/home" } ?? "/console/home", region: issued.region)
    let url = SignInClient.loginURL(token: token, issuer: nil, destination: page, at: hosts)
    let reply = Reply(.done)
    if message.has(.once) {
      reply.add(.endpoint, try door.open(url))
    } else {
      url.withBytes { reply.add(.endpoint, $0) }
    }
    return reply
  }
}
