import VaultModel

/// A change as Terraform writes it, for a person to copy.
enum Terraform {
  /// A role's trust policy.
  static func trust(_ document: PolicyDocument, of role: RoleARN) -> String {
    self.role(role, ("assume_role_policy", policy(document)))
  }

  /// A setting of a role.
  static func role(_ role: RoleARN, _ setting: (String, String)) -> String {
    resource("aws_iam_role", role.name, setting: [("name", HCL.quoted(role.name)), setting])
  }

  /// A policy of the caller, or of the role itself; nil for a caller whose policies are not known to be a user's or a role's.
  static func policy(_ document: PolicyDocument, of door: Door, caller: String?) -> String? {
    switch door {
    case .permissionSet(let name, _, _):
      return resource(
        "aws_ssoadmin_permission_set_inline_policy", name, setting: subject(name) + [("inline_policy", policy(document))])
    case .role(let holder):
      return resource(
        "aws_iam_role_policy", holder.name, setting: [("role", HCL.quoted(holder.name)), ("policy", policy(document))])
    default:
      guard let caller, let user = IAMUser(caller) else { return nil }
      return resource("aws_iam_user_policy", user.name, setting: [("user", HCL.quoted(user.name)), ("policy", policy(document))])
    }
  }

  static func assignment(of permissionSet: String, account: String) -> String {
    resource(
      "aws_ssoadmin_account_assignment", permissionSet,
      setting: subject(permissionSet) + [
        ("principal_type", HCL.quoted("GROUP")), ("principal_id", "aws_identitystore_group.\(label(permissionSet)).group_id"),
        ("target_type", HCL.quoted("AWS_ACCOUNT")), ("target_id", HCL.quoted(account)),
      ])
  }

  private static func subject(_ permissionSet: String) -> [(String, String)] {
    let set = "aws_ssoadmin_permission_set.\(label(permissionSet))"
    return [("instance_arn", set + ".instance_arn"), ("permission_set_arn", set + ".arn")]
  }

  private static func policy(_ document: PolicyDocument) -> String { "jsonencode(\(HCL.expression(document.json, indent: 2)))" }

  private static func resource(_ type: String, _ name: String, setting values: [(String, String)]) -> String {
    "resource \"\(type)\" \"\(label(name))\" {\n" + HCL.aligned(values, indent: 2) + "}"
  }

  private static func label(_ name: String) -> String { RoleSetup.label(name) }
}
