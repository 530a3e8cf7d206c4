import AWSPolicy

/// Hints about errors from AWS.
enum ErrorHints {
  /// The hint under an error of a service. Those of refusals come from the code that `vault iam why` uses.
  ///
  /// - Parameter needs: what the refused call for a role carried, if that is known.
  static func hint(
    action: String, code: String, text: String, status: Int, clockOffset: Int64, needs: AccessNeeds? = nil
  ) -> String? {
    switch code {
    case _ where action == "GetSigninToken" && status == 400:
      "have the credentials expired? for a chained role the console accepts no duration"
    case "HTTP 404" where action == "GetInstanceCredentials": "attach a role to the instance"
    case "HTTP 403" where action == "GetInstanceCredentials": "the metadata service is turned off for this instance"
    case "NoSuchEntity": "the key is already deleted, or belongs to another user"
    case "LimitExceeded" where action == "CreateAccessKey":
      "a user can have at most two access keys; delete one that is not in use"
    case "MalformedPolicyDocument": "the profile's policy is not a valid session policy"
    case "PackedPolicyTooLarge": "the session policy, policy ARNs and tags are too large together; shorten them"
    case "IDPRejectedClaim", "InvalidIdentityToken": "sign in again"
    case _ where AWSError.throttling.contains(code) || status == 429: "AWS is throttling; try again in a minute"
    case _ where status >= 500: "AWS reported an internal error; try again later"
    default:
      Denial(text, code: code, operation: action).map { DenialCause($0, call: needs, clockOffset: clockOffset).hint }
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
}
