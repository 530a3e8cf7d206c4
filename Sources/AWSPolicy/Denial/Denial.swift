import VaultModel

/// A refusal by AWS, as far as its own words say who was refused, what, and by which side.
///
/// Nothing in it has been checked: every text comes from outside, and is made safe where it is shown.
public struct Denial: Sendable, Hashable {
  /// The type of policy that the words name (IAM User Guide, "Troubleshoot access denied error messages").
  public enum PolicyType: String, Sendable, Hashable, CaseIterable {
    case identity = "identity-based policy"
    case resource = "resource-based policy"
    case boundary = "permissions boundary"
    case session = "session policy"
    case serviceControl = "service control policy"
    case resourceControl = "resource control policy"
    case endpoint = "VPC endpoint policy"
    case trust = "role trust policy"
  }

  /// `AccessDenied`, `UnauthorizedOperation`, `ValidationError`, …
  public var code: String?
  /// The operation that was called: `AssumeRole`.
  public var operation: String?
  /// The words of AWS, on one line.
  public var message: String
  /// Who was refused: the ARN in AWS's words.
  public var principal: String?
  /// The permission that was missing or denied: `sts:AssumeRole`.
  public var action: String?
  /// What it was to be done to: an ARN, or as a service calls it (`user ann`).
  public var resource: String?
  public var policyType: PolicyType?
  /// Whether a `Deny` statement refused, and not the lack of an `Allow`.
  public var isExplicit: Bool
  /// The policy that refused, where the words name it.
  public var policyARN: String?
  /// The statement that refused, where a decoded message or the authorization's details name it.
  public var sid: String?
  /// The id with which IAM's access troubleshooter gives the whole evaluation.
  public var authorizationId: String?
  /// The region that keeps that evaluation.
  public var authorizationRegion: String?
  /// The encoded message of EC2 and others, for `sts:DecodeAuthorizationMessage`.
  public var encodedMessage: String?
  /// The role that the call asked for, where only the parameters of the call name it (CloudTrail).
  public var requestedRole: String?
  /// How many other refusals the text has; the last one is this one.
  public var others = 0
  /// What evaluated the request, where AWS told the details: the words alone do not decide then.
  public var isEvaluated = false

  public init(code: String? = nil, operation: String? = nil, message: String) {
    self.code = code
    self.operation = operation
    self.message = message
    isExplicit = false
  }
}

extension Denial {
  /// The role that was to be assumed; nil for another call.
  public var role: RoleARN? { (resource.flatMap { RoleARN($0) }) ?? requestedRole.flatMap { RoleARN($0) } }

  /// Whether the call was to assume a role, signed or with an identity provider's token.
  public var isAssumeRole: Bool {
    if let action { return Self.assuming.contains(action.lowercased()) }
    return operation.map { ["AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"].contains($0) } ?? false
  }

  /// Whether an identity provider's token took the place of a signature: no identity policy was evaluated.
  var isFederated: Bool {
    let name = action.map { String($0.drop { $0 != ":" }.dropFirst()) } ?? operation
    return name == "AssumeRoleWithWebIdentity" || name == "AssumeRoleWithSAML"
  }

  private static let assuming: Set<String> = [
    "sts:assumerole", "sts:assumerolewithwebidentity", "sts:assumerolewithsaml", "sts:tagsession", "sts:setsourceidentity",
  ]
}
