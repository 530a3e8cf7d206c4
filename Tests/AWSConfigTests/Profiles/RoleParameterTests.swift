import Testing
import VaultModel

@testable import AWSConfig

private let base = "[profile k]\naws_access_key_id = AKIA\naws_secret_access_key = x\n"
private let role = "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/dev\nsource_profile = k\n"

@Suite("Parameters of a role, its region and its endpoint")
struct RoleParameterTests {
  @Test("every parameter of a role is read")
  func all() throws {
    let text = """
      external_id = ab:c/d
      mfa_serial = arn:aws:iam::123456789012:mfa/me
      duration_seconds = 900
      role_session_name = me@host
      source_identity = me
      policy = {"Version":"2012-10-17"}
      policy_arns = arn:aws:iam::aws:policy/ReadOnlyAccess, arn:aws:iam::aws:policy/ViewOnlyAccess
      session_tags = a=b, c = d=e
      transitive_session_tags = a, c
      """
    let link = try resolver(role + text + "\n" + base).chain(for: "p").roles[0]
    #expect(link.externalId == "ab:c/d")
    #expect(link.mfaSerial == "arn:aws:iam::123456789012:mfa/me")
    #expect(link.duration?.seconds == 900)
    #expect(link.roleSessionName?.text == "me@host")
    #expect(link.sourceIdentity == "me")
    #expect(link.policy == "{\"Version\":\"2012-10-17\"}")
    #expect(link.policyARNs == ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/ViewOnlyAccess"])
    #expect(link.tags == [SessionTag(key: "a", value: "b"), SessionTag(key: "c", value: "d=e")])
    #expect(link.transitiveTagKeys == ["a", "c"])
  }

  @Test(
    "a parameter that STS would refuse is told by its line, never by its value",
    arguments: [
      "external_id = q", "external_id = qq qq", "mfa_serial = qqq", "duration_seconds = 899", "duration_seconds = 43201",
      "duration_seconds = 1h",
      "duration_seconds = 99999999999999999999", "role_session_name = q", "source_identity = q!q", "policy = qqq",
      "policy_arns = qqq",
      "session_tags = qqq", "session_tags = a=b,A=c", "session_tags = a=qqq!", "session_tags = aws:a=qqq", "tags = a*=qqq",
      "transitive_session_tags = a*", "region = qqq.example/", "region = QQQ", "tags = =qqq",
      "role_arn = arn:aws:iam::12:role/qqq", "role_arn = qqq",
    ])
  func refused(line: String) throws {
    let name = String(line.prefix { $0 != " " })
    let error = #expect(throws: ConfigError.self) { try resolver(role + line + "\n" + base).chain(for: "p") }
    #expect(error?.message.hasPrefix("config:4: \(name) must be ") == true)
    #expect(error?.message.contains("qqq") == false)
  }

  @Test("letters of any script, blanks and digits may stand in a tag")
  func tagLetters() throws {
    let link = try resolver(role + "session_tags = Größe=été 2, b=\n" + base).chain(for: "p").roles[0]
    #expect(link.tags == [SessionTag(key: "Größe", value: "été 2"), SessionTag(key: "b", value: "")])
  }

  @Test("a policy and the ARNs of policies have 2,048 characters together", arguments: [(2_008, true), (2_009, false)])
  func policies(length: Int, isTaken: Bool) throws {
    let policy = "{" + String(repeating: " ", count: length - 2) + "}"
    let arn = "arn:aws:iam::aws:policy/" + String(repeating: "a", count: 16)
    let found = try resolver(role + "policy = \(policy)\npolicy_arns = \(arn)\n" + base)
    if isTaken {
      #expect(try found.chain(for: "p").roles[0].policyARNs == [arn])
    } else {
      let error = #expect(throws: ConfigError.self) { try found.chain(for: "p") }
      #expect(error?.message == "config:5: policy_arns must be at most 2048 characters together with policy")
    }
  }

  @Test("a region of the environment that is no host's name is told by its variable")
  func environmentRegion() throws {
    let found = try resolver(role + base, environment: ["AWS_REGION": "evil.example/"])
    let error = #expect(throws: ConfigError.self) { try found.chain(for: "p") }
    #expect(error?.message == "environment: AWS_REGION must be a region, such as eu-west-1")
  }

  @Test(
    "the region is the profile's, else the environment's",
    arguments: [
      ("region = a", ["AWS_REGION": "b"], "a"), ("", ["AWS_REGION": "b", "AWS_DEFAULT_REGION": "c"], "b"),
      ("region =", ["AWS_DEFAULT_REGION": "c"], "c"),
    ])
  func region(line: String, environment: [String: String], region: String) throws {
    let chain = try resolver(role + line + "\n" + base, environment: environment).chain(for: "p")
    #expect(chain.region == region)
    #expect(chain.roles[0].region == region)
  }

  @Test(
    "the nearest endpoint URL counts",
    arguments: [
      ("endpoint_url = https://p", [:], "https://p"), ("endpoint_url = https://p\nservices = s", [:], "https://s"),
      ("services = s", ["AWS_ENDPOINT_URL": "https://e"], "https://e"),
      ("", ["AWS_ENDPOINT_URL": "https://e", "AWS_ENDPOINT_URL_STS": "https://t"], "https://t"),
      ("services = s\nignore_configured_endpoint_urls = true", [:], nil),
      ("services = s", ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "https://e"], nil),
      ("services = s\nignore_configured_endpoint_urls = true", ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"], "https://s"),
    ] as [(String, [String: String], String?)])
  func endpoint(lines: String, environment: [String: String], url: String?) throws {
    let text = role + lines + "\n" + base + "[services s]\nsts =\n  endpoint_url = https://s\n"
    #expect(try resolver(text, environment: environment).chain(for: "p").roles[0].endpoint.url == url)
  }

  @Test("the other endpoint settings come from the environment before the profile")
  func endpointFlags() throws {
    let lines = "use_fips_endpoint = TRUE\nuse_dualstack_endpoint = true\nsts_regional_endpoints = legacy\nca_bundle = /p\n"
    let fromProfile = try resolver(role + lines + base).chain(for: "p").endpoint
    #expect(fromProfile == EndpointSettings(useFIPS: true, useDualStack: true, legacyGlobal: true, caBundle: "/p"))
    let environment = [
      "AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "false", "AWS_STS_REGIONAL_ENDPOINTS": "regional",
      "AWS_CA_BUNDLE": "/e",
    ]
    #expect(
      try resolver(role + lines + base, environment: environment).chain(for: "p").endpoint
        == EndpointSettings(caBundle: "/e", caBundleVariable: "AWS_CA_BUNDLE"))
  }

  @Test(
    "a profile takes over what it does not say itself, but never access keys", arguments: ["include_profile", "parent_profile"])
  func includes(name: String) throws {
    let text =
      role
      + "\(name) = m\nregion = own\n[profile m]\nregion = far\nexternal_id = id1\ninclude_profile = n\naws_access_key_id = Z\n[profile n]\nsource_identity = me\n"
    let found = try resolver(text + base)
    let chain = try found.chain(for: "p")
    #expect(chain.roles[0].externalId == "id1")
    #expect(chain.roles[0].sourceIdentity == "me")
    #expect(chain.region == "own")
    let explanation = found.explanation(for: "p")
    #expect(
      explanation.ignored == [
        IgnoredSetting(name: "region", from: SettingOrigin(file: "config", line: 7), why: "overridden by a nearer profile")
      ])
    #expect(explanation.settings.contains { $0.name == "external_id" && $0.origin.line == 8 })
    #expect(!explanation.settings.contains { $0.name == "aws_access_key_id" })
  }

  @Test(
    "what changes nothing is told with its reason",
    arguments: [
      (role + "sso_region = a", "sso_region", "overridden by role_arn"),
      (role + "web_identity_token_file = /t", "web_identity_token_file", "overridden by source_profile"),
      ("[profile p]\nexternal_id = a", "external_id", "no role_arn is set"), ("[profile p]\nregion =", "region", "it is empty"),
      ("[profile p]\nsso_account_id = 1\ncredential_process = x", "credential_process", "overridden by the SSO settings"),
      ("[profile p]\ntags = a=b\nsession_tags = c=d", "tags", "overridden by session_tags"),
      (role + "rolearn = x", "rolearn", "unknown to vault"), (role + "output = json", "output", "used by other programs only"),
    ])
  func explained(text: String, name: String, why: String) throws {
    #expect(try resolver(text + "\n").explanation(for: "p").ignored.first { $0.name == name }?.why == why)
  }
}
