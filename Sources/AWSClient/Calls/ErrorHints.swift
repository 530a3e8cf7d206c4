/// Hints about errors from AWS.
enum ErrorHints {
  static func hint(action: String, code: String, text: String, status: Int, clockOffset: Int64) -> String? {
    switch code {
    case "AccessDenied" where text.contains("MultiFactorAuthentication") || text.contains("MFA"):
      "the MFA code was wrong, already used, or from another device; wait for the next one"
    case "AccessDenied": denied(action, text)
    case _ where action == "GetSigninToken" && status == 400:
      "have the credentials expired? for a chained role the console accepts no duration"
    case "HTTP 404" where action == "GetInstanceCredentials": "attach a role to the instance"
    case "HTTP 403" where action == "GetInstanceCredentials": "the metadata service is turned off for this instance"
    case "NoSuchEntity": "the key is already deleted, or belongs to another user"
    case "LimitExceeded" where action == "CreateAccessKey":
      "a user can have at most two access keys; delete one that is not in use"
    case "InvalidClientTokenId":
      "the access key was deleted or is inactive, or belongs to another partition; `vault access-key list` shows which"
    case "SignatureDoesNotMatch" where text.contains("expired") || text.contains("not yet current"), "RequestExpired",
      "RequestTimeTooSkewed":
      clockOffset == 0
        ? "this machine's clock was off when the call was signed, or the call took too long; try again"
        : "this machine's clock is off by \(abs(clockOffset)) s; set it (timedatectl set-ntp true)"
    case "SignatureDoesNotMatch" where text.contains("valid region"):
      "the call was signed for a region other than the endpoint's; set the profile's region"
    case "SignatureDoesNotMatch":
      "the secret does not belong to this access key id; replace it with `vault access-key add --replace`"
    case "ExpiredToken" where isFederated(action), "ExpiredTokenException" where isFederated(action):
      "the identity provider's token has expired; get a new one"
    case "ExpiredToken", "ExpiredTokenException":
      "the session that signed the call has expired; try again, or `vault forget` its profile"
    case "ValidationError": validation(text)
    case "MalformedPolicyDocument": "the profile's policy is not a valid session policy"
    case "PackedPolicyTooLarge": "the session policy, policy ARNs and tags are too large together; shorten them"
    case "RegionDisabledException":
      "STS is not active in this region for the account; set another region, or activate it (IAM, Account settings)"
    case "IDPRejectedClaim", "InvalidIdentityToken": "sign in again"
    case _ where AWSError.throttling.contains(code) || status == 429: "AWS is throttling; try again in a minute"
    case _ where status >= 500: "AWS reported an internal error; try again later"
    default: nil
    }
  }

  /// - Returns: nil if the error's own hint is the best one.
  static func hint(action: String, _ error: TransportError) -> String? {
    switch (action, error) {
    case ("GetInstanceCredentials", .connect), ("GetInstanceCredentials", .timedOut):
      "only an EC2 instance has a metadata service; see AWS_EC2_METADATA_SERVICE_ENDPOINT"
    case ("GetContainerCredentials", .connect), ("GetContainerCredentials", .timedOut):
      "only a container has this endpoint; see AWS_CONTAINER_CREDENTIALS_FULL_URI"
    default: nil
    }
  }

  /// `User: ARN is not authorized to perform: ACTION on resource: ARN …` names the caller and the action.
  private static func denied(_ action: String, _ text: String) -> String {
    if isFederated(action) {
      return "the role's trust policy must name this identity provider, and allow the token's claims (audience, subject)"
    }
    guard let caller = word(after: "User: ", in: text) else {
      return "the caller's permissions do not allow \(action)"
    }
    guard action == "AssumeRole", let role = word(after: "on resource: ", in: text) else {
      return "you are \(caller); its permissions do not allow \(action)"
    }
    return
      "the trust policy of \(role) must name \(caller) (or its account), your own permissions must allow sts:AssumeRole on it, "
      + "and set everything that the policy requires (external_id, MFA, source identity, tags)"
  }

  /// Whether an identity provider's statement replaces a signature.
  private static func isFederated(_ action: String) -> Bool {
    action == "AssumeRoleWithWebIdentity" || action == "AssumeRoleWithSAML"
  }

  private static func validation(_ text: String) -> String? {
    if text.contains("role chaining") { return "a chained role's session lasts at most one hour: duration_seconds = 3600" }
    if text.contains("MaxSessionDuration") {
      return "the role's MaxSessionDuration (1 to 12 hours) is shorter; reduce --duration or duration_seconds"
    }
    if text.lowercased().contains("durationseconds") {
      return "a session lasts 900 to 43200 seconds, and no longer than the role allows"
    }
    return nil
  }

  private static func word(after mark: String, in text: String) -> String? {
    guard let start = text.firstRange(of: mark)?.upperBound else { return nil }
    let word = text[start...].prefix { !$0.isWhitespace }
    return word.isEmpty ? nil : String(word)
  }
}

extension String {
  /// The first position of `part`; without Foundation, the standard library searches only for regular expressions.
  fileprivate func firstRange(of part: String) -> Range<String.Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
      start = index(after: start)
    }
    return nil
  }

  fileprivate func contains(_ part: String) -> Bool { firstRange(of: part) != nil }
}
