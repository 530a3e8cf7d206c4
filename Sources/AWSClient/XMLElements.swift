import CExpat
import VaultSecrets

// The one file that calls expat.

/// The texts of an XML answer, by the path of their elements.
///
/// No document type and so no entities; depth, size and number are bounded. Texts are kept as bytes and wiped at the end, since some are
/// credentials.
final class XMLElements {
  static let deepest = 16
  static let most = 512

  /// `AssumeRoleResponse/AssumeRoleResult/Credentials/AccessKeyId`, without namespaces.
  private var texts: [(path: String, bytes: [UInt8])] = []
  private var path: [String] = []
  private var text: [UInt8] = []
  private var isRefused = false
  /// Set while the document is read.
  private var parser: XML_Parser?

  /// - Returns: nil for what is not one whole, harmless XML document.
  init?(_ document: SecretBytes) {
    guard let parser = XML_ParserCreate("UTF-8") else { return nil }
    self.parser = parser
    defer {
      self.parser = nil
      XML_ParserFree(parser)
    }
    XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
    XML_SetElementHandler(
      parser, { context, name, _ in XMLElements.from(context)?.begin(name) }, { context, _ in XMLElements.from(context)?.end() })
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

  private func begin(_ name: UnsafePointer<CChar>?) {
    guard let name, path.count < Self.deepest else { return refuse() }
    let whole = String(cString: name)
    path.append(whole.split(separator: ":").last.map(String.init) ?? whole)
    wipe(&text)
    text.removeAll(keepingCapacity: true)
  }

  private func end() {
    guard !path.isEmpty, texts.count < Self.most else { return refuse() }
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
    var text = String(decoding: bytes, as: UTF8.self)[...]
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }

  func secret(_ suffix: String) -> SecretBytes? {
    bytes(suffix).map { bytes in bytes.withUnsafeBytes { SecretBytes(copying: $0) } }
  }
}
