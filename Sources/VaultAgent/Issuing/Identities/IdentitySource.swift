import VaultModel
import VaultSecrets

/// A way to prove an identity to AWS: the first link of a chain. `docs/extending.md` says how to add one.
protocol IdentitySource: Sendable {
  /// The call that gets the credentials, as the audit log names it.
  var action: AuditAction { get }
  /// The profile that owns the credentials; nil if that is the first role's.
  var owner: String? { get }
  /// Values that distinguish these credentials from all others; a session is found again by their digest.
  var identifiers: [String?] { get }
  /// Completes the plan's step, and adds the identifiers to its digest, for a source whose calls take a duration and a session
  /// name.
  ///
  /// - Returns: false if no session of this source is needed, because its own keys sign the first role's call.
  func plan(_ step: inout CredentialPlan.IdentityStep, for request: IdentityRequest, digest: inout PlanDigest) -> Bool
  /// Gets the credentials, between an intent and its outcome (``IssueContext/issue(_:keeping:_:)``).
  ///
  /// - Returns: credentials that are not stored, such as those without an expiry; else nil.
  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential?

  /// The name of the long-lived access key, for the one source that has one.
  var keyName: String? { get }
  /// The host that issues the credentials, if that is not STS; empty if unknown.
  var host: String? { get }
  /// Whether `--duration` and `--session-name` have an effect on its own credentials.
  var acceptsDuration: Bool { get }
  var acceptsSessionName: Bool { get }
}

extension IdentitySource {
  var owner: String? { nil }
  func plan(_ step: inout CredentialPlan.IdentityStep, for request: IdentityRequest, digest: inout PlanDigest) -> Bool {
    step.owner = owner ?? step.owner
    digest.add(identifiers)
    return true
  }
  var keyName: String? { nil }
  var host: String? { nil }
  var acceptsDuration: Bool { false }
  var acceptsSessionName: Bool { false }
}

/// The request for an identity's own credentials.
struct IdentityRequest {
  let chain: CredentialChain
  /// The role that is assumed with them; nil if they themselves are delivered.
  var role: RoleLink? { chain.roles.first }
  /// The person's value for this request, if the credentials themselves are delivered.
  let duration: SessionDuration?
  let sessionName: RoleSessionName?
  let keyUse: KeyUse
  /// What access keys' own session is narrowed to.
  var scope = SessionScope.none
  var run: AutomationRun?
}

extension IdentityLink {
  /// The source of this identity's credentials: the list of all sources.
  var source: any IdentitySource {
    switch self {
    case .keys(let name, let id, let serial): AccessKeys(name: name, accessKeyId: id, mfaSerial: serial)
    case .sso(let profile, let account, let role, let config):
      IdentityCenter(profile: profile, account: account, role: role, config: config)
    case .webIdentity(let role, let token): WebIdentity(role: role, token: token)
    case .saml(let role, let provider, let command): SAML(role: role, providerARN: provider, command: command)
    case .process(let profile, let command): CredentialProcess(profile: profile, command: command)
    case .container: Container()
    case .instance: InstanceMetadata()
    case .environment: EnvironmentKeys()
    }
  }
}
