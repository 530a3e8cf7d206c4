import AWSPolicy
import Testing
import VaultModel

/// A chain of profile `app-dev`, which the article's permission set begins unless `identity` says otherwise.
func chain(_ identity: IdentityLink? = nil, _ roles: [RoleLink]) -> CredentialChain {
  let place = SSOSessionConfig(
    name: "corp", startURL: "https://corp.awsapps.com/start", region: "eu-west-1", scopes: [], isSession: true)
  return CredentialChain(
    profile: "app-dev",
    identity: identity
      ?? .sso(profile: "app-dev", accountId: "123456789012", roleName: "MyApplicationDevPermissions", place: place),
    roles: roles, region: "eu-west-1", endpoint: EndpointSettings())
}

func link(_ name: String = "my-application-dev-role", _ change: (inout RoleLink) -> Void = { _ in }) throws -> RoleLink {
  var link = RoleLink(profile: "app-dev", roleARN: try #require(RoleARN("arn:aws:iam::123456789012:role/\(name)")))
  change(&link)
  return link
}

@Suite("What a profile needs on the AWS side")
struct AccessNeedsTests {
  @Test func `a role from a permission set needs the one action, and lasts an hour at most`() throws {
    let needs = try #require(AccessNeeds(chain(nil, [link { $0.duration = SessionDuration(seconds: 43_200) }])))
    #expect(needs.door == .permissionSet(name: "MyApplicationDevPermissions", account: "123456789012", region: "eu-west-1"))
    #expect(needs.trustedActions == ["sts:AssumeRole"])
    #expect(needs.identityActions == ["sts:AssumeRole"])
    #expect(needs.sent.requestedSeconds == 43_200)
    #expect(needs.sent.seconds == 3_600)
    #expect(needs.door.noMFA != nil)
  }

  @Test func `a role from an IAM user's key may last as long as it asks for, and may demand MFA`() throws {
    let keys = IdentityLink.keys(name: "base", accessKeyId: "AKIA", mfaSerial: nil)
    let needs = try #require(AccessNeeds(chain(keys, [link { $0.duration = SessionDuration(seconds: 43_200) }])))
    #expect(needs.sent.seconds == 43_200)
    #expect(needs.door.noMFA == nil)
  }

  @Test func `a source identity and tags need an action each`() throws {
    let sent = try link {
      $0.sourceIdentity = "alice"
      $0.tags = [SessionTag(key: "team", value: "a")]
    }
    #expect(
      AccessNeeds(chain(nil, [sent]))?.trustedActions == ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"])
  }

  @Test func `a chained role inherits the source identity and the transitive tags, and no others`() throws {
    let first = try link("hub") {
      $0.sourceIdentity = "alice"
      $0.tags = [SessionTag(key: "team", value: "a"), SessionTag(key: "task", value: "b")]
      $0.transitiveTagKeys = ["team"]
    }
    let calls = AccessNeeds.calls(of: chain(nil, [first, try link()]))
    #expect(calls.map(\.role.name) == ["hub", "my-application-dev-role"])
    #expect(calls[1].door == .role(calls[0].role))
    #expect(calls[1].sent.inheritedTags == [SessionTag(key: "team", value: "a")])
    #expect(calls[1].trustedActions == ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"])
  }

  @Test func `a token's call sends nothing of the profile's but its duration, and needs no policy of a caller`() throws {
    let role = try link { $0.sourceIdentity = "alice" }
    let calls = AccessNeeds.calls(of: chain(.webIdentity(role, token: .gitHubActions(audience: "sts.amazonaws.com")), []))
    #expect(calls.count == 1)
    #expect(calls[0].trustedActions == ["sts:AssumeRoleWithWebIdentity"])
    #expect(calls[0].identityActions == [])
    #expect(!calls[0].sent.isChained)
  }

  @Test func `a profile with an identity's own credentials needs no role`() {
    #expect(AccessNeeds(chain(nil, [])) == nil)
  }

  @Test(arguments: [("dev", "/"), ("a/b/dev", "/a/b/"), ("aws-reserved/dev", "/aws-reserved/")])
  func `a role's path is what stands before its name`(resource: String, path: String) throws {
    let arn = try link(resource).roleARN
    #expect(arn.path == path)
    #expect(arn.name == "dev")
  }
}
