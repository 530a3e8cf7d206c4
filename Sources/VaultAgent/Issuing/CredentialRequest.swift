import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// A request for a profile's credentials, by a client or by the agent itself.
package struct CredentialRequest: Sendable {
  package private(set) var profile: String
  private(set) var trigger: AuditTrigger
  private(set) var duration: SessionDuration?
  /// Seconds for which the session must still be valid; nil if any session that is not yet due will do.
  private(set) var minimumRemaining: Int?
  private(set) var refresh: Bool
  /// Serve the credentials on loopback for as long as the program runs.
  private(set) var server: Bool
  /// Put its token in a file.
  let tokenFile: Bool
  let region: String?
  private(set) var keyUse = KeyUse.session
  private(set) var sessionName: RoleSessionName?
  private(set) var reason: String?
  /// The code that came with the request: it answers any question for one.
  private(set) var mfaCode: SecretBytes?
  /// The profiles whose programs wait for this request, the outermost first.
  private(set) var chain: [String] = []
  /// The AWS variables of the client's environment.
  private(set) var environment: [String: String]
  /// The variable by which the requester says that it acts by itself (``AutomationTrees/tree(for:variable:)``).
  private(set) var agentVariable: String?
  /// What the session is narrowed to.
  private(set) var scope = SessionScope.none
  /// A role to assume with the profile's credentials.
  private(set) var role: RoleARN?
  /// The automation run to which the requester belongs. The session is this run's alone.
  private(set) var run: AutomationRun?
  /// Whether the profile's own session is asked for, as narrow as the rules of the settings have it.
  private(set) var isOwn = true

  /// - Parameter isForConsole: whether the requester gets a page of the console, and not the credentials.
  /// - Throws: for a request that the vault's client would not send.
  init(_ asked: IssueRequest, _ context: RequestContext, isForConsole: Bool = false) throws {
    try asked.scope?.check()
    if let seconds = asked.minimumRemaining, !(0...43_200).contains(seconds) {
      throw AgentError.badRequest("invalid --min-remaining: \(seconds) s")
    }
    profile = asked.profile
    trigger = asked.trigger
    duration = asked.duration
    minimumRemaining = asked.minimumRemaining
    refresh = asked.refresh
    server = asked.server
    tokenFile = asked.tokenFile
    region = asked.region
    keyUse = isForConsole ? .console : asked.noSession ? .themselves : .session
    sessionName = asked.sessionName
    reason = asked.reason.map { String($0.prefix(AuditEvent.maxReasonLength)) }
    mfaCode = asked.mfaCode.map { SecretBytes($0) }
    chain = Array(context.client.chain.prefix(64))
    environment = context.environment
    agentVariable = context.tree.flatMap { $0.isHint ? $0.run.name : nil }
    scope = asked.scope ?? .none
    role = asked.role
    isOwn = scope.isEmpty && role == nil
  }

  /// The same request, never wider than a scope allows.
  ///
  /// - Parameter isRule: whether that is so for all who ask.
  func narrowed(by scope: SessionScope, isRule: Bool = false) throws(Failure) -> CredentialRequest {
    var request = self
    request.scope = try self.scope.narrowed(by: scope)
    if !isRule, !scope.isEmpty { request.isOwn = false }
    return request
  }

  /// The same request for a session of another scope.
  func scoped(_ scope: SessionScope) -> CredentialRequest {
    var request = self
    request.scope = scope
    return request
  }

  /// The same request for a session that only this run has.
  ///
  /// - Parameter keepsName: whether the session may have the name that was asked for.
  func within(_ run: AutomationRun, keepsName: Bool) -> CredentialRequest {
    var request = self
    request.run = run
    request.isOwn = false
    if !keepsName { request.sessionName = nil }
    return request
  }

  /// The same request with a reason.
  func because(_ reason: String) -> CredentialRequest {
    var request = self
    request.reason = String(reason.prefix(AuditEvent.maxReasonLength))
    return request
  }

  /// The same request for a session of another duration.
  func lasting(_ duration: SessionDuration) -> CredentialRequest {
    var request = self
    request.duration = duration
    return request
  }

  /// The same request for a renewal by the agent.
  var forRenewal: CredentialRequest {
    var request = self
    request.trigger = .rotation
    request.chain = []
    request.refresh = false
    request.minimumRemaining = nil
    request.mfaCode = nil
    return request
  }

  /// The request to serve a program again, after a start or an unlock: it already has its endpoint and its token.
  var again: CredentialRequest {
    var request = self
    request.server = false
    request.chain = []
    request.refresh = false
    request.minimumRemaining = nil
    request.mfaCode = nil
    return request
  }

  /// The request of a program that an earlier agent served.
  init(_ lease: LeaseRecord) {
    self.init(rotating: lease.profile)
    trigger = .server
    server = true
    duration = lease.duration
    sessionName = lease.sessionName
    reason = lease.reason
    environment = lease.environment
    scope = lease.scope
    role = lease.role
    isOwn = scope.isEmpty && role == nil
  }

  /// The request for a file that an earlier agent kept fresh.
  init(_ link: CredentialsLink, in environment: [String: String]) {
    self.init(rotating: link.profile, in: environment)
    scope = link.scope
    isOwn = scope.isEmpty
  }

  /// A request by the agent itself, after a start.
  ///
  /// - Parameter environment: that of the request to an earlier agent.
  package init(rotating profile: String, in environment: [String: String] = [:]) {
    self.profile = profile
    trigger = .rotation
    refresh = false
    server = false
    tokenFile = false
    region = nil
    reason = nil
    self.environment = environment
    mfaCode = nil
    duration = nil
    sessionName = nil
    minimumRemaining = nil
  }

  /// The same request for another profile.
  func `for`(_ profile: String) -> CredentialRequest {
    var request = self
    request.profile = profile
    return request
  }
}
