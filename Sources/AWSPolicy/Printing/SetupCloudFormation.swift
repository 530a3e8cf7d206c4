import VaultBytes
import VaultModel

extension RoleSetup {
  /// A template for CloudFormation, in YAML.
  ///
  /// One template serves both accounts, if IAM Identity Center is administered in another: each stack makes its own part.
  ///
  /// - Throws: bad data, if a text would be taken for a dynamic reference, which nothing can escape.
  func cloudFormation() throws(Failure) -> String {
    let template = JSONValue.object(
      [
        JSONMember("AWSTemplateFormatVersion", .string("2010-09-09")), JSONMember("Description", .string(mark)),
      ] + (permissionSet.map { [JSONMember("Parameters", parameters($0))] } ?? []) + [
        JSONMember("Conditions", conditions), JSONMember("Resources", resources),
      ])
    guard !template.hasText(containing: "{{resolve:") else {
      throw Failure(
        "CloudFormation would take \"{{resolve:\" in a policy or a name for a secret to insert", hint: "use another format",
        exitStatus: .badData)
    }
    return "# \(safeText(role.trust.meaning)).\n" + YAML.text(template)
  }

  private func parameters(_ set: PermissionSet) -> JSONValue {
    func parameter(_ name: String, _ description: String, standard: String = "", pattern: String) -> JSONMember {
      JSONMember(
        name,
        .strings([
          ("Type", "String"), ("Description", description), ("Default", standard), ("AllowedPattern", pattern),
        ]))
    }
    let members = set.members.enumerated().map { index, member in
      // A description has 4,000 characters at most.
      parameter("Member\(index + 1)Id", "The user ID of \(safeText(member))", pattern: "^[A-Za-z0-9-]{0,47}$")
    }
    return .object(
      [
        parameter(
          "InstanceArn", "The ARN of IAM Identity Center's instance; empty in an account that does not administer it",
          pattern: "^$|^arn:aws[a-z-]*:sso:::instance/(sso)?ins-[a-zA-Z0-9.-]{16}$"),
        parameter(
          "IdentityStoreId", "The ID of its identity store", standard: "d-0000000000", pattern: "^(d-[0-9a-z]{10}|[0-9a-f-]{36})$"
        ),
      ] + members)
  }

  private var conditions: JSONValue {
    func isSet(_ parameter: String) -> JSONValue {
      .function("Fn::Not", .array([.function("Fn::Equals", .array([.reference(parameter), .string("")]))]))
    }
    var list = [
      JSONMember("IsRoleAccount", .function("Fn::Equals", .array([.reference("AWS::AccountId"), .string(role.arn.account)])))
    ]
    if let permissionSet {
      list.append(JSONMember("HasIdentityCenter", isSet("InstanceArn")))
      for index in permissionSet.members.indices {
        list.append(
          JSONMember(
            "HasMember\(index + 1)",
            .function("Fn::And", .array([.function("Condition", .string("HasIdentityCenter")), isSet("Member\(index + 1)Id")]))))
      }
    }
    return .object(list)
  }

  private var resources: JSONValue {
    func resource(_ name: String, _ type: String, if condition: String, properties: [(String, JSONValue)]) -> JSONMember {
      JSONMember(
        name,
        .object([
          JSONMember("Type", .string(type)), JSONMember("Condition", .string(condition)),
          JSONMember("Properties", .object(properties.map { JSONMember($0.0, $0.1) })),
        ]))
    }
    let here = "IsRoleAccount"
    var list = [
      resource(
        "Role", "AWS::IAM::Role", if: here,
        properties: [
          ("RoleName", .string(role.arn.name)), ("Path", .string(role.arn.path)), ("Description", .string(mark)),
          ("MaxSessionDuration", .number(String(role.maxSessionSeconds))),
          ("AssumeRolePolicyDocument", role.trust.document.json),
        ]),
      resource(
        "ApplicationPolicy", "AWS::IAM::ManagedPolicy", if: here,
        properties: [
          ("ManagedPolicyName", .string(applicationPolicy.name)), ("Description", .string(mark)),
          ("PolicyDocument", applicationPolicy.document.json), ("Roles", .array([.reference("Role")])),
        ]),
    ]
    if role.hasInstanceProfile {
      list.append(
        resource(
          "InstanceProfile", "AWS::IAM::InstanceProfile", if: here,
          properties: [("InstanceProfileName", .string(role.arn.name)), ("Roles", .array([.reference("Role")]))]))
    }
    if let assumePolicy {
      func inline(_ kind: String, _ name: String) {
        list.append(
          resource(
            "AssumePolicy", "AWS::IAM::\(kind)Policy", if: here,
            properties: [
              ("PolicyName", .string(assumePolicy.name)), ("\(kind)Name", .string(name)),
              ("PolicyDocument", assumePolicy.document.json),
            ]))
      }
      switch callerPolicy {
      case .user(let name): inline("User", name)
      case .role(let name): inline("Role", name)
      case .permissionSet, .elsewhere: break
      }
    }
    guard let set = permissionSet else { return .object(list) }
    let center = "HasIdentityCenter"
    let (instance, store) = (JSONValue.reference("InstanceArn"), JSONValue.reference("IdentityStoreId"))
    let group = JSONValue.attribute("Group", "GroupId")
    list.append(
      resource(
        "PermissionSet", "AWS::SSO::PermissionSet", if: center,
        properties: [
          ("InstanceArn", instance), ("Name", .string(set.name)), ("Description", .string(mark)),
          ("SessionDuration", .string(isoDuration(set.sessionSeconds))), ("InlinePolicy", set.inlinePolicy.json),
        ]))
    list.append(
      resource(
        "Group", "AWS::IdentityStore::Group", if: center,
        properties: [("IdentityStoreId", store), ("DisplayName", .string(set.group)), ("Description", .string(mark))]))
    for index in set.members.indices {
      list.append(
        resource(
          "Membership\(index + 1)", "AWS::IdentityStore::GroupMembership", if: "HasMember\(index + 1)",
          properties: [
            ("IdentityStoreId", store), ("GroupId", group),
            ("MemberId", .object([JSONMember("UserId", .reference("Member\(index + 1)Id"))])),
          ]))
    }
    list.append(
      resource(
        "Assignment", "AWS::SSO::Assignment", if: center,
        properties: [
          ("InstanceArn", instance), ("PermissionSetArn", .attribute("PermissionSet", "PermissionSetArn")),
          ("PrincipalType", .string("GROUP")), ("PrincipalId", group), ("TargetType", .string("AWS_ACCOUNT")),
          ("TargetId", .string(set.account)),
        ]))
    return .object(list)
  }
}

extension JSONValue {
  fileprivate static func strings(_ members: [(String, String)]) -> JSONValue {
    .object(members.map { JSONMember($0.0, .string($0.1)) })
  }

  fileprivate static func function(_ name: String, _ argument: JSONValue) -> JSONValue { .object([JSONMember(name, argument)]) }
  fileprivate static func reference(_ name: String) -> JSONValue { .function("Ref", .string(name)) }

  fileprivate static func attribute(_ resource: String, _ name: String) -> JSONValue {
    .function("Fn::GetAtt", .array([.string(resource), .string(name)]))
  }

  /// Whether a string or a name in the value contains a text.
  fileprivate func hasText(containing text: String) -> Bool {
    switch self {
    case .object(let members): members.contains { $0.name.contains(text) || $0.value.hasText(containing: text) }
    case .array(let values): values.contains { $0.hasText(containing: text) }
    case .string(let own): own.contains(text)
    case .number, .bool, .null: false
    }
  }
}
