import AWSPolicy
import Testing
import VaultModel

/// What a trust policy that may be read says of a refusal without a reason.
@Suite struct TrustFindingTests {
  private static let role = "arn:aws:iam::123456789012:role/my-application-dev-role"
  private static let user = "arn:aws:iam::123456789012:user/ann"
  private static let sso = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_MyDev_0123456789abcdef/ann@example.com"
  private static let reserved = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/"
  private static let account = "\"Principal\": {\"AWS\": \"arn:aws:iam::123456789012:root\"}"

  struct Case: Sendable, CustomTestStringConvertible {
    let caller: String
    /// Of the one statement, what is beside its effect and action.
    let statement: String
    /// Nil if it depends on what only AWS knows.
    let side: DenialCause.Side?
    var says = ""
    var explicit = false
    var testDescription: String { statement }
  }

  static let cases = [
    Case(
      caller: user, statement: "\"Principal\": {\"AWS\": \"arn:aws:iam::123456789012:user/bob\"}", side: .trustPolicy,
      says: "no statement that names"),
    Case(caller: user, statement: "\"Principal\": {\"AWS\": \"AIDACKCEVSQ6C2EXAMPLE\"}", side: .trustPolicy, says: "was deleted"),
    Case(
      caller: sso,
      statement: "\"Principal\": {\"AWS\": \"arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_MyDev_0123456789abcdef/bob\"}",
      side: .trustPolicy, says: "names a session"),
    Case(caller: user, statement: account, side: .identityPolicy, says: "as it is now, allows"),
    Case(caller: user, statement: "\"Principal\": {\"AWS\": \"\(user)\"}", side: .unknown, says: "changed since"),
    Case(
      caller: sso,
      statement: account
        + ", \"Condition\": {\"ArnLike\": {\"aws:PrincipalArn\": \"\(reserved)*AWSReservedSSO_MyDev_*\"}}",
      side: .identityPolicy),
    Case(
      caller: sso,
      statement: account
        + ", \"Condition\": {\"ArnLike\": {\"aws:PrincipalArn\": \"\(reserved)*AWSReservedSSO_Other_*\"}}",
      side: .trustPolicy, says: "aws:PrincipalArn"),
    Case(
      caller: user, statement: account + ", \"Condition\": {\"StringEquals\": {\"sts:ExternalId\": \"x7\"}}", side: .externalId,
      says: "sends none"),
    Case(
      caller: user, statement: account + ", \"Condition\": {\"Bool\": {\"aws:MultiFactorAuthPresent\": \"true\"}}", side: .mfa,
      says: "mfa_serial"),
    Case(
      caller: sso, statement: account + ", \"Condition\": {\"Bool\": {\"aws:MultiFactorAuthPresent\": \"true\"}}", side: .mfa,
      says: "never carries"),
    Case(
      caller: user, statement: account + ", \"Condition\": {\"StringLike\": {\"sts:SourceIdentity\": \"*\"}}",
      side: .sourceIdentity),
    Case(
      caller: user, statement: account + ", \"Condition\": {\"StringEquals\": {\"aws:RequestTag/team\": \"billing\"}}",
      side: .tags),
    Case(caller: user, statement: account + ", \"Condition\": {\"IpAddress\": {\"aws:SourceIp\": \"192.0.2.0/24\"}}", side: nil),
    Case(
      caller: "arn:aws:sts::123456789012:assumed-role/elsewhere/x",
      statement: "\"Principal\": {\"AWS\": \"arn:aws:iam::123456789012:role/team/elsewhere\"}", side: nil),
  ]

  @Test(arguments: cases) func `the part of the trust policy that refuses is named`(_ test: Case) throws {
    let text =
      "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"sts:AssumeRole\", \(test.statement)}]}"
    let cause = try cause(test.caller, text)
    #expect(cause?.refusedBy == test.side)
    #expect(cause?.isExplicit ?? false == false)
    let said = cause?.explanation ?? "as it is now" + test.says
    #expect(said.contains("as it is now") && (test.says.isEmpty || said.contains(test.says)), "\(said)")
  }

  private func cause(_ caller: String, _ policy: String) throws -> DenialCause? {
    let denial = try #require(
      Denial("User: \(caller) is not authorized to perform: sts:AssumeRole on resource: \(Self.role)", code: "AccessDenied"))
    let identity: IdentityLink =
      caller == Self.sso
      ? .sso(
        profile: "sso", accountId: "123456789012", roleName: "MyDev",
        place: SSOSessionConfig(name: "corp", startURL: "https://x", region: "eu-west-1", scopes: [], isSession: true))
      : .keys(name: "ann", accessKeyId: nil, mfaSerial: nil)
    let chain = CredentialChain(
      profile: "app-dev", identity: identity, roles: [RoleLink(profile: "app-dev", roleARN: try #require(RoleARN(Self.role)))],
      region: nil,
      endpoint: EndpointSettings())
    let trust = try PolicyDocument(JSONText(Array(policy.utf8)), kind: .trust)
    return try #require(TrustFinding(denial, call: AccessNeeds(chain), trust: trust)).cause
  }

  @Test func `a statement that denies is named, whatever allows`() throws {
    let policy = """
      {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", \(Self.account)},
        {"Sid": "NotAnn", "Effect": "Deny", "Action": "sts:*", "Principal": "*",
         "Condition": {"ArnEquals": {"aws:PrincipalArn": "\(Self.user)"}}}]}
      """
    let cause = try #require(try cause(Self.user, policy))
    #expect(cause.refusedBy == .trustPolicy && cause.isExplicit && cause.sid == "NotAnn")
  }

  @Test func `words with a reason are not overruled`() throws {
    let denial = try #require(
      Denial(
        "User: \(Self.user) is not authorized to perform: sts:AssumeRole on resource: \(Self.role) with an explicit deny in a "
          + "session policy"
      ))
    let trust = try PolicyDocument(
      JSONText(
        Array(
          "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\(Self.account)}]}".utf8
        )),
      kind: .trust)
    #expect(TrustFinding(denial, call: nil, trust: trust) == nil)
  }
}
