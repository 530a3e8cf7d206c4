// Refusals whose words name no policy: a Deny somewhere, and the words of KMS and of S3 that can mean several things.
extension DenialJudge {
  private typealias Possibility = DenialCause.Possibility

  /// A `Deny` statement in a policy that AWS does not name: nothing is to be added anywhere.
  func deniedSomewhere() -> DenialCause {
    let statement = denial.sid.map { "the statement \($0)" } ?? "a Deny statement"
    let own = Possibility(
      side: .identityPolicy, explanation: "A Deny in a policy of \(callerWords), or of one of the caller's groups.",
      fix: .init(who: callersOwner))
    let resource =
      denial.isAssumeRole
      ? Possibility(
        side: .trustPolicy, explanation: "A Deny in the trust policy of \(roleWords).", fix: .init(who: trustOwner))
      : Possibility(
        side: .unknown, explanation: "A Deny in the resource's own policy, such as that of a bucket, a key, a queue or an API.",
        fix: .init(who: "whoever owns \(resourceWords)"))
    // Whoever is anonymous has no policies.
    var possible = denial.principal == "anonymous" ? [resource] : [own, resource]
    if denial.principal != "anonymous" {
      possible += [
        Possibility(
          side: .scp, explanation: "A Deny in a service control policy of the caller's organization.",
          fix: .init(who: organization)),
        Possibility(
          side: .permissionsBoundary, explanation: "A Deny in the permissions boundary of \(callerWords).",
          fix: .init(
            who: caller.map { "an administrator of account \($0.account)" } ?? "an administrator of the caller's account")),
      ]
      if caller.map({ $0.session != nil }) ?? true {
        possible.append(
          Possibility(
            side: .sessionPolicy, explanation: "A Deny in the session policy with which the session was made.",
            fix: .init(who: "whoever makes the session")))
      }
    }
    possible += [
      Possibility(
        side: .rcp, explanation: "A Deny in a resource control policy of the organization that owns the resource.",
        fix: .init(who: "an administrator of the resource's organization, in its management account")),
      Possibility(
        side: .endpointPolicy, explanation: "A Deny in the policy of the VPC endpoint that the call went through.",
        fix: .init(who: "whoever runs the VPC, in the policy of the endpoint")),
    ]
    if ByteText(denial.message.utf8).contains("authorized to access this resource") {
      possible.insert(
        Possibility(
          side: .unknown, explanation: "The authorizer of an API in API Gateway answered with a Deny.",
          fix: .init(who: "whoever owns the API, in its authorizer")), at: 0)
    }
    let text =
      "\(statement) denies \(actionWords) on \(resourceWords) to \(callerWords). AWS does not say which policy it is in. No Allow "
      + "elsewhere outweighs it: the statement itself must be narrowed or removed."
    return DenialCause(
      .unknown, denial, explanation: text.capitalizedFirst,
      hint: "a Deny statement denies \(actionWords), and AWS does not say in which policy; " + Self.more, possible: possible)
  }

  /// Words that can mean several things.
  func withoutReason() -> DenialCause? {
    let text = ByteText(denial.message.utf8)
    if text.contains("The ciphertext refers to a") || denial.action == nil && denial.code?.hasPrefix("KMSAccess") == true {
      return key()
    }
    let action = denial.action?.split(separator: ":").last.map(String.init)
    guard let operation = denial.operation, action == nil || action == operation else { return nil }
    switch operation {
    case "HeadObject": return head(object: true)
    case "HeadBucket": return head(object: false)
    default: return nil
    }
  }

  /// KMS says one sentence for a key that does not exist and for one that the caller may not use (KMS API, `Decrypt`).
  private func key() -> DenialCause {
    DenialCause(
      .unknown, denial,
      explanation:
        "KMS did not decrypt for \(callerWords), and gives no single reason: it says the same of a key that is not there and "
        + "of one that the caller may not use.",
      hint: "the key is not there, is another region's, or its policy and yours do not allow kms:Decrypt; " + Self.more,
      possible: [
        Possibility(
          side: .identityPolicy, explanation: "The policies of \(callerWords) do not allow kms:Decrypt on the key.",
          fix: .init(who: callersOwner)),
        Possibility(
          side: .unknown,
          explanation: "The key's policy, or a grant, does not allow the caller. A grant to a role that was made again is lost.",
          fix: .init(who: "whoever owns the key, in its key policy")),
        Possibility(
          side: .region, explanation: "The data was encrypted with a key of another region or account than the call's.",
          fix: .init(who: "you: set the region in which the data was encrypted")),
        Possibility(side: .unknown, explanation: "The key was deleted."),
      ])
  }

  /// The answer to a HEAD has no body: S3 cannot say why (S3 API, `HeadObject` and `HeadBucket`).
  private func head(object: Bool) -> DenialCause {
    func lacks(_ permission: String, _ more: String) -> Possibility {
      Possibility(
        side: .identityPolicy, explanation: "The policies of \(callerWords) do not allow \(permission)\(more)",
        fix: .init(who: callersOwner))
    }
    let bucket = Possibility(
      side: .unknown,
      explanation: "The bucket's policy denies it, or the bucket belongs to another account and its policy does not allow it.",
      fix: .init(who: "whoever owns the bucket, in its bucket policy"))
    let organization = Possibility(
      side: .scp,
      explanation: "A policy of the organization (SCP or RCP), a boundary, a session policy or a VPC endpoint refuses.",
      fix: .init(who: organization))
    let possible =
      object
      ? [
        lacks("s3:GetObject", " on the object."),
        lacks("s3:ListBucket", " on the bucket, and there is no such object: S3 answers 403 then, and not 404."), bucket,
        lacks("kms:Decrypt", " on the key with which the object is encrypted."), organization,
      ] : [lacks("s3:ListBucket", " on the bucket."), bucket, organization]
    return DenialCause(
      .unknown, denial,
      explanation:
        "S3 refused \(actionWords) to \(callerWords). The answer to a HEAD request has no body, so that S3 gives no reason.",
      hint:
        "S3 gives no reason for \(actionWords): check \(object ? "s3:GetObject, s3:ListBucket and kms:Decrypt" : "s3:ListBucket"); "
        + Self.more, possible: possible)
  }
}
