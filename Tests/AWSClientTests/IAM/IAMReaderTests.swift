import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

struct IAMReaderTests {
  private static let role = "arn:aws:iam::123456789012:role/app"
  private static let policy = "arn:aws:iam::123456789012:policy/app/Read+Write"

  private static func answer(_ action: String, _ result: String) -> ScriptedTransport.Step {
    .answer(
      status: 200,
      body: """
        <\(action)Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
          <\(action)Result>\(result)</\(action)Result>
          <ResponseMetadata><RequestId>req-iam</RequestId></ResponseMetadata>
        </\(action)Response>
        """)
  }

  private static let trust =
    #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:*"}]}"#

  /// As IAM's documentation shows it (IAM API, `GetRole`), with a tag and the last use.
  private static func role(
    _ document: String = SigV4.encoded(trust), seconds: String = "<MaxSessionDuration>7200</MaxSessionDuration>"
  )
    -> ScriptedTransport.Step
  {
    answer(
      "GetRole",
      """
      <Role>
        <Path>/</Path>
        <AssumeRolePolicyDocument>\(document)</AssumeRolePolicyDocument>
        \(seconds)
        <RoleId>AROADBQP57FF2AEXAMPLE</RoleId>
        <RoleLastUsed><LastUsedDate>2019-11-20T17:09:20Z</LastUsedDate><Region>us-east-1</Region></RoleLastUsed>
        <RoleName>app</RoleName>
        <Arn>\(role)</Arn>
        <Tags><member><Key>Arn</Key><Value>another</Value></member></Tags>
        <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>
          <PermissionsBoundaryArn>\(policy)</PermissionsBoundaryArn></PermissionsBoundary>
        <CreateDate>2013-04-18T05:01:58Z</CreateDate>
      </Role>
      """)
  }

  static let calls: [(name: String, make: @Sendable (IAMReader) async throws -> Void)] = [
    ("GetRole", { _ = try await $0.role("My=App,Role.1@x-y") }),
    ("ListAttachedRolePolicies", { _ = try await $0.attachedPolicies(of: .role("app")) }),
    ("ListRolePolicies", { _ = try await $0.inlinePolicies(of: .role("app")) }),
    ("GetRolePolicy", { _ = try await $0.inlinePolicy("in+line", of: .role("app")) }),
    ("GetPolicy", { _ = try await $0.managedPolicy(policy) }),
    ("GetPolicyVersion", { _ = try await $0.managedPolicy(policy) }),
    ("GetUser", { _ = try await $0.permissionsBoundary(ofUser: "ann") }),
    ("ListAttachedUserPolicies", { _ = try await $0.attachedPolicies(of: .user("ann")) }),
    ("ListUserPolicies", { _ = try await $0.inlinePolicies(of: .user("ann")) }),
    ("GetUserPolicy", { _ = try await $0.inlinePolicy("p", of: .user("ann")) }),
    ("ListGroupsForUser", { _ = try await $0.groups(ofUser: "ann") }),
    ("ListAttachedGroupPolicies", { _ = try await $0.attachedPolicies(of: .group("devs")) }),
    ("ListGroupPolicies", { _ = try await $0.inlinePolicies(of: .group("devs")) }),
    ("GetGroupPolicy", { _ = try await $0.inlinePolicy("p", of: .group("devs")) }),
    (
      "SimulatePrincipalPolicy",
      {
        _ = try await $0.simulate(
          "sts:AssumeRole", on: role,
          by: "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef",
          context: [("sts:ExternalId", "x&y")])
      }
    ),
    ("GenerateServiceLastAccessedDetails", { _ = try await $0.serviceUses(of: role) }),
    ("GetServiceLastAccessedDetails", { _ = try await $0.serviceUses(of: role) }),
  ]

  @Test("a request is the one that botocore sends", arguments: calls.map(\.name))
  func same(_ name: String) async throws {
    // The first call of two, for those that are made of two.
    let first: ScriptedTransport.Step? =
      switch name {
      case "GetPolicyVersion": Self.answer("GetPolicy", "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>")
      case "GetServiceLastAccessedDetails":
        Self.answer("GenerateServiceLastAccessedDetails", "<JobId>98a765b4-3cde-2101-2345-example678f9</JobId>")
      default: nil
      }
    let service = ScriptedService([first, .failure(.tls(host: "h", why: "the end"))].compactMap { $0 })
    let call = try #require(Self.calls.first { $0.name == name })
    _ = await failure(AWSError.self) { try await call.make(service.iam.reader(service.signed(.iam))) }
    try BotocoreRequestTests.expect(
      try #require(service.transport.requests.last), like: try #require(BotocoreRequestTests.rows[name]))
    #expect(service.header("Authorization")?.contains("/20261123/us-east-1/iam/aws4_request") == true)
    #expect(service.header("X-Amz-Security-Token") == "the+token")
  }

  private func reader(_ steps: [ScriptedTransport.Step]) throws -> IAMReader {
    let service = ScriptedService(steps)
    return service.iam.reader(try service.signed(.iam))
  }

  @Test("a role is read with its trust policy, decoded")
  func getRole() async throws {
    let role = try await reader([Self.role()]).role("app")
    #expect(role.arn == Self.role && role.trustPolicy == Self.trust && role.maxSessionDuration == 7_200)
    #expect(role.permissionsBoundary == Self.policy)
    // A plus is no blank in RFC 3986, and a role without a duration has IAM's default.
    let plain = try await reader([Self.role("%7b+%C3%A9%7D", seconds: "")]).role("app")
    #expect(plain.trustPolicy == "{+é}" && plain.maxSessionDuration == 3_600)
  }

  @Test(
    "a role that cannot be is believed from no one",
    arguments: [
      role(""), role("%7"), role("%zz"), role("%FF%FE"), role(seconds: "<MaxSessionDuration>1</MaxSessionDuration>"),
      role(seconds: "<MaxSessionDuration>43201</MaxSessionDuration>"),
      role(seconds: "<MaxSessionDuration>-</MaxSessionDuration>"),
      answer("GetRole", ""), answer("GetRole", "<Role><Arn>x</Arn></Role>"), .answer(status: 200, body: "<html>"),
      .answer(status: 200, body: #"<!DOCTYPE a [<!ENTITY b "c">]><GetRoleResponse>&b;</GetRoleResponse>"#),
    ])
  func malformedRole(_ step: ScriptedTransport.Step) async throws {
    let reader = try reader([step, step, step])
    let error = await failure(AWSError.self) { _ = try await reader.role("app") }
    if case .malformedResponse = error?.cause {} else { Issue.record("\(String(describing: error))") }
  }

  @Test("a refusal keeps AWS's code and words")
  func refused() async throws {
    let text =
      "User: arn:aws:sts::123456789012:assumed-role/x/ann is not authorized to perform: iam:GetRole on resource: role app"
    let reader = try reader([.error("AccessDenied", text, status: 403)])
    let error = await failure(AWSError.self) { _ = try await reader.role("app") }
    #expect(error?.code == "AccessDenied" && error?.message.contains("iam:GetRole") == true)
  }

  @Test("policies are listed over all pages, and read")
  func policies() async throws {
    func page(_ arn: String, more: String = "<IsTruncated>false</IsTruncated>") -> ScriptedTransport.Step {
      Self.answer(
        "ListAttachedRolePolicies",
        "<AttachedPolicies><member><PolicyName>p</PolicyName><PolicyArn>\(arn)</PolicyArn></member></AttachedPolicies>" + more)
    }
    let second = Self.policy + "2"
    let service = ScriptedService([page(Self.policy, more: "<IsTruncated>true</IsTruncated><Marker>m/1</Marker>"), page(second)])
    let attached = try await service.iam.reader(service.signed(.iam)).attachedPolicies(of: .role("app"))
    #expect(attached == [Self.policy, second])
    #expect(service.transport.requests[1].body.revealed.hasSuffix("&RoleName=app&Marker=m%2F1"))
    let names = try await reader([
      Self.answer(
        "ListRolePolicies",
        "<PolicyNames> <member>one</member> <member>two</member> </PolicyNames><IsTruncated>false</IsTruncated>")
    ]).inlinePolicies(of: .role("app"))
    #expect(names == ["one", "two"])
    let inline = Self.answer(
      "GetRolePolicy", "<RoleName>app</RoleName><PolicyName>one</PolicyName><PolicyDocument>%7B%7D</PolicyDocument>")
    #expect(try await reader([inline]).inlinePolicy("one", of: .role("app")) == "{}")
    let managed = try await reader([
      Self.answer("GetPolicy", "<Policy><PolicyName>p</PolicyName><DefaultVersionId>v12</DefaultVersionId></Policy>"),
      Self.answer(
        "GetPolicyVersion", "<PolicyVersion><Document>%7B%22a%22%3A1%7D</Document><VersionId>v12</VersionId></PolicyVersion>"),
    ]).managedPolicy(Self.policy)
    #expect(managed == #"{"a":1}"#)
    let groups = try await reader([
      Self.answer("ListGroupsForUser", "<Groups><member><GroupName>devs</GroupName></member></Groups>")
    ]).groups(ofUser: "ann")
    #expect(groups == ["devs"])
  }

  @Test("a list that cannot be is believed from no one, and pages come to an end")
  func badLists() async throws {
    let bad = ["<member>a/b</member>", "<member>a b</member>", "<member>\(String(repeating: "a", count: 129))</member>"]
    for member in bad {
      let reader = try reader([Self.answer("ListRolePolicies", "<PolicyNames>\(member)</PolicyNames>")])
      #expect(await failure(AWSError.self) { _ = try await reader.inlinePolicies(of: .role("app")) } != nil, "\(member)")
    }
    let endless = ScriptedService(
      (0..<20).map { Self.answer("ListRolePolicies", "<IsTruncated>true</IsTruncated><Marker>\($0)</Marker>") })
    let reader = endless.iam.reader(try endless.signed(.iam))
    #expect(await failure(AWSError.self) { _ = try await reader.inlinePolicies(of: .role("app")) } != nil)
    #expect(endless.transport.requests.count == IAMReader.maxPages)
  }

  @Test("a simulation is read with the policies that match, and what the organization says")
  func simulated() async throws {
    let result = """
      <EvaluationResults><member>
        <EvalActionName>sts:AssumeRole</EvalActionName><EvalResourceName>\(Self.role)</EvalResourceName>
        <EvalDecision>explicitDeny</EvalDecision>
        <MatchedStatements><member><SourcePolicyId>p</SourcePolicyId><SourcePolicyType>IAM Policy</SourcePolicyType>
          <StartPosition><Line>1</Line><Column>2</Column></StartPosition><EndPosition><Line>3</Line><Column>4</Column></EndPosition>
        </member></MatchedStatements>
        <MissingContextValues><member>aws:username</member></MissingContextValues>
        <OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations></OrganizationsDecisionDetail>
        <PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>true</AllowedByPermissionsBoundary>
        </PermissionsBoundaryDecisionDetail>
        <ResourceSpecificResults><member><EvalResourceName>\(Self.role)</EvalResourceName>
          <EvalResourceDecision>explicitDeny</EvalResourceDecision>
          <MatchedStatements><member><SourcePolicyId>p</SourcePolicyId></member></MatchedStatements></member></ResourceSpecificResults>
      </member></EvaluationResults><IsTruncated>false</IsTruncated>
      """
    let decision = try await reader([Self.answer("SimulatePrincipalPolicy", result)]).simulate(
      "sts:AssumeRole", on: Self.role, by: Self.role)
    #expect(
      decision
        == SimulatedDecision(
          decision: .explicitDeny, policies: ["p"], missingContext: ["aws:username"], isAllowedByOrganization: false,
          isAllowedByBoundary: true))
    for bad in ["", result.replacing("explicitDeny</EvalDecision>", with: "maybe</EvalDecision>")] {
      let reader = try reader([Self.answer("SimulatePrincipalPolicy", bad)])
      #expect(await failure(AWSError.self) { _ = try await reader.simulate("sts:AssumeRole", on: "r", by: "p") } != nil)
    }
  }

  @Test("the report of used services is waited for, and read over all pages")
  func used() async throws {
    let job = Self.answer("GenerateServiceLastAccessedDetails", "<JobId>job-1</JobId>")
    func page(_ status: String, _ rest: String = "") -> ScriptedTransport.Step {
      Self.answer("GetServiceLastAccessedDetails", "<JobStatus>\(status)</JobStatus>\(rest)")
    }
    func service(_ name: String, _ last: String = "") -> String {
      "<ServicesLastAccessed><member><ServiceName>x</ServiceName>\(last)<ServiceNamespace>\(name)</ServiceNamespace></member>"
        + "</ServicesLastAccessed>"
    }
    let last = "<LastAuthenticated>2026-11-01T21:08:20Z</LastAuthenticated>"
    let uses = try await reader([
      job, page("IN_PROGRESS"), page("IN_PROGRESS"),
      page("COMPLETED", service("ssm", last) + "<IsTruncated>true</IsTruncated><Marker>m</Marker>"),
      page("COMPLETED", service("dynamodb") + "<IsTruncated>false</IsTruncated>"),
    ]).serviceUses(of: Self.role)
    #expect(
      uses == [
        ServiceUse(service: "ssm", lastUsed: Timestamp(iso8601: "2026-11-01T21:08:20Z")),
        ServiceUse(service: "dynamodb", lastUsed: nil),
      ])
    #expect(try await reader([job, page("FAILED")]).serviceUses(of: Self.role) == nil)
    let slow = Array(repeating: page("IN_PROGRESS"), count: IAMReader.pollDelays.count)
    #expect(try await reader([job] + slow).serviceUses(of: Self.role) == nil)
  }
}
