import VaultModel

// AWS's usual refusal of AssumeRole: "User: X is not authorized to perform: sts:AssumeRole on resource: ROLE", and no reason.
extension DenialJudge {
  func assumeRole() -> DenialCause {
    let possible = possibilities()
    let explanation =
      "AWS refused \(callerWords) to assume \(roleWords)\(accounts), and gives no reason. The role's trust policy and the "
      + "caller's own "
      + "policy must both allow it, with every condition in them."
    return DenialCause(.unknown, denial, explanation: explanation, hint: hint, possible: possible)
  }

  private var isCrossAccount: Bool {
    guard let caller, let role else { return false }
    return caller.account != role.account
  }

  private var accounts: String {
    guard isCrossAccount, let caller, let role else { return "" }
    return " of account \(role.account) from account \(caller.account)"
  }

  private var isPermissionSet: Bool { if case .permissionSet? = caller?.kind { true } else { false } }
  private var isSession: Bool { caller?.session != nil }

  private typealias Possibility = DenialCause.Possibility

  /// What it can be, most likely first, as far as what is known leaves it open.
  private func possibilities() -> [Possibility] {
    var all = [trust]
    let externalId = call == nil || call?.sent.externalId == nil ? self.externalId : nil
    if isCrossAccount, let externalId { all.append(externalId) }
    if isItself { all.insert(itself, at: 0) }
    if !isSession, let call, call.sent.mfaSerial == nil { all.append(mfa) }
    all.append(identity)
    if isSession || call == nil { all.append(mfa) }
    if let call, call.sent.externalId != nil { all.append(wrongExternalId) }
    if call?.sent.sourceIdentity == nil { all.append(sourceIdentity) }
    if call?.carriesTags != true { all.append(tags) }
    if !isCrossAccount, let externalId { all.append(externalId) }
    all.append(missing)
    all.append(
      Possibility(
        side: .scp,
        explanation:
          "A policy of the organization (SCP, RCP) or a permissions boundary of \(callerWords) denies it. AWS usually says so.",
        fix: .init(who: organization)))
    return all
  }

  private var trust: Possibility {
    var text = "The trust policy of \(roleWords) does not allow \(callerWords)"
    if isPermissionSet {
      text +=
        ". The condition that lasts is ArnLike on aws:PrincipalArn. A policy that names one person's session, or the ARN of a "
        + "role whose "
        + "permission set was assigned anew since, matches nobody else"
    } else if case .role? = caller?.kind {
      text += ", or names a role that was deleted and made again since (its id AROA… stands there now)"
    } else {
      text += ", or names a user who was deleted and made again since (its id AIDA… stands there now)"
    }
    return Possibility(side: .trustPolicy, explanation: text + ".", fix: .init(who: trustOwner, document: statements.trust))
  }

  private var identity: Possibility {
    var text = "The policies of \(callerWords) do not allow \(statements.actions.joined(separator: ", ")) on the role"
    if isPermissionSet { text += ", or the permission set was changed and not provisioned to this account again" }
    if !isCrossAccount, !isPermissionSet {
      text += ". Within one account that is enough only if the trust policy names the caller itself and not the whole account"
    }
    return Possibility(
      side: .identityPolicy, explanation: text + ".", fix: .init(who: callersOwner, document: statements.identity))
  }

  private var externalId: Possibility {
    Possibility(
      side: .externalId,
      explanation: "The trust policy requires an external id (sts:ExternalId), and "
        + (call == nil ? "the call may have sent none, or another." : "the profile \(call?.profile ?? "") sends none.")
        + (isCrossAccount ? " Roles for another organization usually do." : ""),
      fix: .init(who: "you: set external_id of the profile to the id that the role's owner gave you"))
  }

  private var wrongExternalId: Possibility {
    Possibility(
      side: .externalId,
      explanation: "The trust policy requires another external id than the one that the profile \(call?.profile ?? "") sends.",
      fix: .init(who: "you: compare external_id of the profile with the id that the role's owner gave you"))
  }

  private var mfa: Possibility {
    if isSession {
      let which = isPermissionSet ? "A session of IAM Identity Center" : "A role's session"
      return Possibility(
        side: .mfa,
        explanation:
          "The trust policy requires MFA (aws:MultiFactorAuthPresent). \(which) never carries it, however the person signed "
          + "in: such a role cannot be assumed from it.", fix: .init(who: trustOwner + ": remove the condition for this caller"))
    }
    return Possibility(
      side: .mfa,
      explanation: "The trust policy requires MFA (aws:MultiFactorAuthPresent), and "
        + (call == nil ? "the call may have been made without a code." : "the profile \(call?.profile ?? "") has no mfa_serial."),
      fix: .init(who: "you: set mfa_serial of the profile to your device"))
  }

  /// That something is not sent; only a profile is known to send nothing.
  private var none: String { call.map { "the profile \($0.profile) sends none" } ?? "the call may have sent none" }

  private var sourceIdentity: Possibility {
    Possibility(
      side: .sourceIdentity, explanation: "The trust policy requires a source identity (sts:SourceIdentity), and \(none).",
      fix: .init(who: "you: set source_identity of the profile"))
  }

  private var tags: Possibility {
    Possibility(
      side: .tags, explanation: "The trust policy requires session tags (aws:RequestTag/…), and \(none).",
      fix: .init(who: "you: set session_tags of the profile"))
  }

  private var missing: Possibility {
    Possibility(
      side: .unknown,
      explanation:
        "There is no role \(role?.text ?? "of this ARN"): AWS answers the same for a role that does not exist. Check "
        + "role_arn, with its "
        + "path and its account.", fix: .init(who: "you: correct role_arn of the profile"))
  }

  /// Since September 2022 a role needs its own permission, and its own trust, to assume itself (AWS Security Blog, "Announcing an
  /// update to IAM role trust policy behavior").
  private var isItself: Bool {
    guard case .role(let name)? = caller?.kind, let role, caller?.session != nil else { return false }
    return name == role.name && !isCrossAccount
  }

  private var itself: Possibility {
    Possibility(
      side: .chain,
      explanation:
        "The caller already is a session of \(roleWords), and a role may assume itself only if its trust policy names it. "
        + "The session it has is usually all that is needed.",
      fix: .init(who: "you: use the session as it is, or " + trustOwner, document: statements.trust))
  }

  /// The most likely cause in one line.
  private var hint: String {
    let name = role?.name ?? "the role"
    let lead: String
    if isItself {
      lead = "the caller already is a session of \(name), which may not assume itself"
    } else if isCrossAccount, let call, call.sent.externalId == nil {
      lead = "\(name) belongs to another account: its trust policy must allow \(callerWords), and may require an external_id"
    } else if let call, !isSession, call.sent.mfaSerial == nil, caller != nil {
      lead = "the trust policy of \(name) must allow \(callerWords), and may require MFA (mfa_serial)"
    } else if call?.sent.externalId != nil {
      lead = "the trust policy of \(name) must allow \(callerWords) with this external_id"
    } else {
      lead = "the trust policy of \(name) must allow \(callerWords)"
    }
    return lead + "; your own policy must allow sts:AssumeRole on it; " + Self.more
  }
}
