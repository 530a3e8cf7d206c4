import Testing
import VaultModel

@testable import AWSConfig

private let keys = "aws_access_key_id = AKIA\naws_secret_access_key = x\n"
private let role = "role_arn = arn:aws:iam::123456789012:role/dev\n"

@Suite("The chain of a profile")
struct ChainTests {
  @Test("a role is assumed with its source's keys, by the role's own settings")
  func plainRole() throws {
    let chain = try resolver(
      "[profile dev]\n\(role)source_profile = base\nregion = eu-west-1\n[profile base]\n\(keys)mfa_serial = arn:aws:iam::1:mfa/me\n"
    ).chain(for: "dev")
    #expect(chain.identity == .keys(name: "base", accessKeyId: "AKIA", mfaSerial: "arn:aws:iam::1:mfa/me"))
    #expect(chain.roles.map(\.profile) == ["dev"])
    #expect(chain.roles[0].mfaSerial == nil)
    #expect(chain.region == "eu-west-1")
  }

  @Test("roles are assumed from the identity outwards, in the asked profile's region where they name none")
  func chained() throws {
    let chain = try resolver(
      "[profile c]\n\(role)source_profile = b\nregion = c1\n[profile b]\n\(role)source_profile = a\nregion = b1\n[profile a]\n\(role)source_profile = k\n[profile k]\n\(keys)region = k1"
    ).chain(for: "c")
    #expect(chain.roles.map(\.profile) == ["a", "b", "c"])
    #expect(chain.roles.map(\.region) == ["c1", "b1", "c1"])
  }

  @Test(
    "each kind of identity is found in the order of the SDKs",
    arguments: [
      ("\(role)credential_source = Ec2InstanceMetadata\n\(keys)", IdentityLink.instance, 1),
      ("\(role)credential_source = EcsContainer", .container, 1), ("\(role)credential_source = Environment", .environment, 1),
      (
        "\(role)source_profile = p\nmfa_serial = 123456789\n\(keys)",
        .keys(name: "p", accessKeyId: "AKIA", mfaSerial: "123456789"), 1
      ),
      (
        "sso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n\(keys)",
        .sso(
          profile: "p", accountId: "123456789012", roleName: "r",
          place: SSOSessionConfig(name: "s", startURL: "https://x", region: "u", scopes: ["sso:account:access"], isSession: true)),
        0
      ),
      (
        "sso_start_url = https://y\nsso_region = v\nsso_account_id = 123456789012\nsso_role_name = r",
        .sso(
          profile: "p", accountId: "123456789012", roleName: "r",
          place: SSOSessionConfig(name: "https://y", startURL: "https://y", region: "v", scopes: [], isSession: false)), 0
      ),
      ("sso_session = s\n\(keys)", .keys(name: "p", accessKeyId: "AKIA", mfaSerial: nil), 0),
      ("\(keys)credential_process = run me", .keys(name: "p", accessKeyId: "AKIA", mfaSerial: nil), 0),
      ("credential_process = run me", .process(profile: "p", command: "run me"), 0),
    ])
  func identities(settings: String, identity: IdentityLink, roles: Int) throws {
    let chain = try resolver("[profile p]\n\(settings)\n[sso-session s]\nsso_start_url = https://x\nsso_region = u\n").chain(
      for: "p")
    #expect(chain.identity == identity)
    #expect(chain.roles.count == roles)
  }

  @Test("a role with a token file is an identity")
  func webIdentity() throws {
    let chain = try resolver("[profile p]\n\(role)web_identity_token_file = /t\nrole_session_name = me").chain(for: "p")
    let arn = try #require(RoleARN("arn:aws:iam::123456789012:role/dev"))
    let link = RoleLink(profile: "p", roleARN: arn, roleSessionName: RoleSessionName("me"))
    #expect(chain.identity == .webIdentity(link, token: .file("/t")))
    #expect(chain.roles.isEmpty)
  }

  @Test(
    "a role's token or assertion comes from what the profile names",
    arguments: [
      ("web_identity_token_process = get token", "process(\"get token\")"),
      ("web_identity_token_source = GitHubActions", "gitHubActions(audience: \"sts.amazonaws.com\")"),
      ("web_identity_token_source = githubactions\nweb_identity_audience = a", "gitHubActions(audience: \"a\")"),
      ("saml_process = idp login", "saml idp login -"),
      ("saml_provider_arn = arn:aws:iam::123456789012:saml-provider/idp", "saml - arn:aws:iam::123456789012:saml-provider/idp"),
    ])
  func federated(settings: String, expected: String) throws {
    let chain = try resolver("[profile p]\n\(role)\(settings)\n").chain(for: "p")
    switch chain.identity {
    case .webIdentity(_, let token): #expect("\(token)" == expected)
    case .saml(_, let provider, let command): #expect("saml \(command ?? "-") \(provider ?? "-")" == expected)
    default: Issue.record("\(chain.identity)")
    }
  }

  @Test("a login by name finds the session itself, a profile's, and the session behind a chain of roles")
  func signInPlaces() throws {
    let resolver = try resolver(
      """
      [sso-session corp]
      sso_start_url = https://x
      sso_region = u
      sso_registration_scopes = sso:account:access, other
      [profile a]
      sso_session = corp
      sso_account_id = 123456789012
      sso_role_name = r
      [profile b]
      \(role)source_profile = a
      [profile token]
      sso_session = corp
      [profile keys]
      \(keys)
      """)
    for name in ["corp", "a", "b", "token"] {
      let place = try resolver.signInPlace(named: name)
      #expect(place.name == "corp" && place.scopes == ["sso:account:access", "other"] && place.isSession)
    }
    #expect(throws: ConfigError.self) { try resolver.signInPlace(named: "keys") }
    #expect(throws: ConfigError.self) { try resolver.signInPlace(named: "nobody") }
    #expect(resolver.summary(for: "b").signIn == "corp")
  }

  @Test("a source with access keys is used for its keys, its role passed over")
  func sourceWithKeys() throws {
    let chain = try resolver("[profile a]\n\(role)source_profile = b\n[profile b]\n\(role)source_profile = a\n\(keys)").chain(
      for: "a")
    #expect(chain.identity == .keys(name: "b", accessKeyId: "AKIA", mfaSerial: nil))
    #expect(chain.roles.map(\.profile) == ["a"])
  }

  @Test(
    "what cannot lead to credentials is told with file, line and reason",
    arguments: [
      ("\(role)source_profile = x", "config:12: no profile \"x\""),
      ("\(role)source_profile = q", "config:9: source_profile forms a cycle: p → q → p"),
      ("\(role)source_profile = p", "config:12: source_profile forms a cycle: p → p"),
      (
        "\(role)source_profile = k\ncredential_source = Environment",
        "config:13: profile \"p\" has both source_profile and credential_source"
      ),
      (role, "config:11: profile \"p\" has a role_arn, but no source to assume the role with"),
      (
        "\(role)credential_source = Moon", "config:12: credential_source must be EcsContainer, Ec2InstanceMetadata or Environment"
      ),
      ("aws_access_key_id = A", "config:11: profile \"p\" has an incomplete key pair"),
      ("aws_secret_access_key = A", "config:11: profile \"p\" has an incomplete key pair"),
      ("login_session = a", "config:11: profile \"p\" uses `aws login` (login_session), which vault does not support"),
      ("region = a", "config:11: profile \"p\" has settings only, no credentials"),
      ("region = a\nsource_profile = k", "config:12: profile \"p\" has source_profile, but no role_arn"),
      ("credential_source = Environment", "config:11: profile \"p\" has credential_source, but no role_arn"),
      (
        "region = us-east-1a\n\(role)source_profile = k",
        "config:11: region must be a region, such as us-east-1, not an availability zone"
      ),
      (
        "\(role)source_profile = k\nmfa_serial = arn:aws:iam::123456789012:u2f/user/me/key",
        "config:13: mfa_serial must be a device that generates codes, such as arn:aws:iam::ACCOUNT:mfa/NAME: STS does not accept FIDO security keys"
      ),
      (
        "sso_session = none\nsso_account_id = 123456789012\nsso_role_name = r",
        "config:11: no section [sso-session none]"
      ),
      (
        "sso_session = s\nsso_region = v\nsso_account_id = 123456789012\nsso_role_name = r",
        "config:12: profile \"p\" contradicts sso_region of its sso_session (config:3)"
      ),
      ("sso_session = s\nsso_account_id = 123456789012", "config:11: profile \"p\" has SSO settings, but no sso_role_name"),
      ("sso_session = s", "config:11: profile \"p\" has SSO settings, but no account and role"),
      (
        "sso_region = v\nsso_account_id = 123456789012\nsso_role_name = r",
        "config:11: profile \"p\" has SSO settings, but no sso_start_url"
      ),
      (
        "sso_session = s\nsso_account_id = 12\nsso_role_name = r",
        "config:12: sso_account_id must be an account number of twelve digits"
      ),
      ("include_profile = x\n\(keys)", "config:11: no profile \"x\""),
      ("include_profile = p\n\(keys)", "config:11: include_profile forms a cycle: p → p"),
      ("services = x\n\(keys)", "config:11: no section [services x]"),
      ("use_fips_endpoint = yes\n\(keys)", "config:11: use_fips_endpoint must be true or false"),
      ("sts_regional_endpoints = x\n\(keys)", "config:11: sts_regional_endpoints must be regional or legacy"),
      ("endpoint_url = ftp://x\n\(keys)", "config:11: endpoint_url must be a URL that starts with https:// or http://"),
    ])
  func faults(settings: String, message: String) throws {
    let prelude =
      "[sso-session s]\nsso_start_url = https://x\nsso_region = u\n[profile k]\n\(keys)[profile q]\n\(role)source_profile = p\n"
    let found = try resolver(prelude + "[profile p]\n" + settings)
    let error = #expect(throws: ConfigError.self) { try found.chain(for: "p") }
    #expect(error?.message == message)
    #expect(error?.hint != nil)
    #expect(error?.exitStatus == .configuration)
    #expect(found.summary(for: "p").problem == message)
  }

  @Test("a loop of includes is named whole, without what leads to it")
  func includeLoop() throws {
    let text = "[profile a]\ninclude_profile = b\n[profile b]\ninclude_profile = c\n[profile c]\nparent_profile = b\n"
    let error = #expect(throws: ConfigError.self) { try resolver(text).chain(for: "a") }
    #expect(error?.message == "config:6: parent_profile forms a cycle: b → c → b")
  }

  @Test("sixteen includes are followed, seventeen are not", arguments: [16, 17])
  func deepestInclude(count: Int) throws {
    let text =
      (1...count).map { "[profile i\($0)]\ninclude_profile = i\($0 - 1)\n" }.joined() + "[profile i0]\ncredential_process = x\n"
    let found = try resolver(text)
    if count == 16 {
      #expect(try found.chain(for: "i16").identity == .process(profile: "i16", command: "x"))
    } else {
      let error = #expect(throws: ConfigError.self) { try found.chain(for: "i17") }
      #expect(error?.message == "config:2: profile \"i17\" includes more than 16 others")
      #expect(error?.hint != nil)
    }
  }

  @Test("a name that is not there is told short, however long it is")
  func longDanglingName() throws {
    let name = String(repeating: "é", count: 100_000)
    for settings in ["\(role)source_profile = \(name)", "sso_session = \(name)", "services = \(name)"] {
      let problem = try #require(try resolver("[profile p]\n\(settings)\n").summary(for: "p").problem)
      #expect(problem.utf8.count < 200)
      #expect(problem.contains("éé…"))
    }
  }

  @Test("a loop below the asked profile is named without it")
  func lowerLoop() throws {
    let text =
      "[profile a]\n\(role)source_profile = b\n[profile b]\n\(role)source_profile = c\n[profile c]\n\(role)source_profile = b\n"
    #expect(
      throws: ConfigError.loop(
        profiles: ["b", "c", "b"], setting: "source_profile", origin: SettingOrigin(file: "config", line: 9))
    ) {
      try resolver(text).chain(for: "a")
    }
  }

  @Test("sixteen roles are a chain, seventeen are not", arguments: [16, 17])
  func maxLength(count: Int) throws {
    let text = (1...count).map { "[profile r\($0)]\n\(role)source_profile = r\($0 - 1)\n" }.joined() + "[profile r0]\n\(keys)"
    let found = try resolver(text)
    if count == 16 {
      #expect(try found.chain(for: "r16").roles.count == 16)
    } else {
      #expect(throws: ConfigError.tooLong(profile: "r17", limit: 16)) { try found.chain(for: "r17") }
    }
  }

  @Test("a profile that nobody wrote is told without a place")
  func unknown() throws {
    #expect(throws: ConfigError.noSuchProfile(name: "x", namedAt: nil)) { try resolver("").chain(for: "x") }
  }

  @Test("a summary says the kind, the role and the source")
  func summary() throws {
    let found = try resolver("[profile a]\n\(role)source_profile = k\nregion = r\n[profile k]\n\(keys)")
    #expect(
      found.summary(for: "a")
        == ProfileSummary(name: "a", kind: .assumeRole, roleARN: "arn:aws:iam::123456789012:role/dev", source: "k", region: "r"))
    #expect(found.summary(for: "k") == ProfileSummary(name: "k", kind: .keys))
  }
}
