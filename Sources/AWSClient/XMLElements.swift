import CExpat
import VaultSecrets

// The one file that calls expat.

/// The texts of an XML answer, by the path of their elements.
///
/// No document type and so no entities; depth, size and number are bounded. Texts are kept as bytes and wiped at the end, since some are
/// credentials.
final class XMLElements {
  static let deepest = 16
  /// Elements of an answer of AWS; of an identity provider's assertion, which may list hundreds of roles.
  static let most = 512
  static let mostOfAssertion = 8_192

  /// `AssumeRoleResponse/AssumeRoleResult/Credentials/AccessKeyId`, without namespaces.
  private var texts: [(path: String, bytes: [UInt8])] = []
  private var path: [String] = []
  private var text: [UInt8] = []
  private var isRefused = false
  /// Set while the document is read.
  private var parser: XML_Parser?

  /// An attribute whose value is part of an element's name in a path: `Attribute[Role]`.
  private let telling: String?
  private let most: Int

  /// - Parameter telling: an attribute that tells elements of one name apart.
  /// - Returns: nil for what is not one whole, harmless XML document.
  init?(_ document: SecretBytes, telling: String? = nil, most: Int = XMLElements.most) {
    self.telling = telling
    self.most = most
    guard let parser = XML_ParserCreate("UTF-8") else { return nil }
    self.parser = parser
    defer {
      self.parser = nil
      XML_ParserFree(parser)
    }
    XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
    XML_SetElementHandler(
      parser, { context, name, attributes in XMLElements.from(context)?.begin(name, attributes) },
      { context, _ in XMLElements.from(context)?.end() })
    XML_SetCharacterDataHandler(parser) { context, bytes, length in XMLElements.from(context)?.add(bytes, Int(length)) }
    XML_SetStartDoctypeDeclHandler(parser) { context, _, _, _, _ in XMLElements.from(context)?.refuse() }
    let status = document.withBytes { bytes in
      XML_Parse(parser, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), 1)
    }
    guard status == XML_STATUS_OK, !isRefused else { return nil }
  }

  deinit {
    wipe(&text)
    for index in texts.indices { wipe(&texts[index].bytes) }
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> XMLElements? {
    context.map { Unmanaged<XMLElements>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Nothing more is read, so that no entity is ever expanded.
  private func refuse() {
    isRefused = true
    if let parser { XML_StopParser(parser, XML_Bool(XML_FALSE)) }
  }

  private func begin(_ name: UnsafePointer<CChar>?, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?) {
    guard let name, path.count < Self.deepest else { return refuse() }
    path.append(Self.withoutPrefix(String(cString: name)) + (value(of: telling, in: attributes).map { "[\($0)]" } ?? ""))
    wipe(&text)
    text.removeAll(keepingCapacity: true)
  }

  private static func withoutPrefix(_ name: String) -> String { name.split(separator: ":").last.map(String.init) ?? name }

  /// - Parameter attributes: names and values by turns, ended by null.
  private func value(of name: String?, in attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?) -> String? {
    guard let name, var next = attributes else { return nil }
    while let key = next[0], let value = next[1] {
      if String(cString: key) == name { return String(cString: value) }
      next += 2
    }
    return nil
  }

  private func end() {
    guard !path.isEmpty, texts.count < most else { return refuse() }
    if !text.isEmpty { texts.append((path.joined(separator: "/"), text)) }
    wipe(&text)
    text.removeAll(keepingCapacity: true)
    path.removeLast()
  }

  private func add(_ bytes: UnsafePointer<CChar>?, _ length: Int) {
    guard let bytes, length > 0, !isRefused else { return }
    text.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
  }

  private func bytes(_ suffix: String) -> [UInt8]? {
    let found = texts.filter { $0.path == suffix || $0.path.hasSuffix("/" + suffix) }
    // An element that is there twice says nothing for sure.
    return found.count == 1 ? found[0].bytes : nil
  }

  /// The text of the one element whose path ends so, without blanks around it.
  func text(_ suffix: String) -> String? {
    guard let bytes = bytes(suffix) else { return nil }
    return Self.trimmed(String(decoding: bytes, as: UTF8.self))
  }

  private static func trimmed(_ text: String) -> String {
    var text = text[...]
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }

  /// The texts of all elements whose path ends so, in their order, without blanks around them.
  func texts(_ suffix: String) -> [String] {
    texts.filter { $0.path == suffix || $0.path.hasSuffix("/" + suffix) }.map { found in
      Self.trimmed(String(decoding: found.bytes, as: UTF8.self))
    }
  }

  func secret(_ suffix: String) -> SecretBytes? {
    bytes(suffix).map { bytes in bytes.withUnsafeBytes { SecretBytes(copying: $0) } }
  }
}
