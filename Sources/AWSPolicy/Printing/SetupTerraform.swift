import VaultBytes

extension RoleSetup {
  /// Resources for Terraform's AWS provider.
  var terraform: String {
    let label = Self.label(role.arn.name)
    var file = TerraformFile()
    file.comment("\(role.trust.meaning).")
    file.comment(
      "The provider \"aws\" calls account \(role.arn.account)"
        + (permissionSet.map { ", in IAM Identity Center's region \($0.region)." } ?? "."))
    file.block(
      "resource", "aws_iam_role", label: label,
      values: [
        ("name", .text(role.arn.name)), ("path", .text(role.arn.path)), ("description", .text(mark)),
        ("max_session_duration", .code(String(role.maxSessionSeconds))), ("assume_role_policy", .policy(role.trust.document)),
      ])
    file.block(
      "resource", "aws_iam_policy", label: label,
      values: [
        ("name", .text(applicationPolicy.name)), ("description", .text(mark)), ("policy", .policy(applicationPolicy.document)),
      ])
    file.block(
      "resource", "aws_iam_role_policy_attachment", label: label,
      values: [("role", .code("aws_iam_role.\(label).name")), ("policy_arn", .code("aws_iam_policy.\(label).arn"))])
    if role.hasInstanceProfile {
      file.block(
        "resource", "aws_iam_instance_profile", label: label,
        values: [("name", .text(role.arn.name)), ("role", .code("aws_iam_role.\(label).name"))])
    }
    if let assumePolicy {
      func inline(_ kind: String, _ name: String) {
        file.block(
          "resource", "aws_iam_\(kind)_policy", label: label + "_assume",
          values: [("name", .text(assumePolicy.name)), (kind, .text(name)), ("policy", .policy(assumePolicy.document))])
      }
      switch callerPolicy {
      case .user(let name): inline("user", name)
      case .role(let name): inline("role", name)
      case .permissionSet, .elsewhere: break
      }
    }
    if let permissionSet { file.add(permissionSet, label, mark: mark) }
    return file.text
  }

  /// The role's name as an identifier: letters, digits and `_`.
  static func label(_ name: String) -> String {
    let label = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    return label.first?.isNumber == true ? "_" + label : label
  }
}

/// A file of Terraform's, block by block.
private struct TerraformFile {
  enum Value {
    case text(String)
    case code(String)
    case policy(PolicyDocument)

    var expression: String {
      switch self {
      case .text(let text): HCL.quoted(text)
      case .code(let code): code
      case .policy(let document): "jsonencode(\(HCL.expression(document.json, indent: 2)))"
      }
    }
  }

  var text = ""

  mutating func comment(_ line: String) { text += "# \(safeText(line))\n" }

  mutating func block(_ kind: String, _ type: String, label: String, values: [(String, Value)], nested: String = "") {
    text += "\n\(kind) \"\(type)\" \"\(label)\" {\n"
    text += HCL.aligned(values.map { ($0.0, $0.1.expression) }, indent: 2) + nested + "}\n"
  }

  mutating func add(_ set: RoleSetup.PermissionSet, _ label: String, mark: String) {
    let instance = Value.code("tolist(data.aws_ssoadmin_instances.\(label).arns)[0]")
    let store = Value.code("tolist(data.aws_ssoadmin_instances.\(label).identity_store_ids)[0]")
    let arn = Value.code("aws_ssoadmin_permission_set.\(label).arn")
    let group = Value.code("aws_identitystore_group.\(label).group_id")
    text += "\ndata \"aws_ssoadmin_instances\" \"\(label)\" {}\n"
    block(
      "resource", "aws_ssoadmin_permission_set", label: label,
      values: [
        ("instance_arn", instance), ("name", .text(set.name)), ("description", .text(mark)),
        ("session_duration", .text(isoDuration(set.sessionSeconds))),
      ])
    block(
      "resource", "aws_ssoadmin_permission_set_inline_policy", label: label,
      values: [("instance_arn", instance), ("permission_set_arn", arn), ("inline_policy", .policy(set.inlinePolicy))])
    block(
      "resource", "aws_identitystore_group", label: label,
      values: [("identity_store_id", store), ("display_name", .text(set.group)), ("description", .text(mark))])
    for (index, member) in set.members.enumerated() {
      let user = "\(label)_\(index + 1)"
      let name = HCL.aligned([("attribute_path", "\"UserName\""), ("attribute_value", HCL.quoted(member))], indent: 6)
      block(
        "data", "aws_identitystore_user", label: user, values: [("identity_store_id", store)],
        nested: "\n  alternate_identifier {\n    unique_attribute {\n\(name)    }\n  }\n")
      block(
        "resource", "aws_identitystore_group_membership", label: user,
        values: [
          ("identity_store_id", store), ("group_id", group), ("member_id", .code("data.aws_identitystore_user.\(user).user_id")),
        ])
    }
    // AWS refuses to assign a permission set while its policy is being changed.
    block(
      "resource", "aws_ssoadmin_account_assignment", label: label,
      values: [
        ("instance_arn", instance), ("permission_set_arn", arn), ("principal_type", .text("GROUP")), ("principal_id", group),
        ("target_type", .text("AWS_ACCOUNT")), ("target_id", .text(set.account)),
      ], nested: "\n  depends_on = [aws_ssoadmin_permission_set_inline_policy.\(label)]\n")
  }
}
