import Foundation
import TestSupport
import Testing

@Suite("The simulator's account, as boto3 reads it")
struct AccountReadTests {
  /// Reads everything, and prints it as botocore understood it; of a refusal, its code and words.
  private static let script = """
    import boto3, botocore.exceptions, json, sys
    url, key, secret = sys.argv[1:]
    def client(service):
        return boto3.client(service, region_name="us-east-1", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret)
    iam, sso, store = client("iam"), client("sso-admin"), client("identitystore")
    found = {}
    def ask(name, call, **parameters):
        try:
            answer = call(**parameters)
            answer.pop("ResponseMetadata")
        except botocore.exceptions.ClientError as error:
            answer = {"refused": error.response["Error"]["Code"], "words": error.response["Error"]["Message"]}
        found[name] = answer
        return answer
    role = "arn:aws:iam::123456789012:role/app"
    ask("role", iam.get_role, RoleName="app")
    ask("none", iam.get_role, RoleName="none")
    ask("names", iam.list_role_policies, RoleName="app")
    ask("inline", iam.get_role_policy, RoleName="app", PolicyName="policy-1")
    ask("attached", iam.list_attached_role_policies, RoleName="app")
    ask("policy", iam.get_policy, PolicyArn="arn:aws:iam::123456789012:policy/own")
    ask("version", iam.get_policy_version, PolicyArn="arn:aws:iam::123456789012:policy/own", VersionId="v2")
    ask("groups", iam.list_groups_for_user, UserName="alice")
    ask("simulated", iam.simulate_principal_policy, PolicySourceArn=role, ActionNames=["s3:GetObject"], ResourceArns=["arn:aws:s3:::a/b"])
    job = ask("job", iam.generate_service_last_accessed_details, Arn=role)
    if "JobId" in job:
        ask("used", iam.get_service_last_accessed_details, JobId=job["JobId"])
    instance = ask("instances", sso.list_instances)
    if "Instances" in instance:
        instance = instance["Instances"][0]["InstanceArn"]
        (one,) = ask("sets", sso.list_permission_sets, InstanceArn=instance)["PermissionSets"]
        both = {"InstanceArn": instance, "PermissionSetArn": one}
        ask("set", sso.describe_permission_set, **both)
        ask("setInline", sso.get_inline_policy_for_permission_set, **both)
        ask("setManaged", sso.list_managed_policies_in_permission_set, **both)
        ask("setBoundary", sso.get_permissions_boundary_for_permission_set, **both)
        ask("assignments", sso.list_account_assignments, AccountId="123456789012", **both)
        ask("group", store.describe_group, IdentityStoreId="d-0123456789", GroupId="01234567-89ab-cdef-0123-456789abcdef")
    print(json.dumps(found, default=str))
    """

  private func read(_ world: STSWorld) async throws -> [String: [String: Any]] {
    let simulator = try await STSSimulatorProcess(world)
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.script, simulator.url, STSWorld.aliceAccessKeyId, STSWorld.aliceSecretAccessKey],
      environment: ["PATH": "/usr/bin:/bin"])
    try #require(result.succeeded, "\(result.errors)")
    return try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: [String: Any]] ?? [:]
  }

  private static func policy(_ action: String) -> String {
    #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"\#(action)","Resource":"*"}]}"#
  }

  private static var world: STSWorld {
    let group = "01234567-89ab-cdef-0123-456789abcdef"
    var world = STSWorld.standard
    let trust = #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#
    world.roles.append(
      STSWorld.Role(
        arn: "arn:aws:iam::123456789012:role/app", maxSessionDuration: 7_200, trustPolicy: trust, policies: [policy("s3:*")]))
    world.identityCenter?.policies = ["Developer": [policy("sts:AssumeRole")]]
    world.managedPolicies = ["arn:aws:iam::123456789012:policy/own": policy("ssm:GetParameter")]
    world.account = STSWorld.Account(
      readers: [STSWorld.aliceARN: ["iam:*", "sso:*", "identitystore:*"]], permissionSets: ["Developer"],
      assignments: [STSWorld.Account.Assignment("Developer", account: "123456789012", group: group)], groups: [group: "My Devs"],
      attached: ["arn:aws:iam::123456789012:role/app": ["arn:aws:iam::123456789012:policy/own"]],
      managed: ["Developer": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]], used: ["arn:aws:iam::123456789012:role/app": ["s3"]])
    return world
  }

  @Test("botocore understands every answer")
  func understood() async throws {
    let found = try await read(Self.world)
    func value(_ name: String, _ path: Any...) -> Any? {
      path.reduce(found[name]) { value, step in
        if let step = step as? String { return (value as? [String: Any])?[step] }
        guard let list = value as? [Any], let index = step as? Int, list.indices.contains(index) else { return nil }
        return list[index]
      }
    }
    func text(_ name: String, _ path: Any...) -> String? {
      switch path.count {
      case 1: value(name, path[0]) as? String
      case 2: value(name, path[0], path[1]) as? String
      default: value(name, path[0], path[1], path[2]) as? String
      }
    }
    // A document is decoded, and parsed, by botocore itself.
    #expect((value("role", "Role", "AssumeRolePolicyDocument") as? [String: Any])?["Version"] as? String == "2012-10-17")
    #expect(value("role", "Role", "MaxSessionDuration") as? Int == 7_200)
    #expect(text("none", "refused") == "NoSuchEntity")
    #expect(value("names", "PolicyNames") as? [String] == ["policy-1"])
    #expect((value("inline", "PolicyDocument") as? [String: Any])?["Statement"] != nil)
    #expect(text("attached", "AttachedPolicies", 0, "PolicyName") == "own")
    #expect(text("policy", "Policy", "DefaultVersionId") == "v2")
    #expect((value("version", "PolicyVersion", "Document") as? [String: Any])?["Version"] as? String == "2012-10-17")
    #expect((value("groups", "Groups") as? [Any])?.isEmpty == true)
    #expect(text("simulated", "EvaluationResults", 0, "EvalDecision") == "allowed")
    #expect(text("used", "JobStatus") == "COMPLETED")
    let services = value("used", "ServicesLastAccessed") as? [[String: Any]] ?? []
    #expect(
      services.compactMap { $0["LastAuthenticated"] == nil ? nil : $0["ServiceNamespace"] as? String } == ["s3"], "\(services)")
    #expect(text("set", "PermissionSet", "Name") == "Developer")
    #expect(text("setInline", "InlinePolicy") == Self.policy("sts:AssumeRole"))
    #expect(text("setManaged", "AttachedManagedPolicies", 0, "Arn") == "arn:aws:iam::aws:policy/ReadOnlyAccess")
    #expect(text("setBoundary", "refused") == "ResourceNotFoundException")
    #expect(text("assignments", "AccountAssignments", 0, "PrincipalType") == "GROUP")
    #expect(text("group", "DisplayName") == "My Devs")
  }

  @Test("who may not look is refused, in AWS's words and with each service's own code")
  func refused() async throws {
    let found = try await read(.standard)
    #expect(found["role"]?["refused"] as? String == "AccessDenied")
    #expect(
      found["role"]?["words"] as? String
        == "User: \(STSWorld.aliceARN) is not authorized to perform: iam:GetRole on resource: role app "
        + "because no identity-based policy allows the iam:GetRole action")
    #expect(found["instances"]?["refused"] as? String == "AccessDeniedException")
    #expect((found["instances"]?["words"] as? String)?.contains("sso:ListInstances") == true)
  }
}
