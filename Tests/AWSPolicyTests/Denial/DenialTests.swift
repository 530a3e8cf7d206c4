import AWSPolicy
import Testing
import VaultModel

@Suite struct DenialTests {
  @Test(arguments: RealDenial.all) func `what AWS says is read, and the side that refuses is named`(_ real: RealDenial) throws {
    let denial = try #require(Denial(reading: Array(real.text.utf8)))
    let read = [
      "action": denial.action, "principal": denial.principal, "resource": denial.resource, "code": denial.code,
      "policyARN": denial.policyARN,
    ]
    for (name, value) in real.facts where name != "source" { #expect(read[name] == value) }
    if real.facts["policyARN"] == nil { #expect(denial.policyARN == nil) }
    let cause = DenialCause(denial)
    #expect(cause.refusedBy == real.side)
    #expect(cause.isExplicit == real.isExplicit)
    #expect(!cause.explanation.isEmpty && !cause.hint.isEmpty)
  }

  @Test func `there are 75 texts, and each side that words can name is among them`() {
    #expect(RealDenial.all.count == 75)
    let sides = Set(RealDenial.all.map(\.side))
    // An external id is never named by AWS's words alone.
    #expect(sides == Set(DenialCause.Side.allCases).subtracting([.externalId]))
  }

  @Test func `the id of an authorization is read from either place, with its region`() throws {
    let both = """
      User: arn:aws:iam::500766168271:user/ben is not authorized to perform: iam:GetRole on resource: role x because no \
      identity-based policy allows the iam:GetRole action. Go to \
      https://eu-west-1.console.aws.amazon.com/iam/home?region=eu-west-1#/authorization-details/d3xbfwcsdoam45n7ms6nv5pl0 \
      for complete details, or call the GetRequestAuthorizationDetails API with the following authorization id: \
      d3xbfwcsdoam45n7ms6nv5pl0
      """
    let denial = try #require(Denial(both))
    #expect(denial.authorizationId == "d3xbfwcsdoam45n7ms6nv5pl0" && denial.authorizationRegion == "eu-west-1")
    #expect(denial.resource == "role x" && denial.message.hasSuffix("d3xbfwcsdoam45n7ms6nv5pl0"))
  }

  @Test func `an encoded message is kept whole, and out of the sentence`() throws {
    let code = String(repeating: "aZ0-_", count: 1_000)
    let denial = try #require(
      Denial(
        "You are not authorized to perform this operation. Encoded authorization failure message: \(code)",
        code: "UnauthorizedOperation"))
    #expect(denial.encodedMessage == code)
    #expect(!denial.message.contains("aZ0"))
  }

  @Test func `a check of the details names its side before the deprecated list`() throws {
    let text = """
      {"requestContext":{},"policies":[],"evaluations":[{"action":"sts:AssumeRole","resource":"arn:aws:iam::111122223333:role/dev",
        "evaluatedEffect":"IMPLICIT_DENY","checks":[
          {"checkType":"PRINCIPAL","evaluatedEffect":"ALLOW"},{"checkType":"RESOURCE","evaluatedEffect":"IMPLICIT_DENY"}]}]}
      """
    let denial = try #require(Denial(reading: Array(text.utf8)))
    #expect(DenialCause(denial).refusedBy == .trustPolicy)
  }

  @Test(arguments: [
    "", "hello", "{}", "[]", "{\"message\":\"fine\"}", "<html><body>502</body></html>", "{\"eventName\":\"GetRole\"}",
    "An error occurred (NoSuchBucket) when calling the GetObject operation: The specified bucket does not exist", "User: ann",
    "{\"evaluations\":[{\"action\":\"a:b\",\"evaluatedEffect\":\"ALLOW\"}]}", "the access was granted",
  ]) func `what tells of no refusal is none`(_ text: String) {
    #expect(Denial(reading: Array(text.utf8)) == nil)
  }

  // MARK: the causes

  private static let role = "arn:aws:iam::123456789012:role/my-application-dev-role"
  private static let sso = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_MyDev_0123456789abcdef/ann@example.com"

  private static func refused(_ caller: String, _ role: String = Self.role, action: String = "sts:AssumeRole") throws -> Denial {
    try #require(
      Denial(
        "User: \(caller) is not authorized to perform: \(action) on resource: \(role)", code: "AccessDenied",
        operation: "AssumeRole"))
  }

  private static func link(_ arn: String = Self.role, _ change: (inout RoleLink) -> Void = { _ in }) throws -> RoleLink {
    var link = RoleLink(profile: "app-dev", roleARN: try #require(RoleARN(arn)))
    change(&link)
    return link
  }

  private static let key = IdentityLink.keys(name: "ann", accessKeyId: nil, mfaSerial: nil)

  private static func needs(_ link: RoleLink, after former: RoleLink? = nil) -> AccessNeeds? {
    AccessNeeds(
      CredentialChain(
        profile: "app-dev", identity: key, roles: [former].compactMap { $0 } + [link], region: nil, endpoint: EndpointSettings()))
  }

  @Test func `a permission set is trusted by its name in a condition, and never by a session's ARN`() throws {
    for caller in [Self.sso, "arn:aws:sts::123456789012:assumed-role/dev/ann", "arn:aws:iam::123456789012:user/ann"] {
      let cause = DenialCause(try Self.refused(caller))
      let documents = [cause.fix] + cause.possible.map(\.fix)
      let text = documents.compactMap { $0?.document?.json.compact() }.joined()
      #expect(!text.contains("assumed-role") && !text.isEmpty)
      #expect(!"\(cause.hint) \(cause.explanation)".contains("assumed-role"))
    }
    let fix = try #require(DenialCause(try Self.refused(Self.sso)).possible[0].fix?.document)
    #expect(fix.statements[0].principals == PrincipalElement([.aws("arn:aws:iam::123456789012:root")]))
    #expect(
      fix.statements[0].conditions == [
        PolicyCondition(
          ConditionOperator(.arnLike), key: "aws:PrincipalArn",
          values: [
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_MyDev_????????????????",
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_MyDev_????????????????",
          ])
      ])
  }

  @Test func `without a reason nothing is certain, and what is known orders what it can be`() throws {
    let other = "arn:aws:iam::210987654321:role/partner"
    func sides(_ caller: String, _ role: String, _ call: AccessNeeds?) throws -> [DenialCause.Side] {
      let cause = DenialCause(try Self.refused(caller, role), call: call)
      #expect(cause.refusedBy == .unknown && !cause.isExplicit)
      return cause.possible.map(\.side)
    }
    let user = "arn:aws:iam::123456789012:user/ann"
    let abroad = try sides(user, other, Self.needs(Self.link(other)))
    #expect(abroad.prefix(3) == [.trustPolicy, .externalId, .mfa])
    let home = try sides(user, Self.role, Self.needs(Self.link()))
    #expect(home.prefix(3) == [.trustPolicy, .mfa, .identityPolicy])
    let session = try sides(Self.sso, Self.role, nil)
    #expect(session.prefix(3) == [.trustPolicy, .identityPolicy, .mfa])
    // What the profile sends is not what is missing.
    let full = try Self.link(other) {
      ($0.externalId, $0.mfaSerial, $0.sourceIdentity) = ("partner:7", "arn:aws:iam::123456789012:mfa/ann", "ann")
      $0.tags = [SessionTag(key: "team", value: "x")]
    }
    let all = try sides(user, other, Self.needs(full))
    #expect(!all.contains(.mfa) && !all.contains(.sourceIdentity) && !all.contains(.tags))
    #expect(all.filter { $0 == .externalId }.count == 1)
  }

  @Test func `five refusals have five hints`() throws {
    let other = "arn:aws:iam::210987654321:role/partner"
    let user = "arn:aws:iam::123456789012:user/ann"
    let plain = Self.needs(try Self.link())
    let tagged = Self.needs(try Self.link { $0.tags = [SessionTag(key: "team", value: "x")] })
    let named = Self.needs(try Self.link { $0.sourceIdentity = "ann" })
    let abroad = Self.needs(try Self.link(other))
    let hints = [
      DenialCause(try Self.refused(user), call: plain).hint,
      DenialCause(try Self.refused(user, other), call: abroad).hint,
      DenialCause(try Self.refused(user, action: "sts:TagSession"), call: tagged).hint,
      DenialCause(try Self.refused(user, action: "sts:SetSourceIdentity"), call: named).hint,
      DenialCause(try Self.refused(Self.sso)).hint,
    ]
    #expect(Set(hints).count == 5)
    for hint in hints { #expect(hint.hasSuffix("`vault iam why` explains it") && hint.count < 240, "\(hint)") }
    #expect(hints[1].contains("external_id") && hints[2].contains("sts:TagSession") && hints[3].contains("sts:SetSourceIdentity"))
  }

  @Test func `the statement has what the profile sends`() throws {
    let link = try Self.link {
      ($0.externalId, $0.sourceIdentity) = ("partner:7", "ann")
      $0.tags = [SessionTag(key: "team", value: "x")]
    }
    let call = Self.needs(link)
    let cause = DenialCause(try Self.refused("arn:aws:iam::123456789012:user/ann"), call: call)
    let trust = try #require(cause.possible[0].fix?.document?.statements)
    #expect(trust.flatMap(\.actions.patterns) == ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"])
    #expect(trust[0].conditions.map(\.key) == ["aws:PrincipalArn", "sts:ExternalId"])
    let identity = try #require(cause.possible.first { $0.side == .identityPolicy }?.fix?.document?.statements.first)
    #expect(identity.resources == PatternElement([Self.role]))
  }

  @Test func `a chained role is trusted by the ARN that the chain knows, with its path`() throws {
    let former = try Self.link("arn:aws:iam::123456789012:role/team/first")
    let call = Self.needs(try Self.link(), after: former)
    let caller = "arn:aws:sts::123456789012:assumed-role/first/ann"
    let known = try #require(
      DenialCause(try Self.refused(caller), call: call).possible[0].fix?.document?.statements[0].conditions[0].values)
    #expect(known == ["arn:aws:iam::123456789012:role/team/first"])
    let guessed = try #require(
      DenialCause(try Self.refused(caller)).possible[0].fix?.document?.statements[0].conditions[0].values)
    #expect(guessed == ["arn:aws:iam::123456789012:role/first", "arn:aws:iam::123456789012:role/*/first"])
  }

  @Test func `a permission set that called AWS itself is told of the role's profile`() throws {
    let denial = try #require(
      Denial(
        "User: \(Self.sso) is not authorized to perform: ssm:GetParameter on resource: "
          + "arn:aws:ssm:us-east-1:123456789012:parameter/x "
          + "because no identity-based policy allows the ssm:GetParameter action"))
    let cause = DenialCause(denial)
    #expect(cause.refusedBy == .identityPolicy && cause.explanation.contains("vault exec PROFILE"))
    #expect(cause.fix?.who.contains("permission set MyDev") == true)
  }

  @Test func `a statement is proposed for the resource that AWS names, and never for all of them`() throws {
    func resource(_ words: String) throws -> [String]? {
      let cause = DenialCause(
        try #require(Denial("User: arn:aws:iam::123456789012:user/ann is not authorized to perform: \(words)")))
      return cause.fix?.document?.statements.first?.resources?.patterns
    }
    let because = "because no identity-based policy allows the"
    #expect(try resource("s3:GetObject \(because) s3:GetObject action") == nil)
    #expect(try resource("s3:GetObject on resource: \"arn:aws:s3:::b/k\" \(because) s3:GetObject action") == ["arn:aws:s3:::b/k"])
    #expect(
      try resource("iam:GetUser on resource: user bob \(because) iam:GetUser action") == ["arn:aws:iam::123456789012:user/bob"])
    #expect(try resource("ec2:DescribeRegions on resource: * \(because) ec2:DescribeRegions action") == ["*"])
    #expect(
      try resource("s3:GetObject on resource: \"arn:aws:s3:::b/k\" with an explicit deny in an identity-based policy") == nil)
  }

  @Test func `what is not UTF-8 is longer as a text, and still has its place`() {
    let bytes =
      Array("User: arn:aws:iam::1:user/a is not authorized to perform: ec2:Run".utf8) + [UInt8](repeating: 0xFF, count: 99)
    #expect(Denial(reading: bytes)?.action?.hasPrefix("ec2:Run\u{FFFD}") == true)
    let resource = Array("User: arn:aws:iam::1:user/a is not authorized to perform: a:b on resource: arn:".utf8) + [0xFF, 0xFE]
    #expect(Denial(reading: resource)?.resource == "arn:\u{FFFD}\u{FFFD}")
  }

  @Test(arguments: RealDenial.all)
  func `where nothing is certain there is no fix among guesses, and a Deny is never answered with an Allow`(
    _ real: RealDenial
  ) throws {
    let cause = DenialCause(try #require(Denial(reading: Array(real.text.utf8))))
    if cause.refusedBy == .unknown, !cause.possible.isEmpty { #expect(cause.fix == nil) }
    guard cause.isExplicit else { return }
    #expect(([cause.fix] + cause.possible.map(\.fix)).allSatisfy { $0?.document == nil })
    #expect(!"\(cause.explanation) \(cause.hint) \(cause.possible.map(\.explanation))".contains("not allow"))
  }

  @Test func `a Deny in a policy without a name can be in each kind of policy`() throws {
    let words =
      "is not authorized to perform: lambda:GetFunction on resource: arn:aws:lambda:x:1:function:f with an explicit deny"
    let user = DenialCause(try #require(Denial("User: arn:aws:iam::1:user/a \(words)")))
    #expect(user.possible.map(\.side) == [.identityPolicy, .unknown, .scp, .permissionsBoundary, .rcp, .endpointPolicy])
    let session = DenialCause(try #require(Denial("User: arn:aws:sts::1:assumed-role/r/s \(words)")))
    #expect(session.possible.contains { $0.side == .sessionPolicy })
    let anonymous = DenialCause(try #require(Denial("User: anonymous \(words)")))
    #expect(anonymous.possible.map(\.side) == [.unknown, .rcp, .endpointPolicy])
    var assume = try Self.refused("arn:aws:iam::1:user/a")
    assume.isExplicit = true
    let role = DenialCause(assume)
    #expect(role.refusedBy == .unknown && role.possible.prefix(2).map(\.side) == [.identityPolicy, .trustPolicy])
  }

  @Test(arguments: [
    (
      "An error occurred (403) when calling the HeadObject operation: Forbidden",
      ["s3:GetObject", "s3:ListBucket", "kms:Decrypt"]
    ),
    ("An error occurred (403) when calling the HeadBucket operation: Forbidden", ["s3:ListBucket", "bucket's policy"]),
    (
      "An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: Incorrect token audience",
      ["client IDs", "AddClientIDToOpenIDConnectProvider"]
    ),
    (
      "An error occurred (AuthFailure) when calling the StopInstances operation: AWS was not able to validate the provided access "
        + "credentials", ["access key", "clock", "No policy"]
    ),
    (
      "{\"__type\":\"AccessDeniedException\",\"Message\":\"The ciphertext refers to a customer master key that does not exist, does "
        + "not exist in this region, or you are not allowed to access.\"}", ["kms:Decrypt", "another region", "deleted"]
    ),
    ("{\"__type\":\"KMSAccessDeniedException\",\"Message\":\"KMS access was denied.\"}", ["kms:Decrypt"]),
    ("Signature expired: 20220127T001427Z is now earlier than 20220127T014428Z (20220127T015928Z - 15 min.)", ["15 minutes"]),
  ]) func `what such words can mean is said`(_ text: String, _ parts: [String]) throws {
    let cause = DenialCause(try #require(Denial(reading: Array(text.utf8))))
    let all = ([cause.explanation, cause.fix?.who ?? ""] + cause.possible.map(\.explanation)).joined(separator: " ")
    for part in parts { #expect(all.contains(part), "\(all)") }
    #expect(!all.contains("five") && (cause.fix?.document == nil))
  }

  @Test func `of several errors the last one is explained, and the others are counted`() throws {
    func read(_ text: String) throws -> Denial { try #require(Denial(reading: Array(text.utf8))) }
    func line(_ action: String) -> String {
      "An error occurred (AccessDenied) when calling the X operation: User: arn:aws:iam::1:user/a is not authorized to perform: "
        + "\(action) on resource: * because no identity-based policy allows the \(action) action\n"
    }
    let mfa = "An error occurred (AccessDenied) when calling the AssumeRole operation: MultiFactorAuthentication failed"
    let three = try read(line("s3:GetObject") + line("ec2:RunInstances") + line("ec2:RunInstances") + mfa)
    #expect(three.others == 2 && DenialCause(three).refusedBy == .mfa)
    let bare = "User: arn:aws:iam::1:user/a is not authorized to perform: "
    let two = try read(
      "\(bare)s3:GetObject on resource: * because no identity-based policy allows it\n\(bare)iam:GetRole on resource: *")
    #expect(two.others == 1 && two.action == "iam:GetRole" && two.policyType == nil)
    // The class of a Python error is none of its own.
    let python = line("ssm:GetParameter").replacing("AccessDenied", with: "AccessDeniedException")
    #expect(try read("botocore.errorfactory.AccessDeniedException: " + python).others == 0)
    for real in RealDenial.all { #expect(try read(real.text).others == 0, "\(real.text)") }
  }

  // MARK: hostile input

  @Test func `no input ends the program or takes long, whatever it is`() {
    let marks = [
      "User: ", "not authorized to perform: a:b ", "because no ", "\"", "{\"a\":", "<Code>", "&", "[", "\u{1B}[31m", "\\", "arn:",
    ]
    var inputs = marks.map { Array(String(repeating: $0, count: (1 << 16) / $0.utf8.count).utf8) }
    inputs.append([UInt8](repeating: 0xF0, count: 1 << 16))
    inputs.append(Array(RealDenial.all[0].text.utf8) + [0xE2, 0x82])
    for real in RealDenial.all.prefix(20) {
      let bytes = Array(real.text.utf8)
      for end in stride(from: 0, to: bytes.count, by: 7) { inputs.append(Array(bytes[..<end])) }
    }
    for input in inputs {
      guard let denial = Denial(reading: input) else { continue }
      let cause = DenialCause(denial)
      #expect(denial.message.utf8.count <= 3 * 4_096 && cause.hint.utf8.count < 16_384)
    }
  }

  @Test func `a control character in a text is none in what is read`() throws {
    let denial = try #require(
      Denial("User: arn:aws:iam::1:user/x\u{1B}[2J is not authorized to perform: s3:Get\u{07} on resource: arn:x\u{0}y"))
    let all = "\(denial)"
    #expect(all.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
  }
}
