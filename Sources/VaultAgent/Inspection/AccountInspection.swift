import AWSClient
import AWSConfig
import AWSPolicy
import VaultModel
import VaultSecrets

/// Gathers what an account has for a profile, and compares it with what the profile needs.
struct AccountInspection: Sendable {
  /// A profile whose credentials read, with the endpoints that its settings name.
  struct Reader: Sendable {
    let context: IssueContext
    let sts: EndpointSettings
    let iam: EndpointSettings
    let ssoAdmin: EndpointSettings
    let identityStore: EndpointSettings
  }

  let issuer: CredentialIssuer
  let clients: Clients
  let chain: CredentialChain
  let own: Reader
  /// Another profile that reads in its place (`--with`).
  let other: Reader?

  private var context: IssueContext { own.context }

  /// The findings about every call for a role that the profile makes, one after another; a call whose caller has no credentials is the
  /// last.
  func findings() async throws -> [Finding] {
    var signers: [AccountSigner] = []
    if let other { signers.append(try await signer(try await issuer.credentials(other.context), other)) }
    var findings: [Finding] = []
    let calls = AccessNeeds.calls(of: chain)
    // A token's or an assertion's own call comes before the steps of the plan.
    let offset = calls.count - context.plan.steps.count
    for (number, needs) in calls.enumerated() {
      let index = number - offset
      var needs = needs
      if index >= 0 { needs.sent.roleSessionName = context.plan.steps[index].sessionName.text }
      let snapshot = try await snapshot(needs, step: index, signers: &signers, isLast: number == calls.count - 1)
      findings += AccountCheck(needs, snapshot).findings
      guard case .succeeded = snapshot.outcome else {
        findings += calls[(number + 1)...].map {
          Finding(
            .assumeRole, .unknown,
            detail: "\($0.door.action) of \($0.role.name): not tried, since \(needs.role.name) could not be assumed")
        }
        break
      }
    }
    return findings
  }

  private func snapshot(_ needs: AccessNeeds, step index: Int, signers: inout [AccountSigner], isLast: Bool) async throws
    -> AccountSnapshot
  {
    var caller: Credential?
    var snapshot = AccountSnapshot(
      caller: .failure(AccountSnapshot.NoCaller(why: "")), role: .absent, simulation: .absent,
      outcome: .untried(why: "the caller has no credentials"))
    var identity: CallerIdentity?
    do {
      // Before the first step, the caller's credentials are the result of the call.
      let (credential, found) = try await issuer.withSource(before: max(index, 0), context) { credential in
        (credential, try await self.identity(of: credential, own))
      }
      caller = credential
      identity = found
      if other == nil || index > 0 { signers.append(try await signer(credential, own, account: found.account)) }
    } catch {
      guard let why = Self.refusal(error) else { throw error }
      caller = nil
      snapshot.caller = .failure(AccountSnapshot.NoCaller(why: why))
      if index < 0 { snapshot.outcome = .refused(why) }
    }
    if let caller, index >= 0 {
      do {
        let session = try await issuer.tryRole(index, signedBy: caller, context)
        snapshot.outcome = .succeeded
        if other == nil, let session { signers.append(try await signer(session, own, account: needs.role.account)) }
      } catch {
        guard let why = Self.refusal(error) else { throw error }
        snapshot.outcome = .refused(why)
      }
    } else if caller != nil {
      snapshot.outcome = .succeeded
    }
    context.prompter.progress("reading the account …")
    let reader = AccountReader(clients: clients, signers: signers)
    async let role = reader.role(needs.role.name, in: needs.role.account, isUsed: isLast)
    async let permissionSet = permissionSet(needs, reader)
    if let identity, index >= 0 {
      let found = try await reader.caller(identity, expectedRole: needs.door.role)
      snapshot.caller = .success(found)
      if let principal = found.roleARN ?? (found.arn.contains(":user/") ? found.arn : nil) {
        snapshot.simulation = try await reader.simulate(needs, by: principal, in: identity.account)
      } else {
        snapshot.simulation = .refused(permission: "iam:SimulatePrincipalPolicy")
      }
    } else if let identity {
      snapshot.caller = .success(
        CallerSnapshot(arn: identity.arn, userId: identity.userId, policies: .absent, boundary: .absent))
    }
    snapshot.role = try await role
    snapshot.permissionSet = try await permissionSet
    return snapshot
  }

  private func permissionSet(_ needs: AccessNeeds, _ reader: AccountReader) async throws -> Reading<PermissionSetSnapshot>? {
    guard case .permissionSet(let name, let account, _) = needs.door else { return nil }
    return try await reader.permissionSet(name, in: account)
  }

  /// What AWS says against it; nil for an error that says nothing about the account: no network, no sign-in, a damaged vault.
  private static func refusal(_ error: any Error) -> String? {
    switch error {
    case let error as AWSError where error.code != nil:
      [.refused, .configuration].contains(error.exitStatus) && !error.saysSourceIsOver ? error.message : nil
    case let error as SSOPortalError where error.reason == .notAssigned: error.message
    default: nil
    }
  }

  // MARK: credentials

  private func identity(of credential: Credential, _ reader: Reader) async throws -> CallerIdentity {
    let (endpoint, route) = try await reader.context.sts(region: nil, reader.sts, sending: Self.sent)
    return try await clients.sts.getCallerIdentity(signedBy: credential, at: endpoint, via: route)
  }

  /// - Parameter account: the credentials' own; nil to ask AWS.
  private func signer(_ credential: Credential, _ reader: Reader, account: String? = nil) async throws -> AccountSigner {
    func place(_ service: AWSService, in region: String, _ settings: EndpointSettings) async throws -> SignedEndpoint {
      let endpoint = try ServiceEndpoint(service, region: region, settings: settings)
      return SignedEndpoint(
        endpoint, signedBy: credential, via: try await reader.context.route(to: endpoint, settings, sending: Self.sent))
    }
    let home = chain.identity.signIn?.region
    var known = account
    if known == nil { known = try await identity(of: credential, reader).account }
    return AccountSigner(
      account: known ?? "", iam: try await place(.iam, in: chain.partition?.globalRegion ?? "us-east-1", reader.iam),
      ssoAdmin: try await home.asyncMap { try await place(.identityCenterAdmin, in: $0, reader.ssoAdmin) },
      identityStore: try await home.asyncMap { try await place(.identityStore, in: $0, reader.identityStore) })
  }

  /// The description in a person's prompt for an endpoint that is not AWS's own.
  private static let sent = "calls that read roles and policies"
}

extension Optional {
  fileprivate func asyncMap<Value>(_ body: (Wrapped) async throws -> Value) async throws -> Value? {
    guard let self else { return nil }
    return try await body(self)
  }
}

extension Door {
  fileprivate var role: RoleARN? { if case .role(let role) = self { role } else { nil } }
}
