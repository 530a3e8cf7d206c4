import VaultBytes

/// What a session was narrowed to, in words.
enum ScopeText {
  /// - Parameter json: as rows of the audit log have it.
  /// - Returns: nil for a text that no version of the vault writes.
  static func words(_ json: String) -> String? {
    var scanner = JSONScanner(json.utf8.span.bytes)
    guard scanner.consume("{"), scanner.consume(field: "policyArns"), let arns = strings(&scanner), scanner.consume(","),
      scanner.consume(field: "policyDigest")
    else { return nil }
    var digest: String?
    if !scanner.consume(word: "null") {
      digest = string(&scanner)
      if digest == nil { return nil }
    }
    guard scanner.consume(","), scanner.consume(field: "readOnly") else { return nil }
    let isReadOnly = scanner.consume(word: "true")
    guard isReadOnly || scanner.consume(word: "false"), scanner.consume(","), scanner.consume(field: "tags"),
      let tags = tags(&scanner), scanner.consume("}"), scanner.isAtEnd
    else { return nil }
    let parts = [
      isReadOnly ? "read-only" : nil, digest.map { "an inline policy (\($0))" },
      arns.isEmpty ? nil : "\(arns.count == 1 ? "the policy" : "the policies") \(arns.joined(separator: ", "))",
      tags.isEmpty ? nil : "\(tags.count == 1 ? "the tag" : "the tags") \(tags.joined(separator: ", "))",
    ]
    return parts.compactMap { $0 }.joined(separator: "; ")
  }

  private static func string(_ scanner: inout JSONScanner) -> String? {
    var buffer = ByteBuffer()
    return scanner.string(into: &buffer) ? buffer.withBytes { String(decoding: $0, as: UTF8.self) } : nil
  }

  private static func strings(_ scanner: inout JSONScanner) -> [String]? {
    guard scanner.consume("[") else { return nil }
    var found: [String] = []
    if scanner.consume("]") { return found }
    repeat {
      guard let one = string(&scanner) else { return nil }
      found.append(one)
    } while scanner.consume(",")
    return scanner.consume("]") ? found : nil
  }

  private static func tags(_ scanner: inout JSONScanner) -> [String]? {
    guard scanner.consume("{") else { return nil }
    var found: [String] = []
    if scanner.consume("}") { return found }
    repeat {
      guard let key = string(&scanner), scanner.consume(":"), let value = string(&scanner) else { return nil }
      found.append("\(key)=\(value)")
    } while scanner.consume(",")
    return scanner.consume("}") ? found : nil
  }
}
