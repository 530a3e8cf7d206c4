import VaultBytes
import VaultSecrets

/// The texts of an XML response, by element path.
///
/// Depth, size and number are limited. Texts are kept as bytes and wiped at the end, since some are credentials.
final class XMLElements: XMLReader {
  static let deepest = 16
  static let maximum = 512

  private struct Element {
    /// `AssumeRoleResponse/AssumeRoleResult/Credentials/AccessKeyId`, without namespaces.
    let path: String
    /// The position of its text in `bytes`.
    let range: Range<Int>
    /// The number of the enclosing `member` element, counted through the document from 1; 0 outside any.
    let member: Int
  }

  private var elements: [Element] = []
  /// All texts, one after another.
  private var bytes = ByteBuffer(capacity: 4_096, isWiped: true)
  /// The start of the open element's text.
  private var start = 0
  private var path: [String] = []
  private var members = 0
  private var openMembers: [Int] = []

  /// - Returns: nil unless it is one complete, harmless XML document.
  init?(_ document: SecretBytes) {
    super.init(deepest: Self.deepest)
    guard read(document) else { return nil }
  }

  override func begin(_ name: String, _ attributes: [String: String]) -> Bool {
    path.append(name)
    if name == "member" {
      members += 1
      openMembers.append(members)
    }
    start = bytes.count
    return true
  }

  override func add(_ text: UnsafeRawBufferPointer) { bytes.append(text) }

  override func end() -> Bool {
    guard let name = path.last, elements.count < Self.maximum else { return false }
    if bytes.count > start {
      elements.append(
        Element(path: path.joined(separator: "/"), range: start..<bytes.count, member: openMembers.last ?? 0))
    }
    start = bytes.count
    path.removeLast()
    if name == "member" { openMembers.removeLast() }
    return true
  }

  private func one(_ suffix: String) -> Element? {
    let found = elements.filter { $0.path == suffix || $0.path.hasSuffix("/" + suffix) }
    // An element that occurs twice is ambiguous.
    return found.count == 1 ? found[0] : nil
  }

  private func trimmed(_ element: Element) -> String {
    var text = bytes.withBytes { String(decoding: $0[element.range], as: UTF8.self) }[...]
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }

  /// The text of the only element whose path has this suffix, without surrounding blanks.
  func text(_ suffix: String) -> String? { one(suffix).map(trimmed) }

  func secret(_ suffix: String) -> SecretBytes? {
    one(suffix).map { element in bytes.withBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[element.range])) } }
  }

  /// The texts of a list whose `member` elements are texts.
  func texts(_ list: String) -> [String] { elements.filter { $0.path.hasSuffix("/\(list)/member") }.map(trimmed) }

  /// The texts inside each `member` of a list, by element name.
  func members(_ list: String) -> [[String: String]] {
    var found: [(member: Int, texts: [String: String])] = []
    for element in elements where element.member > 0 {
      guard let slash = element.path.lastIndex(of: "/") else { continue }
      let parent = element.path[..<slash]
      guard parent.hasSuffix("/\(list)/member") else { continue }
      if found.last?.member != element.member { found.append((element.member, [:])) }
      found[found.count - 1].texts[String(element.path[element.path.index(after: slash)...])] = trimmed(element)
    }
    return found.map(\.texts)
  }
}
