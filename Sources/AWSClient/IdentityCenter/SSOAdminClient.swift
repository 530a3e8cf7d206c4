import VaultBytes
import VaultModel
import VaultSecrets

/// An instance of IAM Identity Center.
public struct SSOInstance: Sendable, Hashable {
  public let arn: String
  /// `d-…`, where its users and groups are.
  public let identityStoreId: String
}

/// A permission set, as `DescribePermissionSet` describes it.
public struct SSOPermissionSet: Sendable, Hashable {
  public let arn: String
  public let name: String
}

/// A customer managed policy that a permission set refers to; the account must have one of this name and path.
public struct SSOPolicyReference: Sendable, Hashable {
  public let name: String
  /// `/`, or `/team/`.
  public let path: String
}

/// Who has a permission set in an account.
public struct SSOAssignment: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable {
    case user = "USER"
    case group = "GROUP"
  }

  public let kind: Kind
  public let principalId: String
}

/// A client for IAM Identity Center's administration (`sso-admin`, version 2020-07-20; `identitystore`, version 2020-06-15), which
/// only reads. Retries as described at ``AWSCaller``.
public final class SSOAdminClient: Sendable {
  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// Reads permission sets and assignments.
  public func reader(_ place: SignedEndpoint) -> SSOAdminReader { SSOAdminReader(caller: caller, place: place) }

  /// The name of a group (`identitystore`, `DescribeGroup`).
  public func groupName(_ id: String, in store: String, at place: SignedEndpoint) async throws -> String {
    let body = JSONWriter.secret { body in
      body.add("IdentityStoreId", store)
      body.add("GroupId", id)
    }
    let call = place.call("DescribeGroup", body, service: "identitystore", target: "AWSIdentityStore.DescribeGroup")
    return try await caller.call(call, .json).read { json throws(MalformedResponse) in
      guard let name = json.text("DisplayName"), (1...1_024).contains(name.utf8.count) else {
        throw MalformedResponse(what: "a group without a name")
      }
      return name
    }
  }
}

/// Reads permission sets and their assignments (JSON 1.1).
public struct SSOAdminReader: Sendable {
  /// The maximum page size.
  static let pageLength = 100
  static let maxPages = 30

  let caller: AWSCaller
  let place: SignedEndpoint

  /// The instances that the caller's account can see: its organization's, or its own.
  public func instances() async throws -> [SSOInstance] {
    try await pages("ListInstances", list: "Instances") { json throws(MalformedResponse) in
      guard let arn = json.text("InstanceArn").flatMap(Self.arn) else {
        throw MalformedResponse(what: "an instance without an ARN")
      }
      guard let store = json.text("IdentityStoreId")?.plain(1...64) else {
        throw MalformedResponse(what: "an instance without an identity store")
      }
      return SSOInstance(arn: arn, identityStoreId: store)
    }
  }

  /// The ARNs of all permission sets of an instance.
  public func permissionSets(of instance: String) async throws -> [String] {
    try await arns("ListPermissionSets") { $0.add("InstanceArn", instance) }
  }

  /// The ARNs of the permission sets that an account has a role of.
  ///
  /// - Parameter isLatest: whether the role is that of the permission set's latest version, or of an earlier one.
  public func provisioned(to account: String, isLatest: Bool, instance: String) async throws -> [String] {
    try await arns("ListPermissionSetsProvisionedToAccount") {
      $0.add("InstanceArn", instance)
      $0.add("AccountId", account)
      $0.add("ProvisioningStatus", "LATEST_PERMISSION_SET_\(isLatest ? "" : "NOT_")PROVISIONED")
    }
  }

  /// `DescribePermissionSet`
  public func permissionSet(_ arn: String, of instance: String) async throws -> SSOPermissionSet {
    try await call("DescribePermissionSet", arn, of: instance).read { json throws(MalformedResponse) in
      guard let set = json.object("PermissionSet"), set.text("PermissionSetArn") == arn,
        let name = set.text("Name")?.plain(1...128)
      else { throw MalformedResponse(what: "a permission set without a name") }
      return SSOPermissionSet(arn: arn, name: name)
    }
  }

  /// The inline policy, JSON; nil if there is none.
  public func inlinePolicy(of arn: String, instance: String) async throws -> String? {
    try await call("GetInlinePolicyForPermissionSet", arn, of: instance).read { json throws(MalformedResponse) in
      // 32,768 characters at most (`PermissionSetPolicyDocument`).
      guard let text = json.text("InlinePolicy"), !text.isEmpty else { return nil }
      guard text.utf8.count <= 131_072 else { throw MalformedResponse(what: "a policy that is too long") }
      return text
    }
  }

  /// The ARNs of AWS's managed policies in a permission set.
  public func managedPolicies(of arn: String, instance: String) async throws -> [String] {
    try await pages("ListManagedPoliciesInPermissionSet", list: "AttachedManagedPolicies", add: Self.subject(arn, of: instance)) {
      json throws(MalformedResponse) in
      guard let arn = json.text("Arn").flatMap(Self.arn) else { throw MalformedResponse(what: "a policy without an ARN") }
      return arn
    }
  }

  /// The customer managed policies that a permission set refers to.
  public func customerPolicies(of arn: String, instance: String) async throws -> [SSOPolicyReference] {
    try await pages(
      "ListCustomerManagedPolicyReferencesInPermissionSet", list: "CustomerManagedPolicyReferences",
      add: Self.subject(arn, of: instance)
    ) { json throws(MalformedResponse) in try Self.reference(json) }
  }

  /// The name or ARN of the permissions boundary; nil if there is none.
  public func permissionsBoundary(of arn: String, instance: String) async throws -> String? {
    do {
      return try await call("GetPermissionsBoundaryForPermissionSet", arn, of: instance).read { json throws(MalformedResponse) in
        guard let boundary = json.object("PermissionsBoundary") else { return nil }
        if let reference = boundary.object("CustomerManagedPolicyReference") { return try Self.reference(reference).name }
        return boundary.text("ManagedPolicyArn").flatMap(Self.arn)
      }
    } catch let error as AWSError where error.code == "ResourceNotFoundException" {
      return nil
    }
  }

  /// Who has a permission set in an account.
  public func assignments(of arn: String, in account: String, instance: String) async throws -> [SSOAssignment] {
    try await pages(
      "ListAccountAssignments", list: "AccountAssignments",
      add: {
        $0.add("InstanceArn", instance)
        $0.add("AccountId", account)
        $0.add("PermissionSetArn", arn)
      }
    ) { json throws(MalformedResponse) in
      guard let kind = json.text("PrincipalType").flatMap(SSOAssignment.Kind.init),
        let id = json.text("PrincipalId")?.plain(1...64)
      else { throw MalformedResponse(what: "an assignment without a principal") }
      return SSOAssignment(kind: kind, principalId: id)
    }
  }

  // MARK: calls

  private static func subject(_ arn: String, of instance: String) -> (inout JSONWriter) -> Void {
    {
      $0.add("InstanceArn", instance)
      $0.add("PermissionSetArn", arn)
    }
  }

  private func call(_ action: String, _ arn: String, of instance: String) async throws -> AWSResponse<JSONDocument> {
    try await call(action, JSONWriter.secret(Self.subject(arn, of: instance)))
  }

  private func call(_ action: String, _ body: SecretBytes) async throws -> AWSResponse<JSONDocument> {
    try await caller.call(place.call(action, body, service: "sso", target: "SWBExternalService." + action), .json)
  }

  private func arns(_ action: String, add: (inout JSONWriter) -> Void) async throws -> [String] {
    try await pages(action, add: add) { json throws(MalformedResponse) in
      guard let list = json.texts("PermissionSets") ?? (json.has("PermissionSets") ? nil : []) else {
        throw MalformedResponse(what: "no list of permission sets")
      }
      return try list.map { arn throws(MalformedResponse) in
        guard let arn = Self.arn(arn) else { throw MalformedResponse(what: "a permission set without an ARN") }
        return arn
      }
    }
  }

  private func pages<Item>(
    _ action: String, list: String, add: (inout JSONWriter) -> Void = { _ in },
    read: (JSONDocument) throws(MalformedResponse) -> Item
  ) async throws -> [Item] {
    try await pages(action, add: add) { json throws(MalformedResponse) in
      guard let objects = json.objects(list) else { throw MalformedResponse(what: "no \(list)") }
      return try objects.map { object throws(MalformedResponse) in try read(object) }
    }
  }

  private func pages<Item>(
    _ action: String, add: (inout JSONWriter) -> Void, read: (JSONDocument) throws(MalformedResponse) -> [Item]
  ) async throws -> [Item] {
    var items: [Item] = []
    var next: String?
    for _ in 0..<Self.maxPages {
      let body = JSONWriter.secret { body in
        add(&body)
        body.field("MaxResults", Self.pageLength)
        body.add("NextToken", next)
      }
      let last = next
      next = try await call(action, body).read { json throws(MalformedResponse) in
        items += try read(json)
        guard let token = json.text("NextToken"), !token.isEmpty else { return nil }
        guard token != last, token.utf8.count <= 2_048 else { throw MalformedResponse(what: "an invalid pagination token") }
        return token
      }
      if next == nil { return items }
    }
    throw AWSError(.malformedResponse("more than \(Self.maxPages) pages"), action: action, host: place.endpoint.host)
  }

  private static func arn(_ text: String) -> String? { text.hasPrefix("arn:") ? text.plain(10...2_048) : nil }

  private static func reference(_ json: JSONDocument) throws(MalformedResponse) -> SSOPolicyReference {
    guard let name = json.text("Name")?.plain(1...128) else { throw MalformedResponse(what: "a policy without a name") }
    guard let path = (json.text("Path") ?? "/").plain(1...512), path.hasPrefix("/"), path.hasSuffix("/") else {
      throw MalformedResponse(what: "a policy with an invalid path")
    }
    return SSOPolicyReference(name: name, path: path)
  }
}
