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
      found = DenialWords.read(ByteText(bytes))
    }
    guard let found else { return nil }
    self = found
  }

  /// - Parameter text: AWS's words, with the code and the operation where they are known.
  public init?(_ text: String, code: String? = nil, operation: String? = nil) {
    guard let found = DenialWords.read(ByteText(text.utf8), code: code, operation: operation) else { return nil }
    self = found
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
