import AWSClient
import AWSConfig
import AWSPolicy
import VaultModel
import VaultStore
import VaultWire

// Having AWS refuse what was issued: a role's inline policy, put with the credentials of a profile that may.
extension RequestHandler {
  /// Shows the policy that a role would get, or puts the one that was shown.
  func revokeInAWS(_ asked: RevokeInAWSRequest, _ context: RequestContext) async throws -> AWSRevocation {
    guard let role = RoleARN(asked.roleARN) else { throw AgentError.badRequest("invalid role ARN") }
    let names = asked.sessionNames.compactMap { RoleSessionName($0) }
    // More names than IAM takes in a policy are refused when it is made.
    guard names.count == asked.sessionNames.count, names.count <= 1_000 else {
      throw AgentError.badRequest("invalid session names")
    }
    guard asked.runs.count <= names.count, asked.runs.allSatisfy({ ProcessFacts.run($0) == $0 }) else {
      throw AgentError.badRequest("invalid automation runs")
    }
    try await ensureUnlocked(context)
    let (reader, wait) = try await reader(asked.profile, mfaCode: asked.mfaCode, reason: asked.reason, context)
    defer { broker.issuer.programs.waits.end(wait) }
    let place = try await place(reader, role)
    let reach: RevocationPolicy.Reach = names.isEmpty ? .all : .sessions(names, runs: asked.runs)
    var intent = AuditEvent(
      action: asked.document == nil ? .readAccount : .revokedInAWS, outcome: .intent, trigger: .manual, profile: asked.profile,
      requester: context.requester)
    intent.roleARN = role.text
    intent.reason = asked.reason
    intent.go(to: place.endpoint, by: place.route)
    let reply = try await audited(intent, in: store) { event in
      let name = RevocationPolicy(reach, before: clock.now()).name
      let existing: String?
      do {
        existing = try await clients.iam.reader(place).inlinePolicy(name, of: .role(role.name))
      } catch let error as AWSError where error.code == "NoSuchEntity" {
        existing = nil
      }
      // AWS times its sessions by its own clock.
      let now = clients.iam.serverTime
      let policy = RevocationPolicy(reach, before: asked.before ?? now)
      let document = try Self.document(of: policy, addedTo: existing, at: asked.before ?? now, role)
      event.detail = [event.detail, "\(name): what was issued before \(policy.before.iso8601)"].compactMap { $0 }.joined(
        separator: "; ")
      if !names.isEmpty { event.roleSessionName = names.map(\.text).joined(separator: " ") }
      if let shown = asked.document {
        guard shown.withBytes({ $0.elementsEqual(document.compact().utf8) }) else {
          throw Failure("the policy \(name) of \(role.name) has changed meanwhile", hint: "try again", exitStatus: .temporary)
        }
        event.requestId = try await clients.iam.putRolePolicy(document.compact(), name: name, role: role.name, at: place)
      }
      return AWSRevocation { reply in
        (reply.policyName, reply.document, reply.before) = (name, WireBytes(document.compact()), policy.before)
        reply.isAddition = existing != nil
      }
    }
    if asked.document != nil {
      // Also those that this revocation did not end here: another profile of the role may have them.
      try await store.forgetRefused(
        role: role.text, names: asked.sessionNames, runs: asked.runs, requester: context.requester)
      await broker.withdraw()
    }
    return reply
  }

  private static func document(
    of policy: RevocationPolicy, addedTo existing: String?, at now: Timestamp, _ role: RoleARN
  ) throws(Failure) -> JSONValue {
    do throws(RevocationPolicy.Fault) {
      return try policy.document(addedTo: existing, at: now)
    } catch {
      switch error {
      case .unreadable:
        throw Failure(
          "the policy \(policy.name) of \(role.name) cannot be read, and is not replaced",
          hint: "`aws iam get-role-policy` shows it", exitStatus: .badData)
      case .tooLong(let length):
        throw Failure(
          "the policy \(policy.name) of \(role.name) would have \(length) characters; IAM accepts \(RevocationPolicy.maxCharacters)",
          hint: "revoke the whole role, or remove statements whose sessions have expired", exitStatus: .badData)
      }
    }
  }

  /// IAM, with the credentials of the profile, which must be of the role's account: a name alone may be another role elsewhere.
  private func place(_ reader: AccountInspection.Reader, _ role: RoleARN) async throws -> SignedEndpoint {
    let credential = try await broker.issuer.credentials(reader.context)
    let (sts, stsRoute) = try await reader.context.sts(region: nil, reader.sts, sending: Self.sent)
    let identity = try await clients.sts.getCallerIdentity(signedBy: credential, at: sts, via: stsRoute)
    guard identity.account == role.account else {
      throw Failure(
        "the credentials are of the account \(identity.account), and the role \(role.name) is in \(role.account)",
        hint: "give a profile of that account with --with", exitStatus: .configuration)
    }
    let region = Partition(rawValue: role.partition)?.globalRegion ?? Partition.aws.globalRegion
    let endpoint = try ServiceEndpoint(.iam, region: region, settings: reader.iam)
    return SignedEndpoint(
      endpoint, signedBy: credential, via: try await reader.context.route(to: endpoint, reader.iam, sending: Self.sent))
  }

  /// The description in a person's prompt for an endpoint that is not AWS's own.
  private static let sent = "a policy that revokes sessions"
}
