import Foundation
import TestSupport

/// An event in CEF, read as its specification says: seven header fields, then `key=value` pairs parted by blanks.
struct CEFEvent {
  var header: [String] = []
  var fields: [String: String] = [:]

  init?(_ line: String) {
    var rest = Substring(line)
    while header.count < 7 {
      guard let end = Self.end(of: rest, at: "|") else { return nil }
      header.append(Self.unescaped(rest[..<end]))
      rest = rest[rest.index(after: end)...]
    }
    // A key is a word before an `=` without a backslash; its value goes on until the blank before the next key.
    var key: String?
    var value = Substring()
    while let equals = Self.end(of: rest, at: "=") {
      let before = rest[..<equals]
      let blank = before.lastIndex(of: " ")
      if let known = key {
        guard let blank else { return nil }
        value = before[..<blank]
        guard fields.updateValue(Self.unescaped(value), forKey: known) == nil else { return nil }
      }
      key = String(blank.map { before[before.index(after: $0)...] } ?? before)
      guard key?.isEmpty == false, key?.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) == true else { return nil }
      rest = rest[rest.index(after: equals)...]
    }
    if let key, fields.updateValue(Self.unescaped(rest), forKey: key) != nil { return nil }
  }

  private static func end(of text: Substring, at mark: Character) -> Substring.Index? {
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == mark { return index }
      if text[index] == "\\" { index = text.index(after: index) }
      if index < text.endIndex { index = text.index(after: index) }
    }
    return nil
  }

  private static func unescaped(_ text: Substring) -> String {
    var result = ""
    var isEscaped = false
    for character in text {
      if isEscaped {
        result.append(character == "n" ? "\n" : character == "r" ? "\r" : character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        result.append(character)
      }
    }
    return result
  }
}

/// The required attributes of the classes that we write, from the published schema.
struct OCSFSchema {
  private struct Rule: Decodable {
    let required: [String]
    let at_least_one: [String]

    func faults(_ name: String, _ object: [String: Any]) -> [String] {
      let missing = required.filter { object[$0] == nil }.map { "\(name) lacks \($0)" }
      guard !at_least_one.isEmpty, !at_least_one.contains(where: { object[$0] != nil }) else { return missing }
      return missing + ["\(name) has none of \(at_least_one)"]
    }
  }

  private struct File: Decodable {
    let version: String
    let classes: [String: Rule]
    let objects: [String: Rule]
  }

  private let file: File

  init() throws {
    let path = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/ocsf-1.6.0-required.json")
    file = try JSONDecoder().decode(File.self, from: Data(contentsOf: path))
  }

  /// What an event lacks, or says wrongly of its own class.
  func faults(of event: [String: Any]) -> [String] {
    guard let uid = event["class_uid"] as? Int, let rule = file.classes[String(uid)] else { return ["no such class"] }
    var faults = rule.faults("event", event)
    let activity = event["activity_id"] as? Int ?? -1
    if event["type_uid"] as? Int != uid * 100 + activity { faults.append("type_uid") }
    if event["category_uid"] as? Int != uid / 1_000 { faults.append("category_uid") }
    if (event["metadata"] as? [String: Any])?["version"] as? String != file.version { faults.append("version") }
    if (event["time"] as? Int ?? 0) < 1_000_000_000_000 { faults.append("time is not in milliseconds") }
    look(into: event, &faults)
    return faults
  }

  private func look(into object: [String: Any], _ faults: inout [String]) {
    for (name, value) in object where name != "unmapped" {
      guard let inner = value as? [String: Any] else { continue }
      if let rule = file.objects[name] { faults += rule.faults(name, inner) }
      look(into: inner, &faults)
    }
  }
}
