import CExpat
import VaultSecrets

// Only this file calls expat.

/// Reads an XML document from start to end; a subclass receives the content.
///
/// No document type and so no entities, and a limited depth. Element names are passed without their namespace prefix.
class XMLReader {
  private let deepest: Int
  private var depth = 0
  private var isRefused = false
  /// Set while a document is read.
  private var parser: XML_Parser?

  init(deepest: Int) { self.deepest = deepest }

  /// - Parameter attributes: by name.
  /// - Returns: false to refuse the document.
  func begin(_ name: String, _ attributes: [String: String]) -> Bool { true }

  /// A piece of text; there may be several in a row.
  func add(_ bytes: UnsafeRawBufferPointer) {}

  /// - Returns: false to refuse the document.
  func end() -> Bool { true }

  /// - Returns: false unless it is one complete, harmless XML document.
  final func read(_ document: SecretBytes) -> Bool {
    guard document.count <= JSONDocument.maxBytes, let parser = XML_ParserCreate("UTF-8") else { return false }
    self.parser = parser
    defer {
      self.parser = nil
      XML_ParserFree(parser)
    }
    XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
    XML_SetElementHandler(
      parser, { context, name, attributes in XMLReader.from(context)?.began(name, attributes) },
      { context, _ in XMLReader.from(context)?.ended() })
    XML_SetCharacterDataHandler(parser) { context, bytes, length in
      guard let reader = XMLReader.from(context), let bytes, length > 0, !reader.isRefused else { return }
      reader.add(UnsafeRawBufferPointer(start: bytes, count: Int(length)))
    }
    XML_SetStartDoctypeDeclHandler(parser) { context, _, _, _, _ in XMLReader.from(context)?.refuse() }
    let status = document.withBytes { bytes in
      XML_Parse(parser, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), 1)
    }
    return status == XML_STATUS_OK && !isRefused
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> XMLReader? {
    context.map { Unmanaged<XMLReader>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Stops reading, so that no entity is ever expanded.
  private func refuse() {
    isRefused = true
    if let parser { XML_StopParser(parser, XML_Bool(XML_FALSE)) }
  }

  private func began(_ name: UnsafePointer<CChar>?, _ pairs: UnsafeMutablePointer<UnsafePointer<CChar>?>?) {
    guard let name, !isRefused, depth < deepest else { return refuse() }
    depth += 1
    var attributes: [String: String] = [:]
    var next = pairs
    while let pair = next, let key = pair[0], let value = pair[1] {
      attributes[String(cString: key)] = String(cString: value)
      next = pair + 2
    }
    if !begin(Self.local(name), attributes) { refuse() }
  }

  private func ended() {
    guard depth > 0, !isRefused else { return refuse() }
    depth -= 1
    if !end() { refuse() }
  }

  private static func local(_ name: UnsafePointer<CChar>) -> String {
    let whole = String(cString: name)
    return whole.split(separator: ":").last.map(String.init) ?? whole
  }
}
