/// What an administrator sees of an account beside who may call whom, and who may look at it.
extension STSWorld {
  public struct Account: Codable, Sendable, Hashable {
    /// Who has a permission set in an account.
    public struct Assignment: Codable, Sendable, Hashable {
      public var permissionSet: String
      public var account: String
      /// `USER` or `GROUP`.
      public var kind: String
      public var id: String

      public init(_ permissionSet: String, account: String, group: String) {
        self.permissionSet = permissionSet
        self.account = account
        kind = "GROUP"
        id = group
      }
    }

    /// The actions that a principal may read with, as patterns, by the principal's ARN, or `*` for everybody: `iam:*`.
    public var readers: [String: [String]]
    /// Names of permission sets; the policies are those of ``STSWorld/IdentityCenter``.
    public var permissionSets: [String]
    /// Permission sets whose latest version the accounts do not have yet.
    public var outdated: [String]
    /// Permission sets of which the accounts have nothing.
    public var unprovisioned: [String]
    public var assignments: [Assignment]
    /// Names by id.
    public var groups: [String: String]
    /// ARNs of managed policies that a role has, by the role's ARN; the documents are in ``STSWorld/managedPolicies``.
    public var attached: [String: [String]]
    /// ARNs of AWS's managed policies of a permission set.
    public var managed: [String: [String]]
    /// The services that a role has used, by its ARN; of all others that it may use it never used any.
    public var used: [String: [String]]
    /// The services that a role may use.
    public var usable: [String]

    public init(
      readers: [String: [String]] = [:], permissionSets: [String] = [], outdated: [String] = [], unprovisioned: [String] = [],
      assignments: [Assignment] = [], groups: [String: String] = [:], attached: [String: [String]] = [:],
      managed: [String: [String]] = [:], used: [String: [String]] = [:], usable: [String] = ["dynamodb", "s3", "ssm"]
    ) {
      self.readers = readers
      self.permissionSets = permissionSets
      self.outdated = outdated
      self.unprovisioned = unprovisioned
      self.assignments = assignments
      self.groups = groups
      self.attached = attached
      self.managed = managed
      self.used = used
      self.usable = usable
    }
  }
}
