import AWSPolicy
import Foundation
import SimulatorModel
import VaultModel

// IAM as somebody reads it who may.
extension Simulator {
  static let iamReads: Set<String> = [
    "GetRole", "ListAttachedRolePolicies", "ListRolePolicies", "GetRolePolicy", "GetPolicy", "GetPolicyVersion", "GetUser",
    "ListAttachedUserPolicies", "ListUserPolicies", "GetUserPolicy", "ListGroupsForUser", "SimulatePrincipalPolicy",
    "GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails",
  ]

  /// Answers a call that reads, if its caller may make it.
  func iamRead(_ action: String, _ parameters: CallParameters, _ caller: Caller, _ entry: inout STSRequest) throws(AWSError)
    -> HTTPResponse
  {
    guard parameters["Version"] == "2010-05-08" else { throw .unknownOperation(action, version: parameters["Version"] ?? "") }
    // "You cannot call any IAM API operations unless MFA authentication information is included in the request" (STS API,
    // `GetSessionToken`); IAM then says that it does not know the token (99designs/aws-vault#1056).
    if caller.isTemporary, !caller.isRole, !caller.mfa { throw .invalidClientTokenId }
    let result = try withService { service throws(AWSError) in
      try AccountView(world: service.world, caller: caller).iam(action, parameters)
    }
    return XMLAnswer.success(action, result, requestId: entry.requestId)
  }
}

/// The account, as one caller may read it.
struct AccountView {
  let world: STSWorld
  let caller: Caller

  /// - Throws: the denial, in IAM's words.
  func require(_ action: String, on resource: String, code: String = "AccessDenied", status: Int = 403) throws(AWSError) {
    let readers = world.account?.readers ?? [:]
    let patterns = (readers[caller.principal] ?? []) + (readers["*"] ?? [])
    guard patterns.contains(where: { Trust.matches(action, $0) }) else {
      throw AWSError(
        status, code,
        "User: \(caller.arn) is not authorized to perform: \(action) on resource: \(resource) because no identity-based policy allows "
          + "the \(action) action")
    }
  }

  func iam(_ action: String, _ parameters: CallParameters) throws(AWSError) -> XMLElement {
    func text(_ name: String) throws(AWSError) -> String {
      guard let value = parameters[name], !value.isEmpty else {
        throw .validation("1 validation error detected: \(name) is missing")
      }
      return value
    }
    switch action {
    case "GetRole":
      try parameters.requireOnly(["RoleName"])
      let name = try text("RoleName")
      try require("iam:GetRole", on: "role \(name)")
      return try role(name)
    case "GetUser":
      let user = try user(text("UserName"), for: "iam:GetUser")
      return XMLElement(
        "",
        [
          XMLElement(
            "User",
            [XMLElement("Arn", text: user.arn), XMLElement("UserId", text: Identity.userId(user.arn))]
              + boundary(user.permissionsBoundary, user.arn))
        ])
    case "ListGroupsForUser":
      _ = try user(text("UserName"), for: "iam:ListGroupsForUser")
      return list("Groups", [])
    case "ListAttachedRolePolicies", "ListAttachedUserPolicies":
      let arns =
        action.contains("Role") ? world.account?.attached[try holder(text("RoleName"), for: "iam:" + action).arn] ?? [] : []
      if action.contains("User") { _ = try user(text("UserName"), for: "iam:" + action) }
      return list(
        "AttachedPolicies",
        arns.map {
          [XMLElement("PolicyName", text: String($0.split(separator: "/").last ?? "")), XMLElement("PolicyArn", text: $0)]
        })
    case "ListRolePolicies", "ListUserPolicies":
      let count = try own(action.contains("Role") ? "RoleName" : "UserName", parameters, for: "iam:" + action).count
      return XMLElement(
        "",
        [
          XMLElement("PolicyNames", (0..<count).map { XMLElement("member", text: "policy-\($0 + 1)") }),
          XMLElement("IsTruncated", text: "false"),
        ])
    case "GetRolePolicy", "GetUserPolicy":
      let policies = try own(action.contains("Role") ? "RoleName" : "UserName", parameters, for: "iam:" + action)
      guard let number = Int(try text("PolicyName").dropFirst("policy-".count)), policies.indices.contains(number - 1) else {
        throw AWSError(404, "NoSuchEntity", "The role policy cannot be found.")
      }
      return XMLElement("", [XMLElement("PolicyDocument", text: Self.encoded(policies[number - 1]))])
    case "GetPolicy", "GetPolicyVersion": return try managedPolicy(action, text("PolicyArn"))
    case "SimulatePrincipalPolicy": return try simulation(parameters)
    case "GenerateServiceLastAccessedDetails":
      let arn = try text("Arn")
      try require("iam:GenerateServiceLastAccessedDetails", on: arn)
      return XMLElement("", [XMLElement("JobId", text: Self.job(arn))])
    default: return try uses(text("JobId"))
    }
  }

  // MARK: who and what

  private func role(_ name: String) throws(AWSError) -> XMLElement {
    let found = try holder(name, for: "iam:GetRole")
    return XMLElement(
      "",
      [
        XMLElement(
          "Role",
          [
            XMLElement("Arn", text: found.arn), XMLElement("RoleName", text: name),
            XMLElement("RoleId", text: Identity.roleId(found.arn)),
            XMLElement("AssumeRolePolicyDocument", text: Self.encoded(found.trust)),
            XMLElement("MaxSessionDuration", text: "\(found.maxSessionDuration)"),
          ] + boundary(found.boundary, found.arn))
      ])
  }

  private struct Holder {
    var arn: String
    var trust: String
    var maxSessionDuration: Int
    var policies: [String]
    var boundary: String?
  }

  /// A role of the caller's own account: one of the world's, or one that a permission set has.
  private func holder(_ name: String, for action: String) throws(AWSError) -> Holder {
    try require(action, on: "role \(name)")
    for role in world.roles where Caller.account(of: role.arn) == caller.account && role.arn.hasSuffix("/" + name) {
      return Holder(
        arn: role.arn, trust: role.trustPolicy ?? "{}", maxSessionDuration: role.maxSessionDuration,
        policies: role.policies ?? [],
        boundary: role.permissionsBoundary)
    }
    let center = world.identityCenter
    for set in center?.accounts.first(where: { $0.id == caller.account })?.roles ?? [] {
      guard let center, center.roleARN(caller.account, set).hasSuffix("/" + name) else { continue }
      return Holder(
        arn: center.roleARN(caller.account, set), trust: "{}", maxSessionDuration: 43_200, policies: center.policies?[set] ?? [],
        boundary: center.permissionsBoundaries?[set])
    }
    throw AWSError(404, "NoSuchEntity", "The role with name \(name) cannot be found.")
  }

  private func user(_ name: String, for action: String) throws(AWSError) -> STSWorld.User {
    try require(action, on: "user \(name)")
    guard let user = world[user: name] else { throw AWSError(404, "NoSuchEntity", "The user with name \(name) cannot be found.") }
    return user
  }

  private func own(_ parameter: String, _ parameters: CallParameters, for action: String) throws(AWSError) -> [String] {
    let name = parameters[parameter] ?? ""
    if parameter == "RoleName" { return try holder(name, for: action).policies }
    return Self.policies(of: try user(name, for: action))
  }

  private static func policies(of user: STSWorld.User) -> [String] {
    let roles = user.mayAssume
    let assume = PolicyDocument([
      Statement(
        actions: PatternElement(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]), resources: PatternElement(roles))
    ])
    return (user.policies ?? []) + (roles.isEmpty ? [] : [assume.json.compact()])
  }

  private func boundary(_ text: String?, _ arn: String) -> [XMLElement] {
    guard text != nil else { return [] }
    return [XMLElement("PermissionsBoundary", [XMLElement("PermissionsBoundaryArn", text: Self.boundaryPrefix + arn)])]
  }

  /// The ARN of whose boundary a policy is.
  private static let boundaryPrefix = "arn:aws:iam::123456789012:policy/boundary-of-"

  private func managedPolicy(_ action: String, _ arn: String) throws(AWSError) -> XMLElement {
    try require("iam:" + action, on: "policy \(arn)")
    let holder = String(arn.dropFirst(Self.boundaryPrefix.count))
    let text =
      arn.hasPrefix(Self.boundaryPrefix)
      ? world[role: holder]?.permissionsBoundary ?? world.users.first { $0.arn == holder }?.permissionsBoundary
        ?? world.identityCenter?.permissionsBoundaries?.first { holder.contains("_\($0.key)_") }?.value
      : world.managedPolicies?[arn]
    guard let text else { throw AWSError(404, "NoSuchEntity", "Policy \(arn) was not found.") }
    if action == "GetPolicy" {
      return XMLElement("", [XMLElement("Policy", [XMLElement("Arn", text: arn), XMLElement("DefaultVersionId", text: "v2")])])
    }
    return XMLElement(
      "", [XMLElement("PolicyVersion", [XMLElement("Document", text: Self.encoded(text)), XMLElement("VersionId", text: "v2")])])
  }

  // MARK: what IAM works out

  private func simulation(_ parameters: CallParameters) throws(AWSError) -> XMLElement {
    let principal = parameters["PolicySourceArn"] ?? ""
    try require("iam:SimulatePrincipalPolicy", on: principal)
    let action = parameters["ActionNames.member.1"] ?? ""
    let resource = parameters["ResourceArns.member.1"] ?? "*"
    let name = String(principal.split(separator: "/").last ?? "")
    let policies: [String]
    let limit: String?
    if principal.contains(":role/") {
      let role = try holder(name, for: "iam:SimulatePrincipalPolicy")
      (policies, limit) = (role.policies, role.boundary)
    } else {
      let user = try user(name, for: "iam:SimulatePrincipalPolicy")
      (policies, limit) = (Self.policies(of: user), user.permissionsBoundary)
    }
    func decision(_ texts: [String]) -> PolicyDecision {
      let documents = texts.compactMap { try? PolicyDocument(JSONText(Array($0.utf8)), kind: .permissionSetInline) }
      let request = PolicyRequest(
        caller: .user(arn: principal), action: action, resource: resource)
      return PolicyDecision(of: documents, on: request)
    }
    let own = decision(policies)
    let organization = world.serviceControlPolicies.map { decision($0).isAllowed }
    let boundary = limit.map { decision([$0]).isAllowed }
    let isAllowed = own.isAllowed && organization != false && boundary != false
    var result = [
      XMLElement("EvalActionName", text: action), XMLElement("EvalResourceName", text: resource),
      XMLElement(
        "EvalDecision", text: isAllowed ? "allowed" : own.outcome == .explicitDeny ? "explicitDeny" : "implicitDeny"),
      XMLElement("MissingContextValues", []),
    ]
    if let organization {
      result.append(
        XMLElement("OrganizationsDecisionDetail", [XMLElement("AllowedByOrganizations", text: organization ? "true" : "false")]))
    }
    if let boundary {
      result.append(
        XMLElement(
          "PermissionsBoundaryDecisionDetail", [XMLElement("AllowedByPermissionsBoundary", text: boundary ? "true" : "false")]))
    }
    return list("EvaluationResults", [result])
  }

  /// The id of a report about a role, 36 characters as IAM's.
  private static func job(_ arn: String) -> String {
    let id = Identity.roleId(arn)
    return String(repeating: "0", count: 36 - id.count) + id
  }

  private func uses(_ job: String) throws(AWSError) -> XMLElement {
    try require("iam:GetServiceLastAccessedDetails", on: "*")
    guard let arn = world.roles.map(\.arn).first(where: { Self.job($0) == job }) else {
      throw AWSError(404, "NoSuchEntity", "There is no job with this id.")
    }
    let used = world.account?.used[arn] ?? []
    let services = (world.account?.usable ?? []).map { service in
      [XMLElement("ServiceName", text: service.uppercased())]
        + (used.contains(service) ? [XMLElement("LastAuthenticated", text: "2026-11-01T21:08:20Z")] : [])
        + [XMLElement("ServiceNamespace", text: service)]
    }
    let page = list("ServicesLastAccessed", services)
    return XMLElement("", [XMLElement("JobStatus", text: "COMPLETED")] + page.children)
  }

  // MARK: forms

  private func list(_ name: String, _ members: [[XMLElement]]) -> XMLElement {
    XMLElement("", [XMLElement(name, members.map { XMLElement("member", $0) }), XMLElement("IsTruncated", text: "false")])
  }

  /// As IAM returns documents: "URL-encoded compliant with RFC 3986" (IAM API, `GetRole`).
  private static func encoded(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: CharacterSet(charactersIn: "-._~").union(.alphanumerics)) ?? ""
  }
}
