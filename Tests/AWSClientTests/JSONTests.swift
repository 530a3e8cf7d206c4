import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

@Suite struct JSONTests {
  private func parse(_ text: String) -> JSONValue? { JSONValue(SecretBytes(text)) }

  @Test("values are read by their type, and nothing else for them")
  func types() throws {
    let json = try #require(
      parse(
        #"{"text":"a\u00e9\n","number":42,"real":1.5e3,"half":1.5,"null":null,"list":[{"a":"1"},{"a":"2"}],"object":{"x":"y"}}"#))
    #expect(json.text("text") == "aé\n")
    #expect(json.number("number") == 42 && json.number("real") == 1_500 && json.number("half") == nil)
    #expect(json.text("number") == nil && json.number("text") == nil && json.text("null") == nil && json.text("none") == nil)
    #expect(json.has("null") && !json.has("none"))
    #expect(json.array("list")?.map { $0.text("a") } == ["1", "2"])
    #expect(json["object"]?.text("x") == "y" && json["null"] == nil)
    #expect(json.secret("text")?.equals(SecretBytes("aé\n")) == true)
  }

  @Test(
    "what is no JSON, says a thing twice, or is too large is refused",
    arguments: [
      "", "x", "{", #"{"a":1"#, #"{"a":1,"a":2}"#, #"{"a":1} x"#, "1", #""text""#, "{\"a\":\"\u{1}\"}",
      String(repeating: "[", count: 100_000), "{\"a\":\"" + String(repeating: "x", count: 1_100_000) + "\"}",
    ])
  func malformed(text: String) { #expect(parse(text) == nil) }

  @Test("every text that goes into a body comes out of it as it was")
  func body() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let text = String(
        String.UnicodeScalarView((0..<20).compactMap { _ in Unicode.Scalar(UInt32.random(in: 1...0x2FF, using: &random)) }))
      var body = JSONBody()
      body.add("a\"b", text)
      body.add("list", ["1", text])
      body.add("secret", SecretBytes(text))
      body.add("none", nil as String?)
      let json = try #require(JSONValue(body.finish()))
      #expect(json.text("a\"b") == text && json.secret("secret")?.equals(SecretBytes(text)) == true && !json.has("none"))
    }
  }
}

@Suite struct PKCETests {
  @Test("the challenge is that of RFC 7636, appendix B")
  func vector() {
    let pkce = PKCE(verifier: SecretBytes("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
    #expect(pkce.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
  }

  @Test("each verifier is another, of 64 characters that a URL can hold")
  func fresh() {
    let verifiers = (0..<20).map { _ in PKCE().verifier.withBytes { String(decoding: $0, as: UTF8.self) } }
    #expect(Set(verifiers).count == 20)
    #expect(verifiers.allSatisfy { $0.wholeMatch(of: /[A-Za-z0-9_-]{64}/) != nil })
  }
}

@Suite struct SAMLAssertionTests {
  private func assertion(_ roles: [String]) -> SecretBytes {
    let values = roles.map { "<AttributeValue>\($0)</AttributeValue>" }.joined()
    let xml = """
      <Response><Assertion><AttributeStatement><Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">\(values)</Attribute>
      <Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><AttributeValue>ann</AttributeValue></Attribute>
      </AttributeStatement></Assertion></Response>
      """
    return encoded(xml)
  }

  private func encoded(_ text: String) -> SecretBytes {
    // URL-safe and standard Base64 differ in two letters, and in the padding.
    let form = Array(text.utf8).withUnsafeBytes { base64URL($0) }.withBytes { String(decoding: $0, as: UTF8.self) }
    let padded =
      form.replacing("-", with: "+").replacing("_", with: "/") + String(repeating: "=", count: (4 - form.utf8.count % 4) % 4)
    return SecretBytes(padded)
  }

  private let role = "arn:aws:iam::123456789012:role/path/dev"
  private let provider = "arn:aws:iam::123456789012:saml-provider/idp"

  @Test("roles are read in either order, with blanks, and what is none is passed over")
  func roles() throws {
    let found = try SAMLAssertion(assertion(["\(role),\(provider)", " \(provider) , \(role)2 ", "nonsense", "\(role),\(role)"]))
    #expect(found.roles.map(\.roleARN.text) == [role, role + "2"])
    #expect(found.roles.allSatisfy { $0.providerARN == provider })
    #expect(found.sessionName == "ann")
  }

  @Test("a bomb, a document type, no Base64, no XML and no roles are refused")
  func refused() {
    let bomb = #"<!DOCTYPE r [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><r>&c;</r>"#
    #expect(throws: SAMLError.notXML) { try SAMLAssertion(encoded(bomb)) }
    #expect(throws: SAMLError.notXML) { try SAMLAssertion(encoded("<a><b></a>")) }
    #expect(throws: SAMLError.notBase64) { try SAMLAssertion(SecretBytes("not base 64!")) }
    #expect(throws: SAMLError.notBase64) { try SAMLAssertion(SecretBytes("")) }
    #expect(throws: SAMLError.noRoles) { try SAMLAssertion(assertion(["x"])) }
    #expect(throws: SAMLError.tooLong) { try SAMLAssertion(SecretBytes(String(repeating: "A", count: 100_001))) }
    #expect(throws: SAMLError.notXML) { try SAMLAssertion(encoded(String(repeating: "<a>", count: 1_000))) }
  }
}

@Suite struct ServiceEndpointTests {
  @Test("the endpoints of IAM Identity Center and IAM are those that botocore finds")
  func likeBotocore() throws {
    let rows = try Fixture.text("service-endpoints.tsv").split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(rows.count == 120)
    for row in rows {
      let parts = row.split(separator: "\t").map(String.init)
      let service: AWSService = parts[0] == "sso" ? .ssoPortal : parts[0] == "iam" ? .iam : .ssoOIDC
      let settings = EndpointSettings(useFIPS: parts[2] == "1", useDualStack: parts[3] == "1")
      let endpoint = try AWSEndpoint(service, region: parts[1], settings: settings)
      #expect(endpoint.url == parts[4] + "/", "\(row)")
      if service == .iam { #expect(endpoint.signingRegion == parts[5], "\(row)") }
    }
  }

  @Test(
    "a container's endpoint is asked with TLS, on this machine, or at the addresses of ECS and EKS; elsewhere not",
    arguments: [
      ("https://example.org/x", true), ("http://127.0.0.1:1234/x?a=b", true), ("http://localhost/x", true),
      ("http://[::1]:80/x", true), ("http://169.254.170.2/x", true), ("http://169.254.170.23/v1/credentials", true),
      ("http://[fd00:ec2::23]/x", true), ("http://192.0.2.1/x", false), ("http://169.254.169.254/x", false),
      ("http://host.docker.internal/x", false), ("http://127.0.0.1.evil.example/x", false), ("ftp://127.0.0.1/x", false),
    ])
  func containers(url: String, isTaken: Bool) {
    #expect(((try? MachineCredentialsClient.ContainerAddress.full(url).address) != nil) == isTaken)
  }
}

@Suite struct IAMClientTests {
  private let key = Credential(
    accessKeyId: "AKIAEXAMPLEEXAMPLE00", secretAccessKey: SecretBytes("a secret"), sessionToken: nil, expiresAt: nil)

  private func create(_ steps: [ScriptedTransport.Step]) async -> (error: AWSError?, calls: Int) {
    let transport = ScriptedTransport(steps)
    let client = IAMClient(transport: transport, clock: JumpingClock(), random: { 0.5 })
    do {
      let endpoint = try AWSEndpoint(.iam, region: "eu-west-1", settings: EndpointSettings())
      _ = try await client.createAccessKey(signedBy: key, at: endpoint, via: ScriptedSTS.route)
      return (nil, transport.requests.count)
    } catch {
      return (error as? AWSError, transport.requests.count)
    }
  }

  @Test("a key that may have been made is not made twice; where AWS was surely not asked, it is asked again")
  func once() async {
    let lost = await create([.failure(.timedOut(host: "iam")), .failure(.timedOut(host: "iam"))])
    #expect(lost.error != nil && lost.calls == 1)
    let fault = await create([.error("InternalFailure", status: 500), .error("InternalFailure", status: 500)])
    #expect(fault.error?.code == "InternalFailure" && fault.calls == 1)
    let made = """
      <CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><AccessKeyId>AKIANEWNEWNEWNEWNEW1</AccessKeyId>
      <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY</SecretAccessKey></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>
      """
    let later = await create([
      .failure(.connect(host: "iam")), .error("Throttling", status: 400), .answer(status: 200, body: made),
    ])
    #expect(later.error == nil && later.calls == 3)
  }
}
