/// Reads a refusal from whatever a person has of it: AWS's sentence, a line of the AWS CLI or an SDK, the body of a service, an
/// event of CloudTrail, a decoded message, or the details of an authorization.
extension Denial {
  /// The longest input.
  public static let maxBytes = 1 << 20

  /// - Returns: nil if the input tells of no refusal.
  public init?(reading input: [UInt8]) {
    let bytes = input.count > Self.maxBytes ? Array(input.prefix(Self.maxBytes)) : input
    var found: Denial?
    if let first = bytes.first(where: { $0 > 0x20 }), first == UInt8(ascii: "{") || first == UInt8(ascii: "["),
      let json = try? JSONText(bytes, maxBytes: Self.maxBytes)
    {
      found = Denial(json: json.value)
    } else if let xml = Self.xml(bytes) {
      found = xml
    } else {
      found = Self.last(of: ByteText(bytes))
    }
    guard let found else { return nil }
    self = found
  }

  /// - Parameter text: AWS's words, with the code and the operation where they are known.
  public init?(_ text: String, code: String? = nil, operation: String? = nil) {
    guard let found = DenialWords.read(ByteText(text.utf8), code: code, operation: operation) else { return nil }
    self = found
  }

  // MARK: several errors

  /// The last refusal of a text, with the number of the others that differ from it.
  private static func last(of text: ByteText) -> Denial? {
    var found: [Denial] = []
    var seen: Set<[String?]> = []
    for piece in pieces(of: text).suffix(64).reversed() {
      guard let denial = DenialWords.read(ByteText(text.bytes[piece])) else { continue }
      // A trace names the class of the error before the error itself.
      if denial.action == nil, denial.operation == nil, let next = found.last, next.code == denial.code { continue }
      let facts = [denial.code, denial.operation, denial.action, denial.principal, denial.resource, denial.policyType?.rawValue]
      if seen.insert(facts).inserted { found.append(denial) }
    }
    guard var last = found.first else { return DenialWords.read(text) }
    last.others = found.count - 1
    return last
  }

  /// The pieces that may be an error each: they begin where the AWS CLI, an SDK or a program begins one. AWS's sentence alone begins
  /// one only after another sentence.
  private static func pieces(of text: ByteText) -> [Range<Int>] {
    let heads = ["An error occurred (", "operation error ", "Error: "]
    var starts: Set<Int> = [0]
    for head in heads {
      var place = 0
      while let mark = text.find(head, from: place) {
        starts.insert(mark.lowerBound)
        place = mark.upperBound
      }
    }
    let perform = "is not authorized to perform: "
    var place = 0
    while let sentence = text.find(perform, from: place), let user = text.find("User: ", from: sentence.upperBound) {
      // A heading between two sentences belongs to the second one, and cuts there already.
      let isHeaded = heads.contains { text.find($0, from: sentence.upperBound, before: user.lowerBound) != nil }
      if !isHeaded, text.find(perform, from: user.upperBound, before: user.upperBound + 2_200) != nil {
        starts.insert(user.lowerBound)
      }
      place = user.upperBound
    }
    let sorted = starts.sorted() + [text.bytes.count]
    return zip(sorted, sorted.dropFirst()).map { $0..<$1 }.filter { !$0.isEmpty }
  }

  // MARK: XML

  /// The error of the query protocol, of S3 and of EC2: `<Error><Code>…</Code><Message>…</Message>`.
  private static func xml(_ bytes: [UInt8]) -> Denial? {
    let text = ByteText(bytes)
    func element(_ name: String) -> String? {
      guard let open = text.find("<\(name)>"), let close = text.find("</\(name)>", from: open.upperBound) else { return nil }
      return unescaped(text.text(open.upperBound..<close.lowerBound))
    }
    guard let code = element("Code"), code.utf8.count <= 128 else { return nil }
    return Denial(element("Message") ?? "", code: code)
  }

  private static func unescaped(_ text: String) -> String {
    guard text.contains("&") else { return text }
    var result = ""
    var rest = text[...]
    while let start = rest.firstIndex(of: "&") {
      result += rest[..<start]
      rest = rest[start...]
      let known = [
        ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&"),
      ]
      if let (name, value) = known.first(where: { rest.hasPrefix($0.0) }) {
        result += value
        rest = rest.dropFirst(name.count)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result + rest
  }
}
