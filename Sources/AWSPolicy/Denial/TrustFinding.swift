import VaultModel

/// What the trust policy of the role, as it is now, says of a refusal without a reason.
public struct TrustFinding: Sendable {
  private let judge: DenialJudge
  private let role: RoleARN
  private let document: PolicyDocument
  private let sessionName: String?

  /// - Parameters:
  ///   - call: what the profile sends.
  ///   - sessionName: of the role's session, if it is known.
  ///   - trust: the role's trust policy.
  /// - Returns: nil for a refusal that is none of AssumeRole, or whose words give the reason.
  public init?(_ denial: Denial, call: AccessNeeds?, sessionName: String? = nil, trust: PolicyDocument) {
    guard denial.isUnexplainedAssumeRole, let role = denial.role else { return nil }
    judge = DenialJudge(denial, call, clockOffset: 0)
    (self.role, document, self.sessionName) = (role, trust, sessionName ?? call?.sent.roleSessionName)
  }

  /// The side that refuses.
  ///
  /// - Returns: nil if that depends on what only AWS knows: the path of the caller's role, or the value of a condition key.
  public var cause: DenialCause? {
    guard let caller = judge.caller else { return nil }
    let decisions = callers(caller).map { document.decision(on: request($0).policyRequest("sts:AssumeRole")) }
    guard let decision = decisions.first(where: \.isAllowed) ?? decisions.first else { return nil }
    switch decision.outcome {
    case .allow: return allowed(decision, caller)
    case .explicitDeny: return denied(decision)
    case .implicitDeny: return missed(decision, caller)
    }
  }

  // MARK: the request

  /// The caller as policies see it; for a session, with each path that its role may have as far as that is known.
  private func callers(_ caller: CallerName) -> [RequestCaller] {
    guard caller.session != nil else { return [RequestCaller(arn: caller.arn)].compactMap { $0 } }
    return rolesOf(caller).compactMap { RequestCaller(arn: caller.arn, role: $0) }
  }

  private func rolesOf(_ caller: CallerName) -> [String] {
    let names = caller.arn.split(separator: "/")
    guard names.count > 1 else { return [] }
    let (name, base) = (String(names[1]), "arn:\(caller.partition):iam::\(caller.account):role/")
    switch (caller.kind, judge.call?.door) {
    case (.role, .role(let known)?) where known.name == name: return [known.text]
    case (.permissionSet, let door):
      let path = base + "aws-reserved/sso.amazonaws.com/"
      // Identity Center of us-east-1 puts no region into the path ("Referencing permission sets").
      guard case .permissionSet(_, _, let region)? = door, region != "us-east-1" else { return [path + name] }
      return [path + region + "/" + name]
    default: return [base + name]
    }
  }

  /// Whether the path of the caller's role is only assumed.
  private var isPathUnknown: Bool {
    guard judge.caller?.session != nil else { return false }
    switch (judge.caller?.kind, judge.call?.door) {
    case (.role?, .role(_)?), (.permissionSet?, .permissionSet(_, _, _)?): return false
    default: return true
    }
  }

  private func request(_ caller: RequestCaller) -> AssumeRoleRequest {
    let sent = judge.call?.sent
    var request = AssumeRoleRequest(caller: caller, role: role, sessionName: sessionName ?? "")
    request.externalId = sent?.externalId
    request.sourceIdentity = sent?.sourceIdentity
    request.tags = Dictionary((sent?.tags ?? []).map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    request.transitiveTagKeys = sent?.transitiveTagKeys ?? []
    if sent?.mfaSerial != nil, judge.caller?.session == nil { request.keys["aws:MultiFactorAuthPresent"] = ["true"] }
    return request
  }

  // MARK: the cause

  private var policy: String { "the trust policy of the role \(role.name)" }

  private func denied(_ decision: PolicyDecision) -> DenialCause {
    let statement = decision.statement?.sid.map { "The statement \($0)" } ?? "A Deny statement"
    return cause(
      .trustPolicy, "\(statement) in \(policy), as it is now, denies it to \(judge.callerWords).", sid: decision.statement?.sid,
      isExplicit: true, fix: DenialCause.Fix(who: judge.trustOwner))
  }

  private func allowed(_ decision: PolicyDecision, _ caller: CallerName) -> DenialCause {
    let isDirect = caller.account == role.account && decision.principal.map { $0 >= .role } == true
    if isDirect {
      return cause(
        .unknown,
        "The trust policy of the role \(role.name), as it is now, names \(judge.callerWords) and allows the call, which within one "
          + "account is enough. It may have been changed since; otherwise a Deny statement refuses, which AWS usually says.")
    }
    return cause(
      .identityPolicy,
      "The trust policy of the role \(role.name), as it is now, allows \(judge.callerWords). So what is missing is on the caller's "
        + "side: no policy of \(judge.callerWords) allows sts:AssumeRole on the role, or a boundary or a policy of the "
        + "organization "
        + "denies it, which AWS usually says.",
      fix: DenialCause.Fix(who: judge.callersOwner, document: judge.statements.identity))
  }

  private func missed(_ decision: PolicyDecision, _ caller: CallerName) -> DenialCause? {
    let near = decision.nearMisses.first
    let mismatches = near?.mismatches ?? [.principal]
    if mismatches.contains(.principal) || mismatches.contains(.action) {
      guard !isPathUnknown else { return nil }
      return cause(.trustPolicy, nobody(caller), fix: DenialCause.Fix(who: judge.trustOwner, document: judge.statements.trust))
    }
    for case .condition(let condition, let actual) in mismatches {
      guard let (side, text, who) = condition.missed(actual, judge, sessionName: sessionName) else { return nil }
      if side == .trustPolicy, isPathUnknown { return nil }
      return cause(
        side, "The trust policy of the role \(role.name), as it is now, " + text, sid: near?.place.sid,
        fix: DenialCause.Fix(who: who, document: side == .trustPolicy ? judge.statements.trust : nil))
    }
    return nil
  }

  /// No statement is for the caller; with what is often the reason.
  private func nobody(_ caller: CallerName) -> String {
    var text = "The trust policy of the role \(role.name), as it is now, has no statement that names \(judge.callerWords)."
    let principals = document.statements.flatMap { $0.principals?.principals ?? [] }
    for case .aws(let principal) in principals {
      if principal.contains(":assumed-role/") {
        text += " It names a session (\(principal)), which is one person's under one name."
      } else if principal.hasPrefix("AROA") || principal.hasPrefix("AIDA") {
        text += " It names \(principal), the id of a role or user that was deleted: another of the same name is not meant by it."
      }
    }
    return text
  }

  private func cause(
    _ side: DenialCause.Side, _ text: String, sid: String? = nil, isExplicit: Bool = false, fix: DenialCause.Fix? = nil
  ) -> DenialCause {
    var denial = judge.denial
    (denial.sid, denial.isExplicit) = (sid, isExplicit)
    return DenialCause(side, denial, explanation: text, hint: text, fix: fix)
  }
}

extension Denial {
  /// Whether AWS refused to have a role assumed, and gave no reason.
  public var isUnexplainedAssumeRole: Bool {
    policyType == nil && !isExplicit && !isFederated && (action ?? "sts:AssumeRole").lowercased() == "sts:assumerole"
      && isAssumeRole
  }
}

extension PolicyCondition {
  /// The side that a condition stands for, what it asks, and who can do what.
  ///
  /// - Returns: nil for a key whose value only AWS knows.
  fileprivate func missed(_ actual: [String]?, _ judge: DenialJudge, sessionName: String?) -> (DenialCause.Side, String, String)?
  {
    let sent = actual?.joined(separator: ", ")
    let asks = "asks for \(test.name) \(key) = \(values.joined(separator: " or "))"
    switch key.lowercased() {
    case "sts:externalid":
      guard judge.call != nil else { return nil }
      return (
        .externalId,
        "requires an external id, and the profile sends " + (sent == nil ? "none." : "another."),
        "you: set external_id of the profile to the id that the role's owner gave you"
      )
    case "aws:multifactorauthpresent", "aws:multifactorauthage":
      if judge.caller?.session == nil, judge.call == nil { return nil }
      let session = judge.caller?.session != nil
      return (
        .mfa, "requires MFA, " + (session ? "which the session of a role never carries." : "and the profile has no mfa_serial."),
        session
          ? judge.trustOwner + ": remove the condition for this caller" : "you: set mfa_serial of the profile to your device"
      )
    case "sts:sourceidentity":
      guard judge.call != nil else { return nil }
      return (
        .sourceIdentity, asks + ", and " + (sent.map { "the profile sends \($0)." } ?? "the profile sends no source identity."),
        "you: set source_identity of the profile"
      )
    case let key where key.hasPrefix("aws:requesttag/") || key == "aws:tagkeys" || key == "sts:transitivetagkeys":
      guard judge.call != nil else { return nil }
      return (
        .tags, asks + ", and " + (sent.map { "the profile sends \($0)." } ?? "the profile does not send the tag."),
        "you: set session_tags of the profile"
      )
    case "sts:rolesessionname":
      guard let sessionName else { return nil }
      return (.trustPolicy, asks + ", and the session's name was \(sessionName).", "you: set role_session_name of the profile")
    case "aws:principalarn", "aws:principalaccount", "aws:username":
      return (.trustPolicy, asks + ", and the caller's is \(sent ?? "none").", judge.trustOwner)
    default: return nil
    }
  }
}
