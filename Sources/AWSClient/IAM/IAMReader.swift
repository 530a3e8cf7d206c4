import VaultModel
import VaultSecrets

/// Whose policies are read.
public enum IAMIdentity: Sendable, Hashable {
  case role(String)
  case user(String)
  case group(String)

  /// As it is part of the names of actions and parameters.
  public var kindName: String {
    switch self {
    case .role: "Role"
    case .user: "User"
    case .group: "Group"
    }
  }

  public var name: String {
    switch self {
    case .role(let name), .user(let name), .group(let name): name
    }
  }
}

/// A role, as `GetRole` describes it.
public struct IAMRole: Sendable, Hashable {
  public let arn: String
  /// The trust policy, JSON.
  public let trustPolicy: String
  /// Seconds.
  public let maxSessionDuration: Int
  /// The ARN of its permissions boundary.
  public let permissionsBoundary: String?
}

/// What `SimulatePrincipalPolicy` says about one action.
public struct SimulatedDecision: Sendable, Hashable {
  public enum Decision: String, Sendable, Hashable {
    case allowed
    case explicitDeny
    case implicitDeny
  }

  public let decision: Decision
  /// The policies with a statement that matches, by name or ARN.
  public let policies: [String]
  /// Condition keys that a policy reads and the request does not set.
  public let missingContext: [String]
  /// Whether service control policies allow it; nil if there are none.
  public let isAllowedByOrganization: Bool?
  /// Whether the permissions boundary allows it; nil if there is none.
  public let isAllowedByBoundary: Bool?
}

/// When an identity last used a service that its policies allow.
public struct ServiceUse: Sendable, Hashable {
  /// The service's prefix in policies: `dynamodb`.
  public let service: String
  /// Nil if never, in the period that AWS keeps (IAM User Guide, "Refine permissions using last accessed information").
  public let lastUsed: Timestamp?
}

/// Reads roles, users and their policies (IAM, version 2010-05-08). Retries as described at ``AWSCaller``.
public struct IAMReader: Sendable {
  /// A page has at least a hundred; an identity has fewer than fifty of anything.
  static let maxPages = 8
  /// A service has six texts in the report, and a response 512 at most.
  static let servicesPerPage = "50"
  static let maxServicePages = 20
  /// Seconds between two questions for the report, which AWS says takes seconds.
  static let pollDelays: [Int64] = [0, 1, 1, 2, 2, 4, 4, 8]

  let caller: AWSCaller
  let place: SignedEndpoint

  /// `GetRole`
  public func role(_ name: String) async throws -> IAMRole {
    try await call("GetRole") { $0.add("RoleName", name) }.read { elements throws(MalformedResponse) in
      let role = "GetRoleResult/Role/"
      guard let arn = elements.text(role + "Arn").flatMap(Self.arn) else {
        throw MalformedResponse(what: "a role without an ARN")
      }
      // 3,600 unless it was set (IAM API, `CreateRole`).
      guard let seconds = Int(elements.text(role + "MaxSessionDuration") ?? "3600"), (900...43_200).contains(seconds) else {
        throw MalformedResponse(what: "an invalid MaxSessionDuration")
      }
      return IAMRole(
        arn: arn, trustPolicy: try Self.document(elements.text(role + "AssumeRolePolicyDocument")), maxSessionDuration: seconds,
        permissionsBoundary: elements.text(role + "PermissionsBoundary/PermissionsBoundaryArn").flatMap(Self.arn))
    }
  }

  /// `GetUser`: the ARN of a user's permissions boundary; nil if there is none.
  public func permissionsBoundary(ofUser name: String) async throws -> String? {
    try await call("GetUser") { $0.add("UserName", name) }.read { elements throws(MalformedResponse) in
      guard elements.text("GetUserResult/User/Arn").flatMap(Self.arn) != nil else {
        throw MalformedResponse(what: "a user without an ARN")
      }
      return elements.text("GetUserResult/User/PermissionsBoundary/PermissionsBoundaryArn").flatMap(Self.arn)
    }
  }

  /// The names of a user's groups.
  public func groups(ofUser name: String) async throws -> [String] {
    try await pages("ListGroupsForUser", add: { $0.add("UserName", name) }) { elements throws(MalformedResponse) in
      try elements.members("Groups").map { member throws(MalformedResponse) in try Self.name(member["GroupName"]) }
    }
  }

  /// The ARNs of the managed policies that are attached to an identity.
  public func attachedPolicies(of identity: IAMIdentity) async throws -> [String] {
    try await pages("ListAttached\(identity.kindName)Policies", add: { $0.add(identity.kindName + "Name", identity.name) }) {
      elements throws(MalformedResponse) in
      try elements.members("AttachedPolicies").map { member throws(MalformedResponse) in
        guard let arn = member["PolicyArn"].flatMap(Self.arn) else { throw MalformedResponse(what: "a policy without an ARN") }
        return arn
      }
    }
  }

  /// The names of an identity's inline policies.
  public func inlinePolicies(of identity: IAMIdentity) async throws -> [String] {
    try await pages("List\(identity.kindName)Policies", add: { $0.add(identity.kindName + "Name", identity.name) }) {
      elements throws(MalformedResponse) in
      try elements.texts("PolicyNames").map { name throws(MalformedResponse) in try Self.name(name) }
    }
  }

  /// The document of an inline policy, JSON.
  public func inlinePolicy(_ policy: String, of identity: IAMIdentity) async throws -> String {
    let action = "Get\(identity.kindName)Policy"
    return try await call(action) {
      $0.add(identity.kindName + "Name", identity.name)
      $0.add("PolicyName", policy)
    }.read { elements throws(MalformedResponse) in try Self.document(elements.text(action + "Result/PolicyDocument")) }
  }

  /// The document of a managed policy's default version, JSON.
  public func managedPolicy(_ arn: String) async throws -> String {
    let version = try await call("GetPolicy") { $0.add("PolicyArn", arn) }.read { elements throws(MalformedResponse) in
      guard let id = elements.text("GetPolicyResult/Policy/DefaultVersionId")?.plain(1...64) else {
        throw MalformedResponse(what: "a policy without a default version")
      }
      return id
    }
    return try await call("GetPolicyVersion") {
      $0.add("PolicyArn", arn)
      $0.add("VersionId", version)
    }.read { elements throws(MalformedResponse) in
      try Self.document(elements.text("GetPolicyVersionResult/PolicyVersion/Document"))
    }
  }

  /// `SimulatePrincipalPolicy`, for one action on one resource: an identity's policies, its boundary and its organization's service
  /// control policies. A role's trust policy is not part of it.
  ///
  /// - Parameter context: condition keys with their values.
  public func simulate(
    _ action: String, on resource: String, by principal: String, context: [(key: String, value: String)] = []
  ) async throws -> SimulatedDecision {
    try await call("SimulatePrincipalPolicy") {
      $0.add("PolicySourceArn", principal)
      $0.add("ActionNames.member.1", action)
      $0.add("ResourceArns.member.1", resource)
      for (index, entry) in context.enumerated() {
        let name = "ContextEntries.member.\(index + 1).ContextKey"
        $0.add(name + "Name", entry.key)
        $0.add(name + "Values.member.1", entry.value)
        $0.add(name + "Type", "string")
      }
    }.read { elements throws(MalformedResponse) in
      let result = "SimulatePrincipalPolicyResult/EvaluationResults/member/"
      guard elements.text(result + "EvalActionName")?.lowercased() == action.lowercased(),
        let decision = elements.text(result + "EvalDecision").flatMap(SimulatedDecision.Decision.init)
      else { throw MalformedResponse(what: "no decision about \(action)") }
      let policies = Set(elements.members("MatchedStatements").compactMap { $0["SourcePolicyId"] })
      return SimulatedDecision(
        decision: decision, policies: policies.sorted(), missingContext: Set(elements.texts("MissingContextValues")).sorted(),
        isAllowedByOrganization: elements.text(result + "OrganizationsDecisionDetail/AllowedByOrganizations").map {
          $0 == "true"
        },
        isAllowedByBoundary: elements.text(result + "PermissionsBoundaryDecisionDetail/AllowedByPermissionsBoundary").map {
          $0 == "true"
        })
    }
  }

  /// The services that an identity's policies allow, and when each was last used; nil if AWS does not finish its report, or not in time.
  public func serviceUses(of arn: String) async throws -> [ServiceUse]? {
    let job = try await call("GenerateServiceLastAccessedDetails") { $0.add("Arn", arn) }.read {
      elements throws(MalformedResponse) in
      guard let job = elements.text("GenerateServiceLastAccessedDetailsResult/JobId")?.plain(1...128) else {
        throw MalformedResponse(what: "no job")
      }
      return job
    }
    let action = "GetServiceLastAccessedDetails"
    for delay in Self.pollDelays {
      if delay > 0 { try await caller.pause(seconds: delay) }
      var status = ""
      let uses = try await pages(
        action, limit: Self.maxServicePages,
        add: {
          $0.add("JobId", job)
          $0.add("MaxItems", Self.servicesPerPage)
        }
      ) { elements throws(MalformedResponse) in
        status = elements.text(action + "Result/JobStatus") ?? ""
        return try elements.members("ServicesLastAccessed").map { member throws(MalformedResponse) in
          guard let service = member["ServiceNamespace"]?.plain(1...64) else {
            throw MalformedResponse(what: "a service without a prefix")
          }
          return ServiceUse(service: service, lastUsed: member["LastAuthenticated"].flatMap { Timestamp(iso8601: $0) })
        }
      }
      if status == "COMPLETED" { return uses }
      guard status == "IN_PROGRESS" else { return nil }
    }
    return nil
  }

  // MARK: calls

  private func call(_ action: String, _ add: (inout FormBody) -> Void) async throws -> AWSResponse<XMLElements> {
    var form = FormBody(action: action, version: IAMClient.version)
    add(&form)
    return try await caller.call(place.call(action, form.finish(), service: "iam"), .xml)
  }

  private func pages<Item>(
    _ action: String, limit: Int = maxPages, add: (inout FormBody) -> Void,
    read: (XMLElements) throws(MalformedResponse) -> [Item]
  ) async throws -> [Item] {
    var items: [Item] = []
    var marker: String?
    for _ in 0..<limit {
      let answer = try await call(action) {
        add(&$0)
        $0.add("Marker", marker)
      }
      marker = try answer.read { elements throws(MalformedResponse) in
        items += try read(elements)
        return try IAMClient.next(elements, of: action, after: marker)
      }
      if marker == nil { return items }
    }
    throw AWSError(.malformedResponse("more than \(limit) pages"), action: action, host: place.endpoint.host)
  }

  private static func arn(_ text: String) -> String? { text.hasPrefix("arn:") ? text.plain(20...2_048) : nil }

  /// A name of a policy or group (IAM API: `[\w+=,.@-]+`, at most 128 characters).
  private static func name(_ text: String?) throws(MalformedResponse) -> String {
    guard let text, (1...128).contains(text.utf8.count),
      text.utf8.allSatisfy({ (97...122).contains($0 | 0x20) || (48...57).contains($0) || "_+=,.@-".utf8.contains($0) })
    else { throw MalformedResponse(what: "an invalid name") }
    return text
  }

  private static func document(_ text: String?) throws(MalformedResponse) -> String {
    guard let document = text?.percentDecoded, !document.isEmpty else { throw MalformedResponse(what: "no policy document") }
    return document
  }
}
