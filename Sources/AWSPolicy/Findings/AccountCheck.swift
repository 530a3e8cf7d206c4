import VaultModel

/// Compares what an account has with what a profile's call for a role needs.
///
/// A pure function: everything about the account is in the snapshot.
public struct AccountCheck: Sendable {
  public let needs: AccessNeeds
  public let snapshot: AccountSnapshot
  let caller: CallerSnapshot?
  /// The policies that decide, as far as they could be read.
  let policies: AssumeRolePolicies
  /// What the policies that could be read decide; nil if nothing is known of the caller.
  private(set) var decision: AssumeRoleDecision?

  public init(_ needs: AccessNeeds, _ snapshot: AccountSnapshot) {
    self.needs = needs
    self.snapshot = snapshot
    caller = try? snapshot.caller.get()
    var policies = AssumeRolePolicies()
    policies.trust = snapshot.role.value.flatMap { Self.document($0.trustPolicy, .trust) }
    // One that cannot be parsed may allow or deny anything: then none is known.
    if let list = caller?.policies.value {
      let parsed = list.compactMap { Self.document($0.text, .managed) }
      if parsed.count == list.count { policies.identity = parsed }
    }
    policies.boundary = caller?.boundary.value.flatMap { Self.document($0.text, .managed) }
    self.policies = policies
    decision = request.map { AssumeRoleDecision($0, policies) }
  }

  /// All findings, in the order in which the call meets what they are about.
  public var findings: [Finding] {
    identity + assumePolicy + trustPolicy + role + applicationPolicy + permissionSet + [assumeRole] + directAccess
  }

  static func document(_ text: String, _ kind: PolicyKind) -> PolicyDocument? {
    guard let json = (try? JSONText(Array(text.utf8)))?.value else { return nil }
    return try? PolicyDocument(json: json, kind: kind, isLive: true)
  }

  /// The finding about something that could not be read.
  func unread(_ check: Finding.Check, _ what: String, by obstacle: Obstacle?) -> Finding {
    let detail =
      switch obstacle {
      case .permission(let permission): "not allowed to look at \(what): \(permission) is missing"
      case .other(let why): "could not look at \(what): \(why)"
      case nil: "could not look at \(what)"
      }
    return Finding(check, .unknown, detail: detail, missingPermission: obstacle?.missingPermission)
  }

  // MARK: the caller and the call

  private var identity: [Finding] {
    // A token or an assertion has no identity before the call.
    guard needs.door.action == "sts:AssumeRole" else { return [] }
    switch snapshot.caller {
    case .success(let caller): return [Finding(.identity, .ok, detail: "\(caller.arn) makes the call")]
    case .failure(let error):
      var detail = error.why
      if case .permissionSet(let name, let account, _) = needs.door {
        detail = "no credentials of \(name) in account \(account): \(error.why)"
      }
      return [Finding(.identity, .differs, detail: detail)]
    }
  }

  private var assumeRole: Finding {
    switch snapshot.outcome {
    case .succeeded: Finding(.assumeRole, .ok, detail: "\(needs.door.action) of \(needs.role.name) succeeds")
    case .refused(let text): refused(text)
    case .untried(let why): Finding(.assumeRole, .unknown, detail: "not tried: \(why)")
    }
  }

  // MARK: the request

  /// The call, as policies see it; nil for a caller of whom nothing is known, such as a token.
  var request: AssumeRoleRequest? {
    guard let caller = requestCaller else { return nil }
    var keys: ContextKeys = [:]
    if needs.sent.mfaSerial != nil, needs.door.noMFA == nil { keys["aws:MultiFactorAuthPresent"] = ["true"] }
    var tags: [String: String] = [:]
    for tag in needs.sent.tags { tags[tag.key] = tag.value }
    return AssumeRoleRequest(
      caller: caller, role: needs.role, sessionName: needs.sent.roleSessionName ?? "session", externalId: needs.sent.externalId,
      sourceIdentity: needs.sent.sourceIdentity, tags: tags, transitiveTagKeys: needs.sent.transitiveTagKeys,
      inheritsTags: !needs.sent.inheritedTags.isEmpty, keys: keys)
  }

  private var requestCaller: RequestCaller? {
    guard needs.door.action == "sts:AssumeRole" else { return nil }
    if let caller {
      let id = caller.userId.split(separator: ":").first.map(String.init)
      return RequestCaller(arn: caller.arn, role: caller.roleARN ?? expectedRole(of: caller.arn), id: id)
    }
    switch needs.door {
    case .permissionSet(let name, let account, _):
      // Any of the suffixes that such a role can have.
      let arn = "arn:\(needs.role.partition):sts::\(account):assumed-role/AWSReservedSSO_\(name)_0000000000000000/user"
      return RequestCaller(arn: arn, role: expectedRole(of: arn))
    case .role(let role):
      return RequestCaller(
        arn: "arn:\(role.partition):sts::\(role.account):assumed-role/\(role.name)/session", role: role.text)
    default: return nil
    }
  }

  /// The ARN, with its path, of the role that a permission set or the profile names.
  private func expectedRole(of session: String) -> String? {
    switch needs.door {
    case .role(let role): return role.text
    case .permissionSet(_, let account, let region):
      guard let name = session.split(separator: "/").dropFirst().first, name.hasPrefix("AWSReservedSSO_") else { return nil }
      let place = region == "us-east-1" ? "" : region + "/"
      return "arn:\(needs.role.partition):iam::\(account):role/aws-reserved/sso.amazonaws.com/\(place)\(name)"
    default: return nil
    }
  }
}
