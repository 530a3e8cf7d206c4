import Testing
import VaultModel

@testable import AWSPolicy

/// What `vault iam check` says of a snapshot.
struct AccountCheckTests {
  private static let role = "arn:aws:iam::123456789012:role/app"
  private static let door = Door.permissionSet(name: "Dev", account: "123456789012", region: "eu-west-1")
  private static let session = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/ann"
  private static let reserved =
    "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0123456789abcdef"
  private static let trust = """
    {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},\
    "Action":"sts:AssumeRole","Condition":CONDITION}]}
    """

  private func findings(
    trust: String, policies: [AttachedPolicy] = [], caller: Result<CallerSnapshot, AccountSnapshot.NoCaller>? = nil,
    outcome: AssumeOutcome = .refused("AccessDenied"), sent: SentParameters = SentParameters(isChained: true)
  ) throws -> [Finding] {
    let needs = AccessNeeds(profile: "app", door: Self.door, role: try #require(RoleARN(Self.role)), sent: sent)
    let assume = AttachedPolicy(
      name: "inline",
      text: #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"\#(Self.role)"}]}"#)
    let own = CallerSnapshot(
      arn: Self.session, userId: "AROA:ann", roleARN: Self.reserved, policies: .found([assume]), boundary: .absent)
    let role = RoleSnapshot(
      arn: Self.role, trustPolicy: trust, maxSessionDuration: 3_600, policies: .found(policies), usedServices: .found(nil))
    return AccountCheck(
      needs,
      AccountSnapshot(
        caller: caller ?? .success(own), role: .found(role), simulation: .refused(permission: "iam:SimulatePrincipalPolicy"),
        outcome: outcome)
    ).findings
  }

  private func trust(_ condition: String = "{}") -> String { Self.trust.replacing("CONDITION", with: condition) }

  @Test("findings are read as they were written, and nothing else is")
  func json() throws {
    let findings = try findings(trust: trust(#"{"StringEquals":{"sts:ExternalId":"x"}}"#))
    #expect(findings.contains { $0.state == .differs } && Finding.read(Finding.json(findings).compact()) == findings)
    for text in ["", "{}", "[1]", #"[{"check":"role","state":"ok"}]"#, #"[{"check":"x","state":"ok","detail":""}]"#] {
      #expect(Finding.read(text) == nil)
    }
  }

  @Test(
    "the change lets the caller in, and nobody else out",
    arguments: [
      // Another permission set; a user and a role; both with a condition; MFA for the account; another external id.
      #"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Ops_*"}}}"#,
      #"{"Sid":"X","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/alice","arn:aws:iam::123456789012:role/ci"]},"Action":"sts:AssumeRole"}"#,
      #"{"Effect":"Allow","Principal":{"AWS":["AROAEXAMPLEDELETED123","arn:aws:iam::123456789012:user/alice"]},"Action":"sts:AssumeRole"}"#,
      #"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
      #"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"theirs"}}}"#,
      #"{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/bob"},"Action":"sts:AssumeRole"}"#,
    ])
  func others(_ statement: String) throws {
    let text = #"{"Version":"2012-10-17","Statement":[\#(statement)]}"#
    let found = try findings(trust: text, sent: SentParameters(externalId: "ours", isChained: true))
    let fix = try #require(found.first { $0.check == .trustPolicy && $0.fix?.document != nil }?.fix?.document, "\(found)")
    let (before, after) = try (
      PolicyDocument(JSONText(Array(text.utf8)), kind: .trust), PolicyDocument(json: fix, kind: .trust)
    )
    func allows(_ trust: PolicyDocument, _ caller: RequestCaller, externalId: String, mfa: Bool = false) throws -> Bool {
      var call = AssumeRoleRequest(
        caller: caller, role: try #require(RoleARN(Self.role)), sessionName: "s", externalId: externalId)
      if mfa { call.keys["aws:MultiFactorAuthPresent"] = ["true"] }
      return AssumeRoleDecision(call, AssumeRolePolicies(trust: trust)).isAllowed
    }
    let caller = RequestCaller.roleSession(arn: Self.session, role: Self.reserved)
    #expect(try !allows(before, caller, externalId: "ours"))
    #expect(try allows(after, caller, externalId: "ours"))
    let ops = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0123456789abcdef"
    for other in [
      RequestCaller.user(arn: "arn:aws:iam::123456789012:user/alice"),
      .roleSession(arn: "arn:aws:sts::123456789012:assumed-role/ci/x", role: "arn:aws:iam::123456789012:role/ci"),
      .roleSession(arn: "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Ops_0123456789abcdef/bob", role: ops),
      .roleSession(arn: "arn:aws:sts::123456789012:assumed-role/Ops/bob", role: "arn:aws:iam::123456789012:role/Ops"),
    ] {
      for (id, mfa) in [("theirs", false), ("theirs", true), ("", false)] {
        #expect(try allows(before, other, externalId: id, mfa: mfa) == allows(after, other, externalId: id, mfa: mfa), "\(other)")
      }
    }
  }

  @Test(
    "a document that is no policy is not judged",
    arguments: ["", "{", "null", "[]", #"{"Statement":[]}"#, #"{"Version":"2012-10-17","Statement":{"Effect":"Maybe"}}"#])
  func garbage(_ text: String) throws {
    let found = try findings(trust: text, policies: [AttachedPolicy(name: "own", text: text)])
    #expect(found.filter { $0.check == .trustPolicy }.map(\.state) == [.unknown])
    #expect(found.filter { $0.check == .applicationPolicy }.map(\.state) == [.unknown])
  }

  @Test("a longer policy than IAM's own limit is read where AWS has accepted it")
  func long() throws {
    let patterns = (0..<60).map { #""arn:aws:iam::123456789012:role/\#(String(repeating: "x", count: 40))\#($0)""# }
    let text = trust(#"{"ArnLike":{"aws:PrincipalArn":["\#(Self.reserved)",\#(patterns.joined(separator: ","))]}}"#)
    #expect(text.utf8.count > 2_048)
    #expect(try findings(trust: text).filter { $0.check == .trustPolicy }.map(\.state) == [.ok])
  }

  @Test(
    "a condition that only AWS can judge is not called a difference",
    arguments: [
      #"{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, #"{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#,
      #"{"StringEquals":{"aws:PrincipalTag/team":"blue"}}"#,
    ])
  func unknown(_ condition: String) throws {
    let found = try findings(trust: trust(condition)).filter { $0.check == .trustPolicy }
    #expect(found.map(\.state) == [.unknown] && found[0].detail.contains("which AWS alone can judge"))
    // Where AWS has allowed the call, the condition was met.
    #expect(try findings(trust: trust(condition), outcome: .succeeded).filter { $0.check == .trustPolicy }.map(\.state) == [.ok])
  }

  @Test("all repairs of a trust policy are in one document")
  func together() throws {
    let sent = SentParameters(sourceIdentity: "ann", tags: [SessionTag(key: "team", value: "blue")], isChained: true)
    let text = trust(#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#)
    let found = try findings(trust: text, sent: sent).filter { $0.check == .trustPolicy }
    #expect(found.count == 3 && found.allSatisfy { $0.state == .differs && $0.fix == found[0].fix })
    let document = try #require(found[0].fix?.document)
    #expect(
      try findings(trust: document.compact(), sent: sent).filter { $0.check == .trustPolicy }.map(\.state) == [.ok],
      "\(document.compact())")
  }

  @Test("a caller without credentials is still compared with the trust policy, by what its role is called")
  func noCaller() throws {
    let gone = Result<CallerSnapshot, AccountSnapshot.NoCaller>.failure(AccountSnapshot.NoCaller(why: "not assigned"))
    let path = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/"
    func state(_ pattern: String) throws -> [Finding.State] {
      try findings(
        trust: trust(#"{"ArnLike":{"aws:PrincipalArn":"\#(path)\#(pattern)"}}"#), caller: gone,
        outcome: .untried(why: "the caller has no credentials")
      ).filter { $0.check == .trustPolicy }.map(\.state)
    }
    #expect(try state("eu-west-1/AWSReservedSSO_Dev_*") == [.ok])
    #expect(try state("AWSReservedSSO_Dev_*") == [.differs])
    #expect(try state("eu-west-1/AWSReservedSSO_Other_*") == [.differs])
  }

  @Test("a text of AWS's that goes into Terraform begins no template there")
  func terraform() throws {
    let text = trust(#"{"StringLike":{"sts:RoleSessionName":"${aws:username}"},"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#)
    let fix = try findings(trust: text).compactMap(\.fix?.terraform).first
    #expect(fix?.contains(#""$${aws:username}""#) == true, "\(fix ?? "-")")
  }
}
