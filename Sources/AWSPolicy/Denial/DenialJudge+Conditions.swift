import VaultModel

// Refusals in which no policy had a say: codes of a device, durations, clocks, regions, credentials that are no longer valid.
extension DenialJudge {
  func withoutPolicy() -> DenialCause? {
    let text = ByteText(denial.message.utf8)
    func says(_ part: String) -> Bool { text.contains(part) }
    if says("MultiFactorAuthentication failed") { return mfa(says) }
    if says("role chaining") {
      return plain(
        .chain,
        "A session of a role signed the call (role chaining), and a chained role's session lasts at most one hour, whatever "
          + "the role's "
          + "MaxSessionDuration is.", who: "you: ask for at most 3600 s (duration_seconds, --duration)",
        hint: "a chained role's session lasts at most one hour: duration_seconds = 3600")
    }
    if says("MaxSessionDuration") {
      return plain(
        .duration, "The call asked for a longer session than the role's MaxSessionDuration (1 to 12 hours) allows.",
        who: "you: ask for less (duration_seconds, --duration); or \(roleOwner): raise MaxSessionDuration of the role",
        hint: "the role's MaxSessionDuration (1 to 12 hours) is shorter; reduce --duration or duration_seconds")
    }
    if denial.code == "ValidationError", says("durationSeconds") {
      return plain(
        .duration, "A session lasts 900 to 43200 seconds, and no longer than the role allows.",
        who: "you: change duration_seconds or --duration",
        hint: "a session lasts 900 to 43200 seconds, and no longer than the role allows")
    }
    if denial.code == "RegionDisabledException" || says("STS is not activated in this region") {
      return plain(
        .region, "STS is not active in this region for the account that signed the call.",
        who:
          "you: set another region; or an administrator of the caller's account: activate STS in the region (IAM, Account "
          + "settings)",
        hint: "STS is not active in this region for the account; set another region, or activate it (IAM, Account settings)")
    }
    if denial.code == "OptInRequired" {
      return plain(
        .region, "The account has not enabled this region or this service.",
        who: "an administrator of the account: enable it (Account, AWS Regions)",
        hint: "the account has not enabled this region or service; set another region")
    }
    if says("valid region") {
      return plain(
        .region, "The call was signed for another region than the endpoint's.", who: "you: set the profile's region",
        hint: "the call was signed for a region other than the endpoint's; set the profile's region")
    }
    return clock(says) ?? token(says) ?? credentials(says) ?? portal(says)
  }

  private var roleOwner: String {
    role.map { "an administrator of account \($0.account)" } ?? "an administrator of the role's account"
  }

  private func plain(_ side: DenialCause.Side, _ text: String, who: String, hint: String) -> DenialCause {
    DenialCause(side, denial, explanation: text, hint: hint, fix: DenialCause.Fix(who: who))
  }

  /// The three texts of STS about a device.
  private func mfa(_ says: (String) -> Bool) -> DenialCause {
    if says("must provide both") {
      return plain(
        .mfa, "The call has only one of the MFA device's serial number and its code.", who: "you: give both",
        hint: "give the MFA code (--mfa-code)")
    }
    if says("unable to validate") {
      let serial = call?.sent.mfaSerial
      // The ARN of a device has mfa/, and people often paste that of the user.
      let wrong = serial?.contains(":user/") == true ? " It is the ARN of a user; a device's ARN has :mfa/ in its place." : ""
      return plain(
        .mfa,
        "AWS does not know the MFA device\(serial.map { " " + $0 } ?? "") as one of the user whose access key signed the "
          + "call.\(wrong) A role's or "
          + "IAM Identity Center's session has no device at all.",
        who: "you: set mfa_serial to a device of that user (aws iam list-mfa-devices)",
        hint: "mfa_serial is not a device of the user whose key signs\(wrong.isEmpty ? "" : " (it names a user, not a device)")")
    }
    return plain(
      .mfa, "The MFA code was wrong, was used before, or is another device's. Each code is accepted once.",
      who: "you: wait for the next code, and check the clock of the device",
      hint: "the MFA code was wrong, already used, or from another device; wait for the next one")
  }

  private func clock(_ says: (String) -> Bool) -> DenialCause? {
    let isSignature = denial.code == "SignatureDoesNotMatch" || denial.code == "InvalidSignatureException" || denial.code == nil
    guard
      denial.code == "RequestExpired" || denial.code == "RequestTimeTooSkewed"
        || isSignature && (says("Signature expired") || says("not yet current"))
    else { return nil }
    return plain(
      .clock,
      "The time of the signature differs from AWS's own time by more than AWS accepts"
        + (tolerance.map { " (\($0) minutes, in its words)" } ?? "")
        + (clockOffset == 0 ? "." : "; this machine's clock is off by \(abs(clockOffset)) s."),
      who: "you: set the clock (timedatectl set-ntp true)",
      hint: clockOffset == 0
        ? "this machine's clock was off when the call was signed, or the call took too long; try again"
        : "this machine's clock is off by \(abs(clockOffset)) s; set it (timedatectl set-ntp true)")
  }

  /// The minutes that AWS's own words have, which differ from service to service: "(20260129T015928Z - 15 min.)".
  private var tolerance: String? {
    let text = ByteText(denial.message.utf8)
    guard let end = text.find(" min"), let sign = text.findLast(" ", before: end.lowerBound) else { return nil }
    let digits = text.text(sign.upperBound..<end.lowerBound)
    return (1...3).contains(digits.utf8.count) && digits.utf8.allSatisfy { (48...57).contains($0) } ? digits : nil
  }

  /// An identity provider's token that AWS did not accept, before it looked at a role.
  private func token(_ says: (String) -> Bool) -> DenialCause? {
    if says("Incorrect token audience") {
      return plain(
        .unknown,
        "The token's audience (aud) is not among the client IDs of the OIDC identity provider in IAM. The role's trust policy was "
          + "not evaluated.",
        who: "\(roleOwner), in the identity provider in IAM: add the audience to its client IDs "
          + "(AddClientIDToOpenIDConnectProvider); or you: ask for a token with an audience that it has",
        hint: "the token's audience is not among the client IDs of the OIDC provider in IAM")
    }
    if says("No OpenIDConnect provider found") {
      return plain(
        .unknown, "IAM has no OIDC identity provider for the token's issuer (iss). The role's trust policy was not evaluated.",
        who: "\(roleOwner), in IAM: make the identity provider (CreateOpenIDConnectProvider)",
        hint: "IAM has no OIDC provider for the token's issuer")
    }
    return nil
  }

  /// Credentials that AWS does not know, or no longer.
  private func credentials(_ says: (String) -> Bool) -> DenialCause? {
    switch denial.code {
    case "ExpiredToken"?, "ExpiredTokenException"?:
      return plain(
        .unknown,
        denial.isFederated
          ? "The identity provider's token has expired."
          : "The session that signed the call has expired. No policy was evaluated.",
        who: "you: \(denial.isFederated ? "get a new token" : "try again, or `vault forget` the profile")",
        hint: denial.isFederated
          ? "the identity provider's token has expired; get a new one"
          : "the session that signed the call has expired; try again, or `vault forget` its profile")
    case "InvalidClientTokenId"?, "UnrecognizedClientException"?:
      return plain(
        .unknown,
        "AWS does not know the access key: it was deleted or is inactive, or belongs to another partition. A session of the "
          + "global endpoint "
          + "is not known in regions that an account must enable first. No policy was evaluated.",
        who: "you: `vault access-key list` shows the key; check the region",
        hint: "the access key was deleted or is inactive, or belongs to another partition; `vault access-key list` shows which")
    case "SignatureDoesNotMatch"?, "InvalidSignatureException"?:
      return plain(
        .unknown, "The secret does not belong to this access key id. No policy was evaluated.",
        who: "you: replace the key with `vault access-key add --replace`",
        hint: "the secret does not belong to this access key id; replace it with `vault access-key add --replace`")
    default: break
    }
    if says("not able to validate the provided access credentials") {
      return plain(
        .unknown,
        "AWS could not tell whose credentials signed the call. The access key is wrong, inactive or deleted, its session token is "
          + "missing, the account has not enabled the region, or the clock is off. No policy was evaluated.",
        who: "you: `vault access-key list` shows the key; check the region and the clock",
        hint: "AWS does not accept these credentials: check the access key, the region and the clock")
    }
    if says("may not be assumed by root") {
      return plain(
        .unknown, "The root user cannot assume a role.", who: "you: use an IAM user, or IAM Identity Center",
        hint: "the root user cannot assume a role; use an IAM user, or IAM Identity Center")
    }
    return nil
  }

  /// IAM Identity Center's portal: no assignment of the permission set in the account.
  private func portal(_ says: (String) -> Bool) -> DenialCause? {
    guard denial.operation == "GetRoleCredentials" || says("you are not assigned") else { return nil }
    return plain(
      .identityPolicy,
      "IAM Identity Center gives no credentials of this permission set in this account: it is not assigned to you or to a "
        + "group of yours, "
        + "or its name or the account's number is wrong in the profile.",
      who:
        "you: compare sso_account_id and sso_role_name with `vault login --discover`; or an administrator of IAM Identity "
        + "Center: assign "
        + "the permission set to you or your group in the account",
      hint:
        "check sso_account_id and sso_role_name (vault login --discover lists yours); an administrator assigns the permission set"
    )
  }
}
