import Testing
import VaultBytes
import VaultModel
import VaultSecrets

@testable import VaultAgent

/// The digest by which a stored session is found again.
@Suite struct FingerprintTests {
  private static let role = RoleARN("arn:aws:iam::123456789012:role/dev")!
  private static let config = SSOSessionConfig(
    name: "corp", startURL: "https://corp.awsapps.com/start", region: "eu-west-1", scopes: ["sso:account:access"], isSession: true
  )
  private static let federated = RoleLink(
    profile: "fed", roleARN: role, roleSessionName: RoleSessionName("job"), duration: SessionDuration(seconds: 1_800),
    policyARNs: ["arn:aws:iam::aws:policy/ReadOnlyAccess"], region: "eu-west-1")
  private static let identities: [(name: String, link: IdentityLink)] = [
    ("keys", .keys(name: "base", accessKeyId: "AKIAIOSFODNN7EXAMPLE", mfaSerial: "arn:aws:iam::123456789012:mfa/me")),
    ("sso", .sso(profile: "s", accountId: "123456789012", roleName: "Admin", place: config)),
    ("web", .webIdentity(federated, token: .file("/t"))),
    ("github", .webIdentity(federated, token: .gitHubActions(audience: "sts.amazonaws.com"))),
    ("saml", .saml(federated, providerARN: nil, command: "get assertion")),
    ("process", .process(profile: "p", command: "/bin/get 'credentials'")),
    ("container", .container), ("instance", .instance), ("environment", .environment),
  ]

  /// The digests of all the lines below, as the version before identity sources had files of their own made them.
  private static let expected = [
    "keys": "b1015947224bcd272d00e24dbb3c8826",
    "sso": "f937a4e2713294f29b0d72566858c3a8",
    "web": "6bc95b8c7927b49c182bc294aa7d4657",
    "saml": "c0c518819167975806967413056a4583",
    "github": "efbb8a8e53ec5edbb31021d6e03a4c50",
    "process": "6caefe52fd2fd7c964899f626e90266d",
    "container": "b8d8e25ab1209e3d321044ecdde1632b",
    "instance": "4468915b0501cd30df1c906a84f71ccf",
    "environment": "ebf7fca8f5e909a80dbf93d6d54ced32",
  ]

  @Test("a session that an earlier version stored is found under the same fingerprint", arguments: identities.map(\.name))
  func stable(name: String) throws {
    let link = try #require(Self.identities.first { $0.name == name }?.link)
    let over = RoleLink(
      profile: "app", roleARN: Self.role, externalId: "x", mfaSerial: "arn:aws:iam::123456789012:mfa/me", sourceIdentity: "alice",
      tags: [SessionTag(key: "team", value: "a")], region: "eu-west-1")
    var lines: [String] = []
    for roles in [[], [over], [RoleLink(profile: "mid", roleARN: Self.role), over]] {
      let chain = CredentialChain(
        profile: "app", identity: link, roles: roles, region: "us-east-1", endpoint: EndpointSettings(caBundle: "/ca.pem"))
      for keyUse in [KeyUse.session, .console, .themselves] {
        for asked in [false, true] {
          let plan = CredentialPlan(
            chain, duration: asked ? SessionDuration(seconds: 7_200) : nil, sessionName: asked ? RoleSessionName("mine") : nil,
            defaultSessionName: RoleSessionName(cleaning: "alice@laptop"), keyUse: keyUse, proxy: asked ? "http://proxy:1" : nil)
          let own = plan.own.map {
            "\($0.owner) \($0.sessionName.text) \($0.duration.seconds) \($0.mfa?.owner ?? "-") \($0.fingerprint)"
          }
          lines.append("\(own ?? "-") | \(plan.steps.map(\.fingerprint)) | \(plan.endpoint)")
        }
      }
    }
    #expect(hex(blake2b(Array(lines.joined(separator: "\n").utf8), length: 16)) == Self.expected[name], "\(lines)")
  }
}
