import VaultBytes

/// A JSON value (RFC 8259) that keeps the order of its members, as a person wrote them.
public indirect enum JSONValue: Sendable, Hashable {
  case object([JSONMember])
  case array([JSONValue])
  case string(String)
  /// The number as it is written: `300`, `1.5`, `-2e3`.
  case number(String)
  case bool(Bool)
  case null
}

/// A member of a JSON object.
public struct JSONMember: Sendable, Hashable {
  public var name: String
  public var value: JSONValue

  public init(_ name: String, _ value: JSONValue) {
    self.name = name
    self.value = value
  }
}

extension JSONValue {
  /// The member of this name; nil if there is none, or the value is no object.
  public subscript(_ name: String) -> JSONValue? { members?.first { $0.name == name }?.value }

  public var members: [JSONMember]? { if case .object(let members) = self { members } else { nil } }
  public var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
  public var string: String? { if case .string(let text) = self { text } else { nil } }

  /// The value over several lines, indented by two spaces, without a line break at its end.
  ///
  /// - Parameter indent: the spaces before each line but the first.
  public func pretty(indent: Int = 0) -> String {
    let (margin, inner) = (String(repeating: " ", count: indent), String(repeating: " ", count: indent + 2))
    func block(_ open: String, _ close: String, lines: [String]) -> String {
      open + "\n" + lines.map { inner + $0 }.joined(separator: ",\n") + "\n" + margin + close
    }
    switch self {
    case .object(let members) where !members.isEmpty:
      return block("{", "}", lines: members.map { Self.quoted($0.name) + ": " + $0.value.pretty(indent: indent + 2) })
    case .array(let values) where !values.isEmpty: return block("[", "]", lines: values.map { $0.pretty(indent: indent + 2) })
    default: return compact()
    }
  }

  /// The value without white space: the form in which AWS counts a policy's characters.
  public func compact() -> String {
    switch self {
    case .object(let members): "{" + members.map { Self.quoted($0.name) + ":" + $0.value.compact() }.joined(separator: ",") + "}"
    case .array(let values): "[" + values.map { $0.compact() }.joined(separator: ",") + "]"
    case .string(let text): Self.quoted(text)
    case .number(let text): text
    case .bool(let value): value ? "true" : "false"
    case .null: "null"
    }
  }

  /// A JSON string, control characters escaped.
  private static func quoted(_ text: String) -> String {
    var buffer = ByteBuffer()
    var text = text
    text.withUTF8 { buffer.append(json: UnsafeRawBufferPointer($0)) }
    return String(decoding: buffer.bytes, as: UTF8.self)
  }
}
