import Foundation

/// A message of RFC 5424, read as its grammar says and not as we write it.
public struct SyslogRecord: Sendable {
  public var priority = 0
  public var timestamp = ""
  public var host = ""
  public var application = ""
  public var process = ""
  public var message = ""
  /// The text's JSON object, as a receiver reads it.
  public var parameters: [String: String] = [:]
  /// What the text says to people.
  public var text = ""

  /// - Returns: nil for what is no such message, or has a byte that a line reader would act on.
  public init?(_ bytes: [UInt8]) {
    guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }),
      let whole = String(validating: bytes, as: UTF8.self)
    else { return nil }
    var rest = Substring(whole)
    guard rest.hasPrefix("<"), let end = rest.firstIndex(of: ">"),
      let priority = Int(rest[rest.index(after: rest.startIndex)..<end])
    else { return nil }
    self.priority = priority
    rest = rest[rest.index(after: end)...]
    let words = rest.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false).map(String.init)
    guard words.count == 7, words[0] == "1" else { return nil }
    (timestamp, host, application, process, message) = (words[1], words[2], words[3], words[4], words[5])
    // No structured data (RFC 5424, 6.3), and the cookie of a JSON object.
    guard words[6].hasPrefix("- @cee: "),
      var object = try? JSONSerialization.jsonObject(with: Data(words[6].dropFirst(8).utf8)) as? [String: String]
    else { return nil }
    text = object.removeValue(forKey: "message") ?? ""
    parameters = object
  }

  /// A field as it stands in the vault.
  public func value(_ name: String) -> String? { parameters[name] }

  /// Messages of a stream, each behind its length (RFC 6587, 3.4.1); nil where the stream is no such thing.
  public static func split(_ stream: [UInt8]) -> (messages: [[UInt8]], rest: [UInt8])? {
    var messages: [[UInt8]] = []
    var rest = stream[...]
    while let blank = rest.firstIndex(of: 0x20) {
      guard let length = Int(String(decoding: rest[..<blank], as: UTF8.self)), length > 0 else { return nil }
      guard rest.endIndex - blank - 1 >= length else { break }
      messages.append(Array(rest[(blank + 1)..<(blank + 1 + length)]))
      rest = rest[(blank + 1 + length)...]
    }
    return (messages, Array(rest))
  }
}

/// An entry in journald's native protocol, as journald reads it.
public struct JournalRecord: Sendable {
  public var fields: [String: String] = [:]

  public init?(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let end = rest.firstIndex(of: 10) else { return nil }
      let line = rest[..<end]
      rest = rest[(end + 1)...]
      if let equals = line.firstIndex(of: UInt8(ascii: "=")) {
        guard add(line[..<equals], line[(equals + 1)...]) else { return nil }
        continue
      }
      guard rest.count >= 8 else { return nil }
      let length = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      rest = rest.dropFirst(8)
      guard length < UInt64(rest.count), rest[rest.startIndex + Int(length)] == 10 else { return nil }
      guard add(line, rest.prefix(Int(length))) else { return nil }
      rest = rest.dropFirst(Int(length) + 1)
    }
  }

  private mutating func add(_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Bool {
    let name = String(decoding: name, as: UTF8.self)
    guard name.utf8.allSatisfy({ (65...90).contains($0) || (48...57).contains($0) || $0 == 95 }), name.utf8.count <= 64 else {
      return false
    }
    return fields.updateValue(String(decoding: value, as: UTF8.self), forKey: name) == nil
  }
}
