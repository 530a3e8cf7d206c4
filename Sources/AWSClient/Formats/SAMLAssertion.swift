import VaultBytes
import VaultModel
import VaultSecrets

/// A role that an assertion offers, with the identity provider that represents the issuer in AWS.
public struct SAMLRole: Sendable, Hashable {
  public let roleARN: RoleARN
  /// `arn:aws:iam::123456789012:saml-provider/NAME`
  public let principalARN: String
}

/// Why a SAML response cannot be used.
public enum SAMLError: ReportableError, Hashable {
  case tooLarge(Int)
  case notBase64
  case notXML
  case noRoles

  public var message: String {
    switch self {
    case .tooLarge(let count): "the SAML response has \(count) bytes; AWS accepts at most 100000"
    case .notBase64: "the SAML response is not base64"
    case .notXML: "the SAML response is not a safe XML document"
    case .noRoles: "the SAML assertion contains no AWS role"
    }
  }

  public var hint: String? {
    switch self {
    case .tooLarge: nil
    case .notBase64, .notXML:
      "expected the form field SAMLResponse as the identity provider posts it, in Base64, with nothing before or after"
    case .noRoles: "does the identity provider send the attribute \(SAMLAssertion.roleAttribute) for you?"
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .noRoles: .refused
    default: .badData
    }
  }
}

/// A SAML 2.0 assertion by an identity provider.
///
/// It is read only to select a role: AWS alone verifies the signature.
public struct SAMLAssertion: Sendable {
  static let roleAttribute = "https://aws.amazon.com/SAML/Attributes/Role"
  static let sessionNameAttribute = "https://aws.amazon.com/SAML/Attributes/RoleSessionName"
  static let durationAttribute = "https://aws.amazon.com/SAML/Attributes/SessionDuration"
  /// STS API, `AssumeRoleWithSAML`.
  static let maxBytes = 100_000

  /// In Base64 on one line, as STS requires.
  public let encoded: SecretBytes
  /// In the assertion's order, without duplicates.
  public let roles: [SAMLRole]
  public let roleSessionName: String?
  /// The duration of the console session; nil if the assertion has none, or an invalid one.
  public let sessionDuration: SessionDuration?

  /// - Parameter text: the response in Base64; line breaks are ignored.
  public init(_ text: SecretBytes) throws(SAMLError) {
    guard text.count <= Self.maxBytes else { throw .tooLarge(text.count) }
    guard let document = Base64.decoded(text) else { throw .notBase64 }
    let reader = SAMLReader()
    guard reader.read(document) else { throw .notXML }
    var roles: [SAMLRole] = []
    for value in reader.values[Self.roleAttribute] ?? [] {
      if let role = Self.role(value), !roles.contains(role) { roles.append(role) }
    }
    guard !roles.isEmpty else { throw .noRoles }
    self.roles = roles
    roleSessionName = reader.values[Self.sessionNameAttribute]?.first
    sessionDuration = reader.values[Self.durationAttribute]?.first.flatMap { Int($0) }.flatMap { SessionDuration(seconds: $0) }
    var line = ByteBuffer(capacity: text.count, isWiped: true)
    text.withBytes { for byte in $0 where byte > 0x20 { line.append(byte) } }
    encoded = line.secret
  }

  /// `ROLE,PROVIDER` or `PROVIDER,ROLE`.
  private static func role(_ value: String) -> SAMLRole? {
    let parts = value.split(separator: ",", omittingEmptySubsequences: false).map { part in
      String(part.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
    guard parts.count == 2, let index = parts.firstIndex(where: isProvider), let arn = RoleARN(parts[1 - index]) else {
      return nil
    }
    return SAMLRole(roleARN: arn, principalARN: parts[index])
  }

  private static func isProvider(_ text: String) -> Bool {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    return text.plain(20...2_048) != nil && parts.count == 6 && parts[0] == "arn" && parts[2] == "iam"
      && parts[5].hasPrefix("saml-provider/")
  }
}

/// The values of an assertion's attributes, by attribute name.
private final class SAMLReader: XMLReader {
  static let maximum = 1_000

  private(set) var values: [String: [String]] = [:]
  private var path: [String] = []
  private var attribute: String?
  private var text = ByteBuffer(isWiped: true)
  private var count = 0

  init() { super.init(deepest: 32) }

  override func begin(_ name: String, _ attributes: [String: String]) -> Bool {
    path.append(name)
    if name == "Attribute" { attribute = attributes["Name"] }
    text = ByteBuffer(isWiped: true)
    return true
  }

  override func add(_ bytes: UnsafeRawBufferPointer) {
    if path.last == "AttributeValue" { text.append(bytes) }
  }

  override func end() -> Bool {
    let name = path.popLast()
    if name == "AttributeValue", path.last == "Attribute", let attribute {
      count += 1
      guard count <= Self.maximum else { return false }
      let value = text.withBytes { String(decoding: $0, as: UTF8.self) }
      let trimmed = value.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
      values[attribute, default: []].append(String(trimmed))
    }
    if name == "Attribute" { attribute = nil }
    text = ByteBuffer(isWiped: true)
    return true
  }
}
