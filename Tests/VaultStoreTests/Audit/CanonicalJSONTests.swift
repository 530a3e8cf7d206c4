import TestSupport
import Testing

@testable import VaultAudit

/// The one form of the columns that are JSON, which is told at a glance where nothing in it needs an escape.
@Suite struct CanonicalJSONTests {
  private static func isForm(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { CanonicalJSON.isForm(UnsafeRawBufferPointer($0)) }
  }

  private static func plainLength(_ text: String) -> Int? {
    var text = text
    return text.withUTF8 { CanonicalJSON.plainLength(of: UnsafeRawBufferPointer($0)) }
  }

  /// Read with care: a blank keeps it from being told at a glance.
  private static func isFormByReading(_ text: String) -> Bool {
    guard let first = text.first, first == "[" || first == "{" else { return CanonicalJSON.text(text) == text }
    return CanonicalJSON.text("\(first) " + text.dropFirst()) == text
  }

  @Test(
    "what the vault writes is told at a glance, up to its end",
    arguments: [
      #"[{"executable":"/bin/sh","pid":1},{"executable":"","pid":2147483647}]"#,
      #"{"policyArns":["arn:aws:iam::aws:policy/ReadOnlyAccess"],"policyDigest":null,"readOnly":true,"tags":{"a b":"x","a":"~"}}"#,
      "[]", "{}", "[[],{},0,false]",
    ])
  func plain(text: String) {
    #expect(Self.plainLength(text) == text.utf8.count && Self.plainLength(text + ",1]") == text.utf8.count)
    #expect(Self.isForm(text) && Self.isFormByReading(text) && !Self.isForm(text + ",1]"))
  }

  @Test(
    "what has another form is none",
    arguments: [
      "[1,]", "[,1]", #"{"a":1,}"#, #"{"b":1,"a":2}"#, #"{"a":1,"a":2}"#, #"{"a":1,"a b":2}"#, "[01]", "[1.5]", "[1e3]", "[ 1]",
      "[\"\u{7F}\"]", "[\"\u{1}\"]", "[nul]", "[", "{", #"{"a""#, #"["a]"#, "[[[[[[[[1]]]]]]]]", "[99999999999999999999]",
    ])
  func others(text: String) {
    #expect(Self.plainLength(text) == nil)
    #expect(Self.isForm(text) == Self.isFormByReading(text))
  }

  @Test("texts changed at random are told as they are read", arguments: [UInt64(1), 2, 3])
  func changed(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    func value(_ depth: Int) -> String {
      switch Int.random(in: 0..<(depth > 8 ? 4 : 6), using: &random) {
      case 0: return ["null", "true", "false"].randomElement(using: &random) ?? ""
      case 1: return String(Int64.random(in: -3...Int64.max, using: &random) >> Int64.random(in: 0..<64, using: &random))
      case 2, 3: return "\"" + (["", "a", "é", "\\n", "\\\"", "/x y", "\u{202E}"].randomElement(using: &random) ?? "") + "\""
      case 4: return "[" + (0..<Int.random(in: 0..<4, using: &random)).map { _ in value(depth + 1) }.joined(separator: ",") + "]"
      default:
        let keys = Set(
          (0..<Int.random(in: 0..<4, using: &random)).map { _ in ["a", "b", "a b", "é"].randomElement(using: &random) ?? "" })
        return "{" + keys.map { "\"\($0)\":" + value(depth + 1) }.joined(separator: ",") + "}"
      }
    }
    var (forms, glances) = (0, 0)
    for _ in 0..<3_000 {
      let text = value(0)
      var bytes = Array((CanonicalJSON.text(text) ?? text).utf8)
      if Bool.random(using: &random), !bytes.isEmpty {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = "\"\\[]{},:0a ".utf8.randomElement(using: &random) ?? 0
      }
      guard let text = String(validating: bytes, as: UTF8.self) else { continue }
      let isForm = Self.isFormByReading(text)
      #expect(Self.isForm(text) == isForm, "\(text)")
      forms += isForm ? 1 : 0
      if Self.plainLength(text) == text.utf8.count { glances += 1 }
    }
    #expect(forms > 500 && glances > 100 && forms < 3_000, "\(forms) \(glances)")
  }
}
