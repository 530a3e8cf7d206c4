import Foundation
import TestSupport
import Testing

/// What `vault iam why` says of refusals, and the hints under those of `exec`.
@Suite(.endToEnd) struct WhyTests {
  private static let deny = "arn:aws:iam::111122223333:role/ExplicitDeny"

  /// The standard world, in which the dev role allows neither tags nor a source identity.
  private static let world: STSWorld = {
    var world = STSWorld.standard
    world[role: STSWorld.devRole]?.allowsTags = false
    world[role: STSWorld.devRole]?.allowsSourceIdentity = false
    return world
  }()

  /// Profiles that are each refused for another reason.
  private static let profiles = """
    [profile tagged]
    role_arn = \(STSWorld.devRole)
    source_profile = alice
    session_tags = team=billing

    [profile named]
    role_arn = \(STSWorld.devRole)
    source_profile = alice
    source_identity = ann

    [profile abroad]
    role_arn = \(STSWorld.partnerRole)
    source_profile = alice

    [profile without-code]
    role_arn = \(STSWorld.mfaRole)
    source_profile = alice

    [profile too-long]
    role_arn = \(STSWorld.devRole)
    source_profile = alice
    duration_seconds = 43200

    """

  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    try await TestVault(simulator, environment: ["AWS_ENDPOINT_URL_IAM_TOOLBOX": simulator.url], profiles: Self.profiles)
  }

  /// A vault whose `app-dev` AWS refuses without a reason, in a world whose account alice may look at.
  ///
  /// - Parameter externalId: what the role's trust policy wants.
  static func refused(wanting externalId: String) async throws -> (simulator: STSSimulatorProcess, vault: TestVault) {
    var world = STSWorld.standard
    world[role: STSWorld.devRole]?.trustPolicy = """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},
        "Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"\(externalId)"}}}]}
      """
    world.account = STSWorld.Account(readers: [STSWorld.aliceARN: ["iam:GetRole"]])
    let simulator = try await STSSimulatorProcess(world)
    let vault = try await TestVault(simulator, environment: simulator.environment)
    #expect(try await vault.run("exec", "app-dev", "--", "true").end == .exit(77))
    return (simulator, vault)
  }

  private func why(_ vault: TestVault, _ words: String..., input: String = "") async throws -> [String: Any] {
    let result = try await vault.run(words: ["iam", "why"] + words + ["--format", "json"], input: input)
    try #require(result.succeeded, "\(result.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
  }

  private func sides(_ answer: [String: Any]) -> [String] {
    (answer["possible"] as? [[String: Any]])?.compactMap { $0["refusedBy"] as? String } ?? []
  }

  @Test("each refusal of exec has a hint of its own, and the last one of each profile is explained")
  func hints() async throws {
    let simulator = try await STSSimulatorProcess(Self.world)
    let vault = try await vault(simulator)
    // What the words themselves name, and what comes first where they name nothing.
    let expected: [(profile: String, status: Int32, hint: String, side: String, first: [String])] = [
      ("bob-dev", 77, "must allow the IAM user bob", "unknown", ["trust-policy", "mfa", "identity-policy"]),
      ("tagged", 77, "sts:TagSession", "tags", ["trust-policy", "identity-policy"]),
      ("named", 77, "sts:SetSourceIdentity", "source-identity", ["trust-policy", "identity-policy"]),
      ("abroad", 77, "external_id", "unknown", ["trust-policy", "external-id"]),
      ("without-code", 77, "mfa_serial", "unknown", ["trust-policy", "mfa"]),
      ("too-long", 78, "MaxSessionDuration", "duration", []),
    ]
    var hints: Set<String> = []
    for (profile, status, hint, side, first) in expected {
      let result = try await vault.run("exec", profile, "--", "true")
      #expect(result.end == .exit(status), "\(profile): \(result.errors)")
      let shown = try #require(result.errors.split(separator: "\n").first { $0.hasPrefix("hint: ") }, "\(result.errors)")
      #expect(shown.contains(hint) && !shown.contains("assumed-role"), "\(shown)")
      hints.insert(String(shown))
      // The last one of any profile is that of this one.
      for words in [[], [profile]] {
        let result = try await vault.run(words: ["iam", "why"] + words + ["--format", "json"])
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
        #expect(answer["refusedBy"] as? String == side, "\(profile)")
        #expect(Array(sides(answer).prefix(first.count)) == first, "\(profile)")
        #expect(answer["explicit"] as? Bool == false && (answer["event"] as? String)?.hasPrefix("evt_") == true)
      }
    }
    #expect(hints.count == expected.count)
    let tagged = try await why(vault, "tagged")
    let fix = try #require(tagged["fix"] as? [String: Any])
    let document = try JSONSerialization.data(withJSONObject: try #require(fix["document"]), options: .sortedKeys)
    #expect(String(decoding: document, as: UTF8.self).contains("sts:TagSession"))
    #expect(tagged["principal"] as? String == STSWorld.aliceARN && tagged["resource"] as? String == STSWorld.devRole)
  }

  @Test("a refusal that was overcome since is said to be, and its event is explained by its id")
  func event() async throws {
    let simulator = try await STSSimulatorProcess(Self.world)
    let vault = try await vault(simulator)
    #expect(try await vault.run("iam", "why").end == .exit(66))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await vault.run("iam", "why", "app-dev").end == .exit(66))
    _ = try await vault.run("exec", "tagged", "--", "true")
    let row = try #require(try await vault.rows("audit", "--outcome", "refused").last)
    #expect(row["detail"] as? String == "sent the tags team; by plain http")
    let id = try #require(row["id"] as? String)
    #expect(try await why(vault, id)["event"] as? String == id)
    try await simulator.change(to: .standard)
    try await vault.mustRun("exec", "tagged", "--", "true")
    let text = try await vault.mustRun("iam", "why", id)
    #expect(text.hasPrefix("The same call has succeeded since") && text.contains(id))
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 || $0.contains("arn:") }, "\(text)")
    let delivered = try #require(try await vault.rows("audit", "--action", "Deliver").last?["id"] as? String)
    #expect(try await vault.run("iam", "why", delivered).end == .exit(65))
    #expect(try await vault.run("iam", "why", "evt_none").end == .exit(66))
    #expect(try await vault.run("iam", "why", "app-dve").errors.contains("did you mean app-dev?"))
    #expect(try await vault.run("iam", "why", "a", "b").end == .exit(64))
  }

  @Test("an error of the AWS CLI or boto3 is piped in, and what is none is bad data")
  func piped() async throws {
    let vault = TestVault()
    let sentence = """
      User: arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_MyDev_0123456789abcdef/ann is not authorized to perform: \
      ssm:GetParameter on resource: arn:aws:ssm:us-east-1:123456789012:parameter/app because no identity-based policy allows the \
      ssm:GetParameter action
      """
    let line = "An error occurred (AccessDeniedException) when calling the GetParameter operation: \(sentence)"
    let trace =
      "Traceback (most recent call last):\n  File \"app.py\", line 3, in <module>\nbotocore.exceptions.ClientError: "
      + "\(line)\n"
    for input in ["\n\(line)\n", trace] {
      let answer = try await why(vault, "-", input: input)
      #expect(answer["refusedBy"] as? String == "identity-policy" && answer["action"] as? String == "ssm:GetParameter")
      #expect((answer["explanation"] as? String)?.contains("vault exec PROFILE") == true)
    }
    let several = try await vault.mustRun(
      "iam", "why", "-", input: line.replacingOccurrences(of: "ssm:", with: "kms:") + "\n" + line)
    #expect(several.hasPrefix("AWS refused ssm:GetParameter.") && several.contains("2 different refusals"))
    for input in ["", "hello\n", "{\"a\":1}", String(repeating: "x", count: 1 << 20 | 1)] {
      #expect(try await vault.run("iam", "why", "-", input: input).end == .exit(65), "\(input.prefix(9))")
    }
    let junk = String(repeating: "User: not authorized to perform ", count: 32_000)
    #expect(try await vault.run("iam", "why", "-", input: junk).end == .exit(0))
    let hostile = line.replacingOccurrences(of: "/app", with: "/a\u{202E}\u{1B}[2Jb")
    let shown = try await vault.mustRun("iam", "why", "-", input: hostile)
    #expect(shown.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E || $0 == "\n" })
  }

  @Test("an encoded message is decoded with a profile's credentials, which is logged; where AWS refuses, the words are explained")
  func encoded() async throws {
    let simulator = try await STSSimulatorProcess(Self.world)
    let vault = try await vault(simulator)
    let decoded = """
      {"allowed":false,"explicitDeny":true,"matchedStatements":{"items":[{"statementId":"NoBigOnes","effect":"DENY"}]},\
      "failures":{"items":[]},"context":{"principal":{"arn":"\(STSWorld.aliceARN)"},"action":"ec2:RunInstances",\
      "resource":"arn:aws:ec2:eu-west-1:123456789012:instance/*"}}
      """
    let code = Data(decoded.utf8).base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(
      of: "/", with: "_")
    let error = """
      An error occurred (UnauthorizedOperation) when calling the RunInstances operation: You are not authorized to perform this \
      operation. Encoded authorization failure message: \(code)
      """
    let told = try await why(vault, "-", "--profile", "app-dev", input: error)
    #expect(told["sid"] as? String == "NoBigOnes" && told["explicit"] as? Bool == true)
    #expect(told["principal"] as? String == STSWorld.aliceARN && told["action"] as? String == "ec2:RunInstances")
    let row = try #require(try await vault.rows("audit", "--action", "DecodeAuthorizationMessage").last)
    #expect(row["outcome"] as? String == "success" && row["profile"] as? String == "app-dev")
    let call = try #require(try await simulator.requests("DecodeAuthorizationMessage").first)
    #expect(row["requestId"] as? String == call.requestId)
    // The chained role may do nothing.
    let refused = try await why(vault, "-", "--profile", "app-chained", input: error)
    #expect(refused["missingPermission"] as? String == "sts:DecodeAuthorizationMessage")
    #expect(refused["refusedBy"] as? String == "unknown" && refused["explicit"] as? Bool == false)
    #expect(try await vault.rows("audit", "--action", "DecodeAuthorizationMessage").last?["outcome"] as? String == "refused")
    // Without a profile nobody is asked, and the text says how to.
    let alone = try await vault.mustRun("iam", "why", "-", input: error)
    #expect(alone.contains("sts:DecodeAuthorizationMessage") && !alone.contains(code))
    #expect(try await simulator.requests("DecodeAuthorizationMessage").count == 2)
    #expect(try await vault.run("iam", "why", "-", "--profile", "nobody", input: error).end == .exit(66))
  }

  @Test("the id of an authorization leads to the policy and the statement that refused")
  func authorization() async throws {
    let simulator = try await STSSimulatorProcess(Self.world)
    let vault = try await vault(simulator)
    func error(_ id: String) -> String {
      """
      User: \(Self.deny) is not authorized to perform: iam:GetUser on resource: user ExampleUser with an explicit deny in an \
      identity-based policy. Go to https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#/authorization-details/\(id) \
      for complete details, or call the GetRequestAuthorizationDetails API with the following authorization id: \(id)
      """
    }
    let told = try await why(vault, "-", "--profile", "app-dev", input: error("z9y8x7w6v5u4t3s2r1q0"))
    #expect(told["policyArn"] as? String == "arn:aws:iam::aws:policy/AWSDenyAll" && told["sid"] as? String == "DenyAll")
    #expect(told["resource"] as? String == "arn:aws:iam::111122223333:user/ExampleUser")
    let expired = try await vault.mustRun("iam", "why", "-", "--profile", "app-dev", input: error("old1"))
    #expect(expired.contains("ResourceNotFoundException") && expired.contains("the caller's own policies (a Deny statement)"))
    let refused = try await why(vault, "-", "--profile", "app-chained", input: error("z9y8x7w6v5u4t3s2r1q0"))
    #expect(refused["missingPermission"] as? String == "iam:GetRequestAuthorizationDetails")
    #expect(try await vault.rows("audit", "--action", "GetRequestAuthorizationDetails").count == 3)
  }

  @Test("where AWS gives no reason, the account is looked at, and the condition that is not met is named")
  func trust() async throws {
    let (simulator, vault) = try await Self.refused(wanting: "x7")
    let guess = try await why(vault, "app-dev", "--offline")
    #expect(guess["refusedBy"] as? String == "unknown" && guess["fix"] is NSNull && guess["succeedsNow"] is NSNull)
    #expect(((guess["possible"] as? [[String: Any]])?.first?["fix"] as? [String: Any])?["document"] is [String: Any])
    #expect(try await vault.mustRun("iam", "why", "--offline").contains("permission iam:GetRole"))
    let known = try await why(vault, "app-dev")
    #expect(known["refusedBy"] as? String == "external-id", "\(known)")
    #expect((known["explanation"] as? String)?.contains("wants the external ID \"x7\"") == true)
    #expect(known["succeedsNow"] as? Bool == false)
    // Whoever may not look is told which permission that takes.
    let refused = try await why(vault, "app-dev", "--profile", "bob")
    #expect(refused["missingPermission"] as? String != nil && refused["refusedBy"] as? String == "unknown")
    // The role is put right, and the old refusal is asked about once more.
    try await simulator.change(to: .standard)
    #expect(try await why(vault, "app-dev")["succeedsNow"] as? Bool == true)
    #expect(try await vault.mustRun("iam", "why", "app-dev").hasPrefix("The same call succeeds now.\n"))
  }
}
