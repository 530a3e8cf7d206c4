import VaultModel

/// Everything on the AWS side that lets a profile reach its role: the one model that every format prints.
public struct RoleSetup: Sendable, Hashable {
  public struct Role: Sendable, Hashable {
    public var arn: RoleARN
    public var maxSessionSeconds: Int
    public var trust: TrustPolicy
    /// Whether EC2 instances have it, through an instance profile of its name.
    public var hasInstanceProfile: Bool
  }

  public struct NamedPolicy: Sendable, Hashable {
    public var name: String
    public var document: PolicyDocument
  }

  /// Where the policy goes that lets the caller assume the role.
  public enum CallerPolicy: Sendable, Hashable {
    case permissionSet
    /// The inline policy of a user or a role of the role's own account.
    case user(String)
    case role(String)
    /// The policy of another account's callers, which only its own administrators can write.
    case elsewhere
  }

  public struct PermissionSet: Sendable, Hashable {
    public var name: String
    public var sessionSeconds: Int
    public var inlinePolicy: PolicyDocument
    /// IAM Identity Center's region.
    public var region: String
    public var group: String
    /// User names.
    public var members: [String]
    /// The account in which the group gets the permission set.
    public var account: String
  }

  public var role: Role
  /// What the application may do.
  public var applicationPolicy: NamedPolicy
  /// What the caller must be allowed; nil for callers that have no policy, because a token takes the place of a signature.
  public var assumePolicy: NamedPolicy?
  public var callerPolicy: CallerPolicy
  public var permissionSet: PermissionSet?

  /// The mark of what a setup made, by which it is known again: the description of each of its resources.
  public var mark: String { "Made by vault iam generate for \(role.arn.text)" }
  public var applicationPolicyARN: String {
    "arn:\(role.arn.partition):iam::\(role.arn.account):policy/\(applicationPolicy.name)"
  }
}

/// What a setup is made from.
public struct SetupRequest: Sendable {
  public var role: RoleARN
  public var caller: TrustedCaller
  /// What the profile sends; nil without a profile.
  public var sent: SentParameters?
  public var conditions = TrustConditions()
  /// The region in which the application works.
  public var region: String?
  /// Nil for a skeleton.
  public var application: PolicyDocument?
  /// The role's `MaxSessionDuration`; nil for what the profile needs.
  public var maxSessionSeconds: Int?
  /// The permission set's session duration.
  public var permissionSetSeconds = 3_600
  /// Nil for the permission set's name with "Group".
  public var group: String?
  public var members: [String] = []

  public init(role: RoleARN, caller: TrustedCaller, sent: SentParameters? = nil) {
    self.role = role
    self.caller = caller
    self.sent = sent
  }

  /// The trust policy alone.
  ///
  /// - Throws: the first thing that AWS would refuse, or that no call could ever meet.
  public func trust() throws(Failure) -> TrustPolicy {
    try SetupNames.check(role.name, "the role", max: 64)
    guard SetupNames.arnParts(role.text) != nil, role.path.utf8.count <= 512 else {
      throw Failure("\"\(role.text)\" is not a role that IAM accepts", exitStatus: .usage)
    }
    if case .permissionSet(let name, _, let region) = caller {
      try SetupNames.check(name, "the permission set", max: 32)
      guard Partition.isRegion(region) else {
        throw Failure("\"\(region.prefix(64))\" is not a region", hint: "for example eu-west-1", exitStatus: .usage)
      }
    }
    guard !["/aws-reserved/", "/aws-service-role/"].contains(where: { role.path.hasPrefix($0) }) else {
      throw Failure(
        "the role \(role.name) belongs to AWS itself (\(role.path))", hint: "name a role of your own", exitStatus: .usage)
    }
    // IAM User Guide, "IAM ARNs": a principal of another partition can never call.
    if let partition = caller.partition, partition != role.partition {
      throw Failure(
        "the caller is in the partition \(partition), and the role in \(role.partition): nobody can assume a role of another one",
        exitStatus: .usage)
    }
    if case .account(role.account) = caller {
      throw Failure(
        "account \(role.account) is the role's own", hint: "name a user or a role of it, or --permission-set NAME",
        exitStatus: .usage)
    }
    var conditions = conditions
    if caller.account != nil { conditions.externalId = conditions.externalId ?? sent?.externalId }
    if case .account = caller, conditions.externalId == nil {
      throw Failure(
        "trusting another account needs an external ID", hint: "--external-id ID, which the other account must send",
        exitStatus: .usage)
    }
    try conditions.check(caller, sent: sent)
    let trust = TrustPolicy(caller, of: role, actions: extraActions, conditions: conditions, region: region)
    try Self.validate(trust.document, kind: .trust, "the trust policy")
    return trust
  }

  /// - Throws: the first thing that AWS would refuse, or that no call could ever meet.
  public func setup() throws(Failure) -> RoleSetup {
    let trust = try trust()
    let maximum = maxSessionSeconds ?? max(3_600, sent?.seconds ?? 3_600)
    guard (3_600...43_200).contains(maximum) else {
      throw Failure("a role's maximum session duration is from 1h to 12h", exitStatus: .usage)
    }
    if let sent, maximum < sent.seconds {
      throw Failure(
        "the profile asks for sessions of \(sent.seconds) seconds, more than the role's maximum of \(maximum)",
        exitStatus: .configuration)
    }
    let application = RoleSetup.NamedPolicy(
      name: role.name + "-application", document: application ?? SkeletonPolicy.document(for: role, region: region))
    try Self.validate(application.document, kind: .managed, "the application's policy")
    var setup = RoleSetup(
      role: RoleSetup.Role(
        arn: role, maxSessionSeconds: maximum, trust: trust, hasInstanceProfile: caller == .service(.ec2)),
      applicationPolicy: application, callerPolicy: .elsewhere)
    if caller.account != nil {
      let actions = ["sts:AssumeRole"] + extraActions
      setup.assumePolicy = RoleSetup.NamedPolicy(
        name: role.name + "-assume",
        document: PolicyDocument([
          Statement(.allow, actions: PatternElement(actions), resources: PatternElement([role.text]))
        ]))
    }
    switch caller {
    case .user(let user) where user.account == role.account: setup.callerPolicy = .user(user.name)
    case .role(let trusted) where trusted.account == role.account: setup.callerPolicy = .role(trusted.name)
    case .permissionSet(let name, let account, let region):
      setup.callerPolicy = .permissionSet
      setup.permissionSet = try permissionSet(name, account: account, region: region, inlinePolicy: setup.assumePolicy?.document)
    default: break
    }
    if setup.permissionSet == nil, group != nil || !members.isEmpty {
      throw Failure("--group and --member are for a permission set only", exitStatus: .usage)
    }
    return setup
  }

  private func permissionSet(_ name: String, account: String, region: String, inlinePolicy: PolicyDocument?) throws(Failure)
    -> RoleSetup.PermissionSet
  {
    guard (3_600...43_200).contains(permissionSetSeconds) else {
      throw Failure("a permission set's session duration is from 1h to 12h", exitStatus: .usage)
    }
    let suffix = "Permissions"
    let group = group ?? (name.hasSuffix(suffix) && name != suffix ? String(name.dropLast(suffix.count)) : name) + "Group"
    try SetupNames.checkText(group, "the group", max: 1_024)
    for member in members { try SetupNames.checkText(member, "a member", max: 128) }
    guard Set(members).count == members.count else { throw Failure("--member: a user is named twice", exitStatus: .usage) }
    return RoleSetup.PermissionSet(
      name: name, sessionSeconds: permissionSetSeconds, inlinePolicy: inlinePolicy ?? PolicyDocument([]), region: region,
      group: group,
      members: members, account: account)
  }

  /// The same application where it runs: the role of its service, with the same policy.
  ///
  /// - Parameter roleName: nil for the name of the profile's role, with "production" for "dev" or at its end.
  public func inProduction(on service: ComputeService, roleName: String?) throws(Failure) -> SetupRequest {
    let name = roleName ?? Self.productionName(role.name)
    try SetupNames.check(name, "the role", max: 64)
    guard let arn = RoleARN("arn:\(role.partition):iam::\(role.account):role\(role.path)\(name)") else {
      throw Failure("\"\(name)\" is not a role that IAM accepts", exitStatus: .usage)
    }
    var request = self
    (request.role, request.caller, request.sent) = (arn, .service(service), nil)
    request.application = application ?? SkeletonPolicy.document(for: role, region: region)
    return request
  }

  private static func productionName(_ name: String) -> String {
    var words = name.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    if let index = words.lastIndex(where: { ["dev", "development"].contains($0.lowercased()) }) {
      words[index] = "production"
    } else {
      words.append("production")
    }
    return words.joined(separator: "-")
  }

  /// What the caller must be allowed beside the call itself.
  private var extraActions: [String] {
    let actions = sent?.actions ?? []
    let isMissing = conditions.requiresSourceIdentity && !actions.contains("sts:SetSourceIdentity")
    return (isMissing ? ["sts:SetSourceIdentity"] : []) + actions
  }

  private static func validate(_ document: PolicyDocument, kind: PolicyKind, _ what: String) throws(Failure) {
    do { _ = try PolicyDocument(json: document.json, kind: kind) } catch {
      throw Failure("\(what): \(error.path.isEmpty ? "" : error.path + ": ")\(error.message)", exitStatus: .badData)
    }
  }
}

/// The policy of an application whose own is not written yet: its parameters and its table, in one region of the role's account.
enum SkeletonPolicy {
  static func document(for role: RoleARN, region: String?) -> PolicyDocument {
    let name = role.name.hasSuffix("-role") && role.name != "-role" ? String(role.name.dropLast(5)) : role.name
    // What IAM accepts in a role's name, a parameter's and a table's names do not.
    let application = String(name.map { "+=,@".contains($0) ? "-" : $0 })
    let place = "\(region ?? "*"):\(role.account)"
    let table = "arn:\(role.partition):dynamodb:\(place):table/\(application)"
    return PolicyDocument([
      Statement(
        sid: "ReadParameters", actions: PatternElement(["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]),
        resources: PatternElement(["arn:\(role.partition):ssm:\(place):parameter/\(application)/*"])),
      Statement(
        sid: "UseTable",
        actions: PatternElement([
          "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query",
        ]), resources: PatternElement([table, "\(table)/index/*"])),
    ])
  }
}

/// A duration as AWS writes it (ISO 8601): `PT1H`, `PT1H30M`.
func isoDuration(_ seconds: Int) -> String {
  var text = "PT"
  if seconds >= 3_600 { text += "\(seconds / 3_600)H" }
  if seconds % 3_600 >= 60 { text += "\(seconds % 3_600 / 60)M" }
  if seconds % 60 != 0 || seconds == 0 { text += "\(seconds % 60)S" }
  return text
}
