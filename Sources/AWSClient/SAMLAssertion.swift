import VaultModel
import VaultSecrets

/// What an identity provider's SAML response says for AWS (IAM User Guide, "Configure SAML assertions for the authentication response").
///
/// It is read to know which roles there are to choose from; whether it is genuine is for AWS to say.
public struct SAMLAssertion: Sendable {
  /// A role, and the provider in IAM that vouches for who may have it.
  public struct Role: Sendable, Hashable {
    public let roleARN: RoleARN
    public let providerARN: String

    public init(roleARN: RoleARN, providerARN: String) {
      self.roleARN = roleARN
      self.providerARN = providerARN
    }
  }

  /// As it came: Base64.
  public let text: SecretBytes
  public let roles: [Role]
  /// `https://aws.amazon.com/SAML/Attributes/RoleSessionName`
  public let sessionName: String?

  /// STS takes 100,000 characters at most (`AssumeRoleWithSAML`).
  static let longest = 100_000
  private static let attributes = "https://aws.amazon.com/SAML/Attributes/"

  public init(_ text: SecretBytes) throws(SAMLError) {
    guard text.count <= Self.longest else { throw .tooLong }
    guard text.count > 0, let document = base64Decoded(text) else { throw .notBase64 }
    guard let elements = XMLElements(document, telling: "Name", most: XMLElements.mostOfAssertion) else { throw .notXML }
    roles = elements.texts("Attribute[\(Self.attributes)Role]/AttributeValue").compactMap(Self.role)
    guard !roles.isEmpty else { throw .noRoles }
    sessionName = elements.texts("Attribute[\(Self.attributes)RoleSessionName]/AttributeValue").first
    let blanks: Set<UInt8> = [9, 10, 13, 32]
    // STS wants it in one piece.
    self.text = text.withBytes { bytes in
      var plain = bytes.filter { !blanks.contains($0) }
      defer { wipe(&plain) }
      return plain.withUnsafeBytes { SecretBytes(copying: $0) }
    }
  }

  /// `ROLE,PROVIDER`, in either order: providers differ in it.
  private static func role(_ pair: String) -> Role? {
    let parts = pair.split(separator: ",").map { part -> String in
      String(part.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
    guard parts.count == 2 else { return nil }
    let isProvider = { (text: String) in text.hasPrefix("arn:") && text.contains(":saml-provider/") && text.utf8.count <= 2_048 }
    for (role, provider) in [(parts[0], parts[1]), (parts[1], parts[0])] where isProvider(provider) {
      if let arn = RoleARN(role) { return Role(roleARN: arn, providerARN: provider) }
    }
    return nil
  }
}

/// What can be wrong with an assertion.
public enum SAMLError: ReportableError, Hashable {
  case tooLong
  case notBase64
  case notXML
  case noRoles
  /// The role that the profile names is none of the assertion's.
  case roleNotOffered(role: String, offered: [String])

  public var message: String {
    switch self {
    case .tooLong: "the SAML assertion is longer than the 100,000 characters that AWS takes"
    case .notBase64: "the SAML assertion is no Base64"
    case .notXML: "the SAML assertion is no XML"
    case .noRoles: "the SAML assertion offers no role of AWS"
    case .roleNotOffered(let role, _): "the SAML assertion does not offer \(role)"
    }
  }

  public var hint: String? {
    switch self {
    case .noRoles: "the identity provider must send the attribute https://aws.amazon.com/SAML/Attributes/Role"
    case .roleNotOffered(_, let offered): "it offers " + offered.prefix(10).joined(separator: ", ")
    default: "the identity provider's SAMLResponse, as it posts it to AWS, is what is wanted"
    }
  }

  public var exitStatus: ExitStatus { if case .roleNotOffered = self { .refused } else { .badData } }
}
