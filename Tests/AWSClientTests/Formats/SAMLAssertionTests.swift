import Foundation
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// A SAML response with roles in it.
enum SAMLSample {
  static func encoded(roles: [String]) -> SecretBytes {
    let values = roles.map { "<AttributeValue>\($0)</AttributeValue>" }.joined()
    return encoded("<Response><Attribute Name=\"https://aws.amazon.com/SAML/Attributes/Role\">\(values)</Attribute></Response>")
  }

  static func encoded(_ document: String) -> SecretBytes { SecretBytes(Data(document.utf8).base64EncodedString()) }
}

struct SAMLAssertionTests {
  private static let provider = "arn:aws:iam::123456789012:saml-provider/corp"

  private func failure(_ text: SecretBytes) -> SAMLError? {
    do throws(SAMLError) {
      _ = try SAMLAssertion(text)
      return nil
    } catch {
      return error
    }
  }

  @Test("roles are found in either order, once each, among what else an identity provider sends")
  func roles() throws {
    let document = """
      <?xml version="1.0" encoding="UTF-8"?>
      <samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion">
      <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>
      <saml2:Assertion><saml2:Subject>ann</saml2:Subject><saml2:AttributeStatement>
      <saml2:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role" NameFormat="urn:x">
        <saml2:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">
          arn:aws:iam::123456789012:role/path/dev,\(Self.provider)
        </saml2:AttributeValue>
        <saml2:AttributeValue>\(Self.provider), arn:aws:iam::210987654321:role/ops</saml2:AttributeValue>
        <saml2:AttributeValue>arn:aws:iam::210987654321:role/ops,\(Self.provider)</saml2:AttributeValue>
        <saml2:AttributeValue>not a role</saml2:AttributeValue>
      </saml2:Attribute>
      <saml2:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml2:AttributeValue>ann&amp;co
      </saml2:AttributeValue></saml2:Attribute>
      <saml2:Attribute Name="https://aws.amazon.com/SAML/Attributes/SessionDuration"><saml2:AttributeValue>7200</saml2:AttributeValue>
      </saml2:Attribute></saml2:AttributeStatement></saml2:Assertion></samlp:Response>
      """
    let assertion = try SAMLAssertion(SAMLSample.encoded(document))
    #expect(
      assertion.roles.map(\.roleARN.text) == ["arn:aws:iam::123456789012:role/path/dev", "arn:aws:iam::210987654321:role/ops"])
    #expect(assertion.roles.allSatisfy { $0.principalARN == Self.provider })
    #expect(assertion.roleSessionName == "ann&co" && assertion.sessionDuration?.seconds == 7_200)
  }

  @Test("line breaks in the base64 are taken out of what AWS gets")
  func lines() throws {
    let whole = SAMLSample.encoded(roles: ["arn:aws:iam::123456789012:role/dev,\(Self.provider)"]).revealed
    let broken = whole.enumerated().map { $0.offset % 64 == 63 ? "\($0.element)\r\n" : String($0.element) }.joined() + "\n"
    #expect(try SAMLAssertion(SecretBytes(broken)).encoded.revealed == whole)
  }

  @Test(
    "what is not base64 is refused",
    arguments: [
      "", " ", "%", "A", "AAAAA", "AA=A", "AAA", "AA", "AAA==", "AAAA=", "=", "A-_A", "AB==", "AAB=", "SAMLResponse=AAAA",
      "AA\u{0}A",
    ])
  func notBase64(_ text: String) { #expect(failure(SecretBytes(text)) == .notBase64) }

  @Test(
    "what is not a harmless document is refused",
    arguments: [
      "text", "<a>", "{}", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
      "<a>&nothing;</a>", String(repeating: "<a>", count: 10_000),
      String(repeating: "<a>", count: 33) + String(repeating: "</a>", count: 33),
    ])
  func notXML(_ document: String) { #expect(failure(SAMLSample.encoded(document)) == .notXML) }

  @Test(
    "an assertion without a role that can be one has none",
    arguments: [
      "", "arn:aws:iam::123456789012:role/dev", provider, "\(provider),\(provider)",
      "arn:aws:iam::123456789012:role/dev,arn:aws:iam::123456789012:role/dev", "arn:aws:iam::1:role/dev,\(provider)",
      "arn:aws:iam::123456789012:role/dev,\(provider),x", ",", "arn:aws:iam::123456789012:user/dev,\(provider)",
    ])
  func noRoles(_ value: String) {
    #expect(failure(SAMLSample.encoded(roles: [value])) == .noRoles)
  }

  @Test("a role outside of its attribute is none")
  func elsewhere() {
    let value = "<AttributeValue>arn:aws:iam::123456789012:role/dev,\(Self.provider)</AttributeValue>"
    #expect(failure(SAMLSample.encoded("<a><Attribute Name=\"Other\">\(value)</Attribute>\(value)</a>")) == .noRoles)
  }

  @Test("more than AWS takes is refused before it is read")
  func large() {
    let error = failure(SecretBytes(String(repeating: "A", count: 100_004)))
    #expect(error == .tooLarge(100_004) && error?.exitStatus == .badData)
  }

  @Test("a thousand values are read, more are refused")
  func many() throws {
    let role = "arn:aws:iam::123456789012:role/dev,\(Self.provider)"
    #expect(try SAMLAssertion(SAMLSample.encoded(roles: Array(repeating: "x", count: 999) + [role])).roles.count == 1)
    #expect(failure(SAMLSample.encoded(roles: Array(repeating: "x", count: 1_000) + [role])) == .notXML)
  }

  @Test("a role's attribute is found by its plain name alone")
  func prefixedName() {
    let value = "<AttributeValue>arn:aws:iam::123456789012:role/dev,\(Self.provider)</AttributeValue>"
    let document =
      "<a xmlns:x=\"urn:x\"><Attribute Name=\"Other\" x:Name=\"\(SAMLAssertion.roleAttribute)\">\(value)</Attribute></a>"
    #expect(failure(SAMLSample.encoded(document)) == .noRoles)
  }

  @Test("a duration that cannot be is none", arguments: ["0", "899", "43201", "-1", "1h", "99999999999999999999", ""])
  func duration(_ text: String) throws {
    let role = "arn:aws:iam::123456789012:role/dev,\(Self.provider)"
    let document = """
      <a><Attribute Name="\(SAMLAssertion.roleAttribute)"><AttributeValue>\(role)</AttributeValue></Attribute>
      <Attribute Name="\(SAMLAssertion.durationAttribute)"><AttributeValue>\(text)</AttributeValue></Attribute></a>
      """
    #expect(try SAMLAssertion(SAMLSample.encoded(document)).sessionDuration == nil)
  }
}
