import VaultBytes
import VaultModel

/// Who is trusted by a role, with everything that its trust policy must name.
public enum TrustedCaller: Sendable, Hashable {
  /// Everyone who has a permission set in an account.
  ///
  /// - Parameter region: IAM Identity Center's.
  case permissionSet(name: String, account: String, region: String)
  case user(IAMUser)
  case role(RoleARN)
  /// Another account, whose calls carry an external ID.
  case account(String)
  /// A job of GitHub Actions or GitLab CI.
  case job(OIDCSubject)
  /// Machines with a certificate (IAM Roles Anywhere); any of the trust anchor's if there is no common name.
  case certificate(anchor: String, commonName: String?)
  /// Users of IAM Identity Center, without a permission set (account access manager).
  case identityCenter(application: String)
  /// A service of AWS on which the application runs.
  case service(ComputeService)

  /// The words of `--principal`.
  public static let forms = [
    "user or role ARN", "12-digit account", "github:ORG/REPO[:ref:refs/heads/BRANCH|:environment:NAME]",
    "gitlab:GROUP/PROJECT[:ref_type:branch:ref:NAME]", "roles-anywhere:TRUST-ANCHOR-ARN[,CN=NAME]",
    "identity-center:APPLICATION-ARN",
  ]
  public static let syntax = forms.joined(separator: "; ")

  /// Reads `--principal`.
  ///
  /// - Parameter audience: of a job's token; nil for the usual one.
  public init(_ text: String, audience: String? = nil) throws(Failure) {
    func fault(_ message: String, hint: String = Self.syntax) -> Failure {
      Failure("--principal: \(message)", hint: hint, exitStatus: .usage)
    }
    if SetupNames.isAccount(text) {
      self = .account(text)
    } else if let job = try OIDCSubject(text, audience: audience) {
      self = .job(job)
    } else if text.hasPrefix("roles-anywhere:") {
      let rest = text.dropFirst("roles-anywhere:".count)
      let parts = rest.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let arn = SetupNames.arnParts(parts[0]), arn[2] == "rolesanywhere", arn[5].hasPrefix("trust-anchor/") else {
        throw fault("\"\(parts[0])\" is not a trust anchor", hint: "arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID")
      }
      var name: String?
      if parts.count == 2 {
        guard parts[1].hasPrefix("CN="), parts[1].count > 3, !parts[1].contains("${"), !parts[1].contains("*"),
          parts[1].unicodeScalars.allSatisfy({ !$0.isUnsafeToShow })
        else { throw fault("\"\(parts[1])\" is not CN=NAME") }
        name = String(parts[1].dropFirst(3))
      }
      self = .certificate(anchor: parts[0], commonName: name)
    } else if text.hasPrefix("identity-center:") {
      let application = String(text.dropFirst("identity-center:".count))
      guard let arn = SetupNames.arnParts(application), arn[2] == "account-access", SetupNames.isAccount(arn[4]),
        arn[5].hasPrefix("application/")
      else {
        throw fault(
          "\"\(application)\" is not an application of account access manager",
          hint: "arn:aws:account-access:REGION:ACCOUNT:application/ID")
      }
      self = .identityCenter(application: application)
    } else if text.contains(":assumed-role/") {
      throw fault(
        "this ARN is of one session, of one person", hint: "trust the permission set (--permission-set NAME) or the role itself")
    } else if let role = RoleARN(text), SetupNames.arnParts(text) != nil {
      guard !role.name.hasPrefix("AWSReservedSSO_") else {
        throw fault(
          "this role gets another name when its permission set is assigned again", hint: "use --permission-set NAME instead")
      }
      try SetupNames.check(role.name, "the role to trust", max: 64)
      self = .role(role)
    } else if let user = IAMUser(text) {
      self = .user(user)
    } else {
      throw fault("cannot read \"\(text.prefix(200))\"")
    }
  }

  /// Why `aws:MultiFactorAuthPresent` is never true for it; nil if it can be.
  var noMFA: String? {
    switch self {
    case .user, .account: nil
    case .permissionSet, .identityCenter: NoMFA.identityCenter
    case .role: NoMFA.role
    case .job: NoMFA.token
    case .certificate: "a certificate carries no MFA"
    case .service: "a service has no MFA device"
    }
  }

  /// The partition that it is in; nil for a caller that is in each.
  var partition: String? {
    switch self {
    case .permissionSet(_, _, let region): Partition(region: region).rawValue
    case .user(let user): SetupNames.arnParts(user.arn)?[1]
    case .role(let role): role.partition
    case .certificate(let arn, _), .identityCenter(let arn): SetupNames.arnParts(arn)?[1]
    case .account, .job, .service: nil
    }
  }

  /// The caller's own account, if IAM policies of its own must allow the call.
  var account: String? {
    switch self {
    case .permissionSet(_, let account, _), .account(let account): account
    case .user(let user): user.account
    case .role(let arn): arn.account
    case .job, .certificate, .identityCenter, .service: nil
    }
  }
}

/// An IAM user's ARN, `arn:PARTITION:iam::ACCOUNT:user/[PATH/]NAME`.
public struct IAMUser: Sendable, Hashable {
  public let arn: String
  public let account: String
  public let name: String

  /// - Returns: nil if the text is no such ARN.
  public init?(_ arn: String) {
    guard let parts = SetupNames.arnParts(arn), parts[2] == "iam", parts[3].isEmpty, SetupNames.isAccount(parts[4]),
      parts[5].hasPrefix("user/"), let name = parts[5].split(separator: "/", omittingEmptySubsequences: false).last,
      !name.isEmpty,
      name.utf8.count <= 64, name.utf8.allSatisfy(SetupNames.isNameByte)
    else { return nil }
    (self.arn, account, self.name) = (arn, parts[4], String(name))
  }
}

/// A service whose tasks, instances or functions have a role.
public enum ComputeService: String, Sendable, CaseIterable {
  case ecsTasks = "ecs-tasks"
  case ec2, lambda

  /// The service's principal (IAM User Guide, "AWS services that work with IAM"; EC2's own name in China).
  func principal(in partition: Partition) -> String {
    self == .ec2 && partition == .china ? "ec2.amazonaws.com.cn" : "\(rawValue).amazonaws.com"
  }

  var noun: String {
    switch self {
    case .ecsTasks: "ECS tasks"
    case .ec2: "EC2 instances"
    case .lambda: "Lambda functions"
    }
  }
}
