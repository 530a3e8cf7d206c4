import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

struct SSOAdminTests {
  private static let instance = "arn:aws:sso:::instance/ssoins-0123456789abcdef"
  private static let set = "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef"
  private static let account = "123456789012"

  static let calls: [(name: String, make: @Sendable (SSOAdminReader) async throws -> Void)] = [
    ("ListInstances", { _ = try await $0.instances() }),
    ("ListPermissionSets", { _ = try await $0.permissionSets(of: instance) }),
    ("DescribePermissionSet", { _ = try await $0.permissionSet(set, of: instance) }),
    ("GetInlinePolicyForPermissionSet", { _ = try await $0.inlinePolicy(of: set, instance: instance) }),
    ("ListManagedPoliciesInPermissionSet", { _ = try await $0.managedPolicies(of: set, instance: instance) }),
    ("ListCustomerManagedPolicyReferencesInPermissionSet", { _ = try await $0.customerPolicies(of: set, instance: instance) }),
    ("GetPermissionsBoundaryForPermissionSet", { _ = try await $0.permissionsBoundary(of: set, instance: instance) }),
    ("ListAccountAssignments", { _ = try await $0.assignments(of: set, in: account, instance: instance) }),
    (
      "ListPermissionSetsProvisionedToAccount",
      { _ = try await $0.provisioned(to: account, isLatest: false, instance: instance) }
    ),
  ]

  @Test("a request is the one that botocore sends", arguments: calls.map(\.name))
  func same(_ name: String) async throws {
    let service = ScriptedService([.failure(.tls(host: "h", why: "the end"))])
    let call = try #require(Self.calls.first { $0.name == name })
    _ = await failure(AWSError.self) { try await call.make(service.ssoAdmin.reader(service.signed(.identityCenterAdmin))) }
    try BotocoreRequestTests.expect(
      try #require(service.transport.requests.first), like: try #require(BotocoreRequestTests.rows[name]))
    let authorization = service.header("Authorization") ?? ""
    #expect(authorization.contains("/20261123/eu-west-1/sso/aws4_request"))
    #expect(authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,"))
  }

  @Test("a group's name is asked of the identity store")
  func group() async throws {
    let service = ScriptedService([
      .json(#"{"GroupId":"01234567-89ab-cdef-0123-456789abcdef","IdentityStoreId":"d-0123456789","DisplayName":"My Devs"}"#)
    ])
    let name = try await service.ssoAdmin.groupName(
      "01234567-89ab-cdef-0123-456789abcdef", in: "d-0123456789", at: service.signed(.identityStore))
    #expect(name == "My Devs")
    try BotocoreRequestTests.expect(
      try #require(service.transport.requests.first), like: try #require(BotocoreRequestTests.rows["DescribeGroup"]))
    #expect(service.header("Authorization")?.contains("/20261123/eu-west-1/identitystore/aws4_request") == true)
  }

  private func reader(_ bodies: String...) throws -> SSOAdminReader {
    let service = ScriptedService(bodies.map { .json($0) })
    return service.ssoAdmin.reader(try service.signed(.identityCenterAdmin))
  }

  @Test("instances, permission sets and their policies are read")
  func read() async throws {
    let instances = try await reader(
      #"{"Instances":[{"CreatedDate":1.7E9,"IdentityStoreId":"d-0123456789","InstanceArn":"\#(Self.instance)","OwnerAccountId":"1"}]}"#
    ).instances()
    #expect(instances == [SSOInstance(arn: Self.instance, identityStoreId: "d-0123456789")])
    #expect(try await reader(#"{"Instances":[]}"#).instances().isEmpty)
    #expect(try await reader(#"{"PermissionSets":["\#(Self.set)"]}"#).permissionSets(of: Self.instance) == [Self.set])
    let described = try await reader(
      #"{"PermissionSet":{"Name":"Dev","PermissionSetArn":"\#(Self.set)","CreatedDate":1.7E9,"SessionDuration":"PT1H"}}"#
    ).permissionSet(Self.set, of: Self.instance)
    #expect(described.name == "Dev")
    #expect(try await reader(#"{"InlinePolicy":"{\"a\":1}"}"#).inlinePolicy(of: Self.set, instance: Self.instance) == #"{"a":1}"#)
    for empty in ["{}", #"{"InlinePolicy":""}"#] {
      #expect(try await reader(empty).inlinePolicy(of: Self.set, instance: Self.instance) == nil)
    }
    let managed = try await reader(
      #"{"AttachedManagedPolicies":[{"Name":"ReadOnlyAccess","Arn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}]}"#
    ).managedPolicies(of: Self.set, instance: Self.instance)
    #expect(managed == ["arn:aws:iam::aws:policy/ReadOnlyAccess"])
    let references = try await reader(
      #"{"CustomerManagedPolicyReferences":[{"Name":"a"},{"Name":"b","Path":"/team/"}]}"#
    ).customerPolicies(of: Self.set, instance: Self.instance)
    #expect(references == [SSOPolicyReference(name: "a", path: "/"), SSOPolicyReference(name: "b", path: "/team/")])
  }

  @Test("assignments are read over all pages")
  func assignments() async throws {
    func page(_ kind: String, _ id: String) -> String {
      #"{"AccountAssignments":[{"PrincipalType":"\#(kind)","PrincipalId":"\#(id)"}]"#
    }
    let service = ScriptedService([.json(page("GROUP", "g-1") + #","NextToken":"abc"}"#), .json(page("USER", "u-1") + "}")])
    let found = try await service.ssoAdmin.reader(service.signed(.identityCenterAdmin)).assignments(
      of: Self.set, in: Self.account, instance: Self.instance)
    #expect(found == [SSOAssignment(kind: .group, principalId: "g-1"), SSOAssignment(kind: .user, principalId: "u-1")])
    #expect(service.transport.requests[1].body.revealed.hasSuffix(#""MaxResults":100,"NextToken":"abc"}"#))
  }

  @Test("a permission set without a boundary has none, and every other refusal stays one")
  func boundary() async throws {
    func boundary(_ step: ScriptedTransport.Step) async throws -> String? {
      let service = ScriptedService([step])
      return try await service.ssoAdmin.reader(service.signed(.identityCenterAdmin)).permissionsBoundary(
        of: Self.set, instance: Self.instance)
    }
    #expect(try await boundary(.exception("ResourceNotFoundException", status: 400)) == nil)
    #expect(
      try await boundary(.json(#"{"PermissionsBoundary":{"CustomerManagedPolicyReference":{"Name":"edge","Path":"/"}}}"#))
        == "edge")
    let error = await failure(AWSError.self) { _ = try await boundary(.exception("AccessDeniedException", status: 400)) }
    #expect(error?.code == "AccessDeniedException")
  }

  @Test(
    "an answer that cannot be is believed from no one",
    arguments: [
      #"{"Instances":[{"InstanceArn":"x","IdentityStoreId":"d-0123456789"}]}"#, #"{"Instances":[{}]}"#, #"{"Instances":{}}"#,
      #"{"Instances":["x"]}"#, "[]", "",
      #"{"Instances":[{"InstanceArn":"arn:aws:sso:::in\u001bstance/x","IdentityStoreId":"d"}]}"#,
    ])
  func malformed(_ body: String) async throws {
    let reader = try reader(body, body, body)
    let error = await failure(AWSError.self) { _ = try await reader.instances() }
    if case .malformedResponse = error?.cause {} else { Issue.record("\(String(describing: error))") }
  }

  @Test("pages come to an end")
  func pages() async throws {
    let endless = ScriptedService((0..<60).map { .json(#"{"PermissionSets":[],"NextToken":"\#($0)"}"#) })
    let reader = endless.ssoAdmin.reader(try endless.signed(.identityCenterAdmin))
    #expect(await failure(AWSError.self) { _ = try await reader.permissionSets(of: Self.instance) } != nil)
    #expect(endless.transport.requests.count == SSOAdminReader.maxPages)
    let same = try self.reader(#"{"PermissionSets":[],"NextToken":"a"}"#, #"{"PermissionSets":[],"NextToken":"a"}"#)
    #expect(await failure(AWSError.self) { _ = try await same.permissionSets(of: Self.instance) } != nil)
  }
}
