import AWSClient
import AWSPolicy
import VaultModel
import VaultSecrets

/// Credentials that may read an account, with the places of the services that they read it at.
struct AccountSigner: Sendable {
  let account: String
  let iam: SignedEndpoint
  /// Nil where the profile's identity is not IAM Identity Center's.
  let ssoAdmin: SignedEndpoint?
  let identityStore: SignedEndpoint?
}

/// Reads roles, policies and permission sets, each with the first credentials that may.
///
/// A refusal is a result, with the permission that is missing, and so is an error of one service. Without a network, nothing was found
/// out about the account: that is thrown.
struct AccountReader: Sendable {
  /// Calls that are under way at one time: IAM and Identity Center throttle from about 20 a second on.
  static let concurrency = 4
  /// Permission sets that are looked through for one of a name.
  static let maxPermissionSets = 400

  let clients: Clients
  let signers: [AccountSigner]

  // MARK: IAM

  /// A role with its policies.
  ///
  /// - Parameter isUsed: whether to read what of the policies was ever used.
  func role(_ name: String, in account: String, isUsed: Bool) async throws -> Reading<RoleSnapshot> {
    let reading = try await iam(account, "iam:GetRole") { try await $0.role(name) }
    guard case .found(let role) = reading else { return reading.map { _ in nil } }
    let policies = try await policies(of: .role(name), in: account)
    var used: Reading<[String: Bool]?> = .found(nil)
    if isUsed, let list = policies.value, AccountCheck.allowWholeServices(list) {
      used = try await iam(account, "iam:GenerateServiceLastAccessedDetails") { reader in
        try await reader.serviceUses(of: role.arn).map { uses in
          Dictionary(uses.map { ($0.service, $0.lastUsed != nil) }) { $0 || $1 }
        }
      }
    }
    return .found(
      RoleSnapshot(
        arn: role.arn, trustPolicy: role.trustPolicy, maxSessionDuration: role.maxSessionDuration, policies: policies,
        usedServices: used))
  }

  /// The caller with its policies.
  func caller(_ identity: CallerIdentity, expectedRole: RoleARN?) async throws -> CallerSnapshot {
    var snapshot = CallerSnapshot(
      arn: identity.arn, userId: identity.userId, policies: .refused(permission: "iam:GetRole"),
      boundary: .refused(permission: "iam:GetRole"))
    let parts = identity.arn.split(separator: "/").map(String.init)
    if identity.arn.contains(":assumed-role/"), parts.count == 3 {
      let role = try await iam(identity.account, "iam:GetRole") { try await $0.role(parts[1]) }
      snapshot.roleARN = role.value?.arn ?? expectedRole?.text
      snapshot.policies = try await policies(of: .role(parts[1]), in: identity.account)
      snapshot.boundary =
        switch role {
        case .found(let role): try await boundary(role.permissionsBoundary, in: identity.account)
        default: role.map { _ in nil }
        }
    } else if identity.arn.contains(":user/"), let name = parts.last {
      var all = try await policies(of: .user(name), in: identity.account)
      let groups = try await iam(identity.account, "iam:ListGroupsForUser") { try await $0.groups(ofUser: name) }
      if let obstacle = groups.obstacle { all = .unread(obstacle) }
      for group in groups.value ?? [] {
        all = Self.joined(all, try await policies(of: .group(group), in: identity.account))
      }
      snapshot.policies = all
      let boundary = try await iam(identity.account, "iam:GetUser") { try await $0.permissionsBoundary(ofUser: name) }
      snapshot.boundary =
        switch boundary {
        case .found(let arn): try await self.boundary(arn, in: identity.account)
        default: boundary.map { _ in nil }
        }
    }
    return snapshot
  }

  /// What IAM's simulator says of the caller's actions on the role.
  func simulate(_ needs: AccessNeeds, by principal: String, in account: String) async throws -> Reading<[SimulatedAction]> {
    var context: [(key: String, value: String)] = []
    if let id = needs.sent.externalId { context.append(("sts:ExternalId", id)) }
    if let identity = needs.sent.sourceIdentity { context.append(("sts:SourceIdentity", identity)) }
    return try await iam(account, "iam:SimulatePrincipalPolicy") { [context] reader in
      try await bounded(needs.identityActions) { action in
        let result = try await reader.simulate(action, on: needs.role.text, by: principal, context: context)
        return SimulatedAction(
          action: action, isAllowed: result.decision == .allowed, isExplicitDeny: result.decision == .explicitDeny,
          isAllowedByOrganization: result.isAllowedByOrganization, isAllowedByBoundary: result.isAllowedByBoundary)
      }
    }
  }

  private func policies(of identity: IAMIdentity, in account: String) async throws -> Reading<[AttachedPolicy]> {
    let kind = identity.kindName
    let attached = try await iam(account, "iam:ListAttached\(kind)Policies") { try await $0.attachedPolicies(of: identity) }
    guard let arns = attached.value else { return attached.map { _ in nil } }
    let inline = try await iam(account, "iam:List\(kind)Policies") { try await $0.inlinePolicies(of: identity) }
    guard let names = inline.value else { return inline.map { _ in nil } }
    let managed = try await bounded(arns) { arn in try await managedPolicy(arn, in: account) }
    let own = try await bounded(names) { name in
      try await iam(account, "iam:Get\(kind)Policy") { reader in
        AttachedPolicy(name: name, text: try await reader.inlinePolicy(name, of: identity))
      }
    }
    return Self.all(managed + own)
  }

  private func managedPolicy(_ arn: String, in account: String) async throws -> Reading<AttachedPolicy> {
    try await iam(account, "iam:GetPolicy") { AttachedPolicy(name: arn, text: try await $0.managedPolicy(arn)) }
  }

  private func boundary(_ arn: String?, in account: String) async throws -> Reading<AttachedPolicy> {
    guard let arn else { return .absent }
    return try await managedPolicy(arn, in: account)
  }

  /// All, unless one was refused; what was deleted meanwhile is left out.
  private static func all(_ readings: [Reading<AttachedPolicy>]) -> Reading<[AttachedPolicy]> {
    if let obstacle = readings.lazy.compactMap(\.obstacle).first { return .unread(obstacle) }
    return .found(readings.compactMap(\.value))
  }

  private static func joined(_ one: Reading<[AttachedPolicy]>, _ other: Reading<[AttachedPolicy]>) -> Reading<[AttachedPolicy]> {
    guard let first = one.value else { return one }
    return other.value.map { .found(first + $0) } ?? other
  }

  // MARK: IAM Identity Center

  /// A permission set, and what an account has of it.
  func permissionSet(_ name: String, in account: String) async throws -> Reading<PermissionSetSnapshot> {
    let instances = try await admin("sso:ListInstances") { try await $0.instances() }
    guard case .found(let list) = instances, !list.isEmpty else {
      return .unread(instances.obstacle ?? .permission("sso:ListInstances"))
    }
    for instance in list {
      let latest = try await admin("sso:ListPermissionSetsProvisionedToAccount") {
        try await $0.provisioned(to: account, isLatest: true, instance: instance.arn)
      }
      let earlier = try await admin("sso:ListPermissionSetsProvisionedToAccount") {
        try await $0.provisioned(to: account, isLatest: false, instance: instance.arn)
      }
      let known = (latest.value ?? []) + (earlier.value ?? [])
      var found = try await search(known, for: name, in: instance)
      if case .found(nil) = found {
        let all = try await admin("sso:ListPermissionSets") { try await $0.permissionSets(of: instance.arn) }
        guard let all = all.value else { return all.map { _ in nil } }
        found = try await search(all.filter { !known.contains($0) }, for: name, in: instance)
      }
      guard case .found(let set) = found else { return found.map { _ in nil } }
      guard let set else { continue }
      let provisioning: Reading<PermissionSetSnapshot.Provisioning> =
        latest.value == nil
        ? latest.map { _ in nil }
        : .found(latest.value?.contains(set) == true ? .latest : earlier.value?.contains(set) == true ? .outdated : .none)
      return .found(try await snapshot(set, provisioning: provisioning, instance: instance, account: account))
    }
    return .absent
  }

  /// - Returns: the ARN of the permission set of a name; nil if none of them has it.
  private func search(_ sets: [String], for name: String, in instance: SSOInstance) async throws -> Reading<String?> {
    try await admin("sso:DescribePermissionSet") { reader in
      let described = try await bounded(Array(sets.prefix(Self.maxPermissionSets))) { arn in
        try await reader.permissionSet(arn, of: instance.arn)
      }
      return described.first { $0.name == name }?.arn
    }
  }

  private func snapshot(
    _ set: String, provisioning: Reading<PermissionSetSnapshot.Provisioning>, instance: SSOInstance, account: String
  ) async throws -> PermissionSetSnapshot {
    let inline = try await admin("sso:GetInlinePolicyForPermissionSet") { reader in
      try await reader.inlinePolicy(of: set, instance: instance.arn).map {
        [AttachedPolicy(name: PermissionSetSnapshot.inlinePolicy, text: $0)]
      }
        ?? []
    }
    let managed = try await admin("sso:ListManagedPoliciesInPermissionSet") { reader in
      try await reader.managedPolicies(of: set, instance: instance.arn).map { AttachedPolicy(name: $0, text: "") }
    }
    let references = try await admin("sso:ListCustomerManagedPolicyReferencesInPermissionSet") {
      try await $0.customerPolicies(of: set, instance: instance.arn)
    }
    let assignments = try await admin("sso:ListAccountAssignments") {
      try await $0.assignments(of: set, in: account, instance: instance.arn)
    }
    let boundary = try await admin("sso:GetPermissionsBoundaryForPermissionSet") {
      try await $0.permissionsBoundary(of: set, instance: instance.arn)
    }
    let policies = Self.joined(inline, managed)
    return PermissionSetSnapshot(
      policies: references.obstacle.map { .unread($0) } ?? policies,
      references: references.value?.map { $0.path + $0.name } ?? [], provisioning: provisioning,
      assignees: try await assignments.mapped { list in
        try await bounded(Array(list.prefix(20))) { try await assignee($0, in: instance.identityStoreId) }
      }, boundary: boundary.value ?? nil)
  }

  /// The name of a group, as far as it may be read.
  private func assignee(_ assignment: SSOAssignment, in store: String) async throws -> String {
    guard assignment.kind == .group else { return "user \(assignment.principalId)" }
    for place in signers.compactMap(\.identityStore) {
      let name = try await reading("identitystore:DescribeGroup") {
        try await clients.ssoAdmin.groupName(assignment.principalId, in: store, at: place)
      }
      if let name = name.value { return "group \(name)" }
    }
    return "group \(assignment.principalId)"
  }

  // MARK: calls

  private func iam<Value>(_ account: String, _ permission: String, body: @Sendable (IAMReader) async throws -> Value)
    async throws
    -> Reading<Value>
  {
    try await first(signers.filter { $0.account == account }.map(\.iam), permission) { try await body(clients.iam.reader($0)) }
  }

  private func admin<Value>(_ permission: String, _ body: @Sendable (SSOAdminReader) async throws -> Value) async throws
    -> Reading<Value>
  {
    try await first(signers.compactMap(\.ssoAdmin), permission) { try await body(clients.ssoAdmin.reader($0)) }
  }

  /// The result of the first credentials that are not refused.
  private func first<Value>(
    _ places: [SignedEndpoint], _ permission: String, body: (SignedEndpoint) async throws -> Value
  ) async throws -> Reading<Value> {
    var obstacle = Obstacle.other("no credentials of the account")
    for place in places {
      let result = try await reading(permission) { try await body(place) }
      guard case .unread(let found) = result else { return result }
      obstacle = found
    }
    return .unread(obstacle)
  }

  private func reading<Value>(_ permission: String, _ body: () async throws -> Value) async throws -> Reading<Value> {
    do {
      return .found(try await body())
    } catch let error as AWSError {
      switch error.code {
      case "NoSuchEntity", "ResourceNotFoundException": return .absent
      case "AccessDenied", "AccessDeniedException", "UnauthorizedException", "UnauthorizedOperation", "NotAuthorized":
        return .refused(permission: error.deniedAction ?? permission)
      // AWS answered, but not with this part; without a network, nothing was found out at all.
      default:
        if case .transport = error.cause { throw error }
        return .unread(.other(error.message))
      }
    }
  }
}

/// The results for all items, a few at a time, in order.
func bounded<Item: Sendable, Value: Sendable>(
  _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Value
) async throws -> [Value] {
  try await withThrowingTaskGroup(of: (Int, Value).self) { group in
    var values: [Int: Value] = [:]
    for (index, item) in items.enumerated() {
      if index >= AccountReader.concurrency, let (index, value) = try await group.next() { values[index] = value }
      group.addTask { (index, try await body(item)) }
    }
    for try await (index, value) in group { values[index] = value }
    return values.sorted { $0.key < $1.key }.map(\.value)
  }
}

extension Reading {
  /// The same without a value, or with another; `body` may give none only where there was none.
  fileprivate func map<Other>(_ body: (Value) -> Other?) -> Reading<Other> {
    switch self {
    case .found(let value): body(value).map { .found($0) } ?? .absent
    case .absent: .absent
    case .unread(let obstacle): .unread(obstacle)
    }
  }

  fileprivate func mapped<Other>(_ body: (Value) async throws -> Other) async throws -> Reading<Other> {
    switch self {
    case .found(let value): .found(try await body(value))
    case .absent: .absent
    case .unread(let obstacle): .unread(obstacle)
    }
  }
}

extension AWSError {
  /// The action that a refusal names: `not authorized to perform: iam:GetRole on resource: …`.
  fileprivate var deniedAction: String? {
    guard case .service(_, let text, _) = cause else { return nil }
    let mark = "not authorized to perform: "
    guard let start = text.indices.first(where: { text[$0...].hasPrefix(mark) }) else { return nil }
    let action = text[start...].dropFirst(mark.count).prefix { $0.isASCII && ($0.isLetter || $0.isNumber || ":-".contains($0)) }
    return (4...128).contains(action.count) && action.contains(":") ? String(action) : nil
  }
}
