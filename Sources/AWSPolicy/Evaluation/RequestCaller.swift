/// Who makes a request, as the `Principal` of a policy can name it (IAM User Guide, "AWS JSON policy elements: Principal").
public enum RequestCaller: Sendable, Hashable {
  /// The root user of an account.
  case root(account: String, partition: String = "aws")
  /// - Parameter id: the unique id, `AIDA…`.
  case user(arn: String, id: String? = nil)
  /// - Parameters:
  ///   - arn: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, which is without the role's path.
  ///   - role: the role's own ARN, with its path.
  ///   - id: the role's unique id, `AROA…`.
  case roleSession(arn: String, role: String, id: String? = nil)
  /// A session of `GetFederationToken`: `arn:aws:sts::ACCOUNT:federated-user/NAME`.
  case federatedUser(arn: String)
  /// An AWS service: `ec2.amazonaws.com`.
  case service(String)
  /// Somebody with a token or an assertion of this provider: a host name, or the provider's ARN.
  case federated(String)

  /// Reads the ARN that `GetCallerIdentity` returns.
  ///
  /// - Parameters:
  ///   - role: the ARN of the session's role. Without it, the role is taken to have no path.
  ///   - id: the unique id, `AIDA…` or `AROA…`.
  /// - Returns: nil for any other ARN.
  public init?(arn: String, role: String? = nil, id: String? = nil) {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, parts[0] == "arn", Self.isAccount(parts[4]) else { return nil }
    let names = parts[5].split(separator: "/", omittingEmptySubsequences: false)
    switch (parts[2], names[0], names.count) {
    case ("iam", "root", 1): self = .root(account: parts[4], partition: parts[1])
    case ("iam", "user", 2...): self = .user(arn: arn, id: id)
    case ("sts", "federated-user", 2): self = .federatedUser(arn: arn)
    case ("sts", "assumed-role", 3):
      self = .roleSession(arn: arn, role: role ?? "arn:\(parts[1]):iam::\(parts[4]):role/\(names[1])", id: id)
    default: return nil
    }
  }

  /// The ARN by which an error names the caller; nil for a service and for a provider.
  public var arn: String? {
    switch self {
    case .root(let account, let partition): "arn:\(partition):iam::\(account):root"
    case .user(let arn, _), .roleSession(let arn, _, _), .federatedUser(let arn): arn
    case .service, .federated: nil
    }
  }

  /// `aws:PrincipalArn`: of a session, its role's ARN.
  public var principalARN: String? { if case .roleSession(_, let role, _) = self { role } else { arn } }

  /// `aws:PrincipalAccount`.
  public var account: String? {
    arn.flatMap { arn in
      let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
      return parts.count == 6 ? String(parts[4]) : nil
    }
  }

  /// The unique id of the user or role.
  public var id: String? {
    switch self {
    case .user(_, let id), .roleSession(_, _, let id): id
    default: nil
    }
  }

  /// The condition keys that follow from who the caller is (IAM User Guide, "IAM policy elements: Variables and tags", "Principal
  /// key values").
  var keys: [String: [String]] {
    var keys: [String: [String]] = [:]
    if let principalARN { keys["aws:PrincipalArn"] = [principalARN] }
    if let account { keys["aws:PrincipalAccount"] = [account] }
    let name = arn?.split(separator: "/").last.map(String.init) ?? ""
    switch self {
    case .root(let account, _):
      keys["aws:PrincipalType"] = ["Account"]
      keys["aws:userid"] = [account]
    case .user(_, let id):
      keys["aws:PrincipalType"] = ["User"]
      keys["aws:username"] = [name]
      if let id { keys["aws:userid"] = [id] }
    case .roleSession(_, _, let id):
      keys["aws:PrincipalType"] = ["AssumedRole"]
      if let id { keys["aws:userid"] = ["\(id):\(name)"] }
    case .federatedUser:
      keys["aws:PrincipalType"] = ["FederatedUser"]
      if let account { keys["aws:userid"] = ["\(account):\(name)"] }
    case .service, .federated: break
    }
    return keys
  }

  static func isAccount(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 12 && text.utf8.allSatisfy { (48...57).contains($0) }
  }
}
