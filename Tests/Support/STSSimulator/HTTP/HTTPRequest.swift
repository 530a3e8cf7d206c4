/// One request as it came: nothing is trusted yet but its sizes.
struct HTTPRequest: Sendable {
  let method: String
  /// What the request line named: a path with a query, or, through a proxy, a whole URL.
  let target: String
  /// Still percent-encoded, `/` at least.
  let path: String
  /// Still percent-encoded, without the question mark.
  let query: String
  /// Names in lower case, in the order in which they came.
  let headers: [(name: String, value: String)]
  var body: [UInt8] = []

  /// What may come before the body, and what the body may be (a call of STS with all it can hold is below 64 KiB).
  static let headLimit = 32_768
  static let bodyLimit = 262_144

  /// Why a request is not answered as one.
  enum Malformed: Error {
    case badRequest, headTooLarge, bodyTooLarge, lengthRequired, methodNotAllowed
  }

  /// The values of a header, joined as RFC 9110 (5.3) says; nil where it is not there.
  subscript(_ name: String) -> String? {
    let values = headers.filter { $0.name == name }.map(\.value)
    return values.isEmpty ? nil : values.joined(separator: ",")
  }

  /// Parses what stands before the empty line (RFC 9112, sections 2 to 5).
  init(head: ArraySlice<UInt8>) throws(Malformed) {
    guard let text = String(validating: head, as: UTF8.self) else { throw .badRequest }
    let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
    let words = lines[0].split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0", !words[1].isEmpty else { throw .badRequest }
    guard ["GET", "POST", "PUT"].contains(words[0]) else { throw .methodNotAllowed }
    method = String(words[0])
    target = String(words[1])
    var origin = words[1]
    if let scheme = origin.range(of: "://"), !origin.hasPrefix("/") {
      let authority = origin[scheme.upperBound...]
      origin = authority.firstIndex(where: { $0 == "/" || $0 == "?" }).map { authority[$0...] } ?? "/"
    }
    let parts = origin.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = parts[0].isEmpty ? "/" : String(parts[0])
    query = parts.count > 1 ? String(parts[1]) : ""
    var headers: [(name: String, value: String)] = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex, headers.count < 100 else { throw .badRequest }
      let name = line[..<colon].lowercased()
      guard name.utf8.allSatisfy({ (33...126).contains($0) }) else { throw .badRequest }
      headers.append((name, line[line.index(after: colon)...].trimmingBlanks()))
    }
    self.headers = headers
  }

  /// How many bytes of body follow.
  func bodyLength() throws(Malformed) -> Int {
    guard self["transfer-encoding"] == nil else { throw .lengthRequired }
    guard let text = self["content-length"] else { return 0 }
    guard text.utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(text) else { throw .badRequest }
    guard length <= Self.bodyLimit else { throw .bodyTooLarge }
    return length
  }
}

extension Substring {
  /// Without spaces and tabs at both ends.
  fileprivate func trimmingBlanks() -> String {
    var rest = self
    while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
    while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
    return String(rest)
  }
}
