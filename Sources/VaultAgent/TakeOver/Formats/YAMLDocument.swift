import CYAML
import VaultSecrets

// Only this file calls libyaml.

/// A YAML document from outside, without its types: what is not a list or a map is text.
///
/// Size, depth and number of values are limited, a name may come once in a map, and aliases are refused: a few lines of them could
/// stand for any number of values.
indirect enum YAMLDocument: Sendable, Hashable {
  case text(String)
  case list([YAMLDocument])
  /// In the order of the file.
  case map([Entry])

  struct Entry: Sendable, Hashable {
    let name: String
    let value: YAMLDocument
  }

  /// A document that is no YAML, or more than is allowed.
  struct Malformed: Error, Hashable {
    let line: Int
    let why: String
  }

  private static let deepest = 32
  private static let maxValues = 65_536

  init(_ document: SecretBytes) throws(Malformed) {
    var builder = Builder()
    var parser = yaml_parser_t()
    guard yaml_parser_initialize(&parser) == 1 else { throw Malformed(line: 0, why: "no memory") }
    defer { yaml_parser_delete(&parser) }
    let result = document.withBytes { bytes -> Result<YAMLDocument, Malformed> in
      let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
      yaml_parser_set_input_string(&parser, start, bytes.count)
      return Result { () throws(Malformed) in try Self.read(&parser, &builder) }
    }
    self = try result.get()
  }

  private static func read(_ parser: inout yaml_parser_t, _ builder: inout Builder) throws(Malformed) -> YAMLDocument {
    var documents = 0
    while true {
      var event = yaml_event_t()
      guard yaml_parser_parse(&parser, &event) == 1 else {
        throw Malformed(line: Int(parser.problem_mark.line) + 1, why: "no YAML")
      }
      defer { yaml_event_delete(&event) }
      let line = Int(event.start_mark.line) + 1
      switch event.type {
      case YAML_STREAM_END_EVENT: return builder.whole ?? .map([])
      case YAML_DOCUMENT_START_EVENT:
        documents += 1
        guard documents == 1 else { throw Malformed(line: line, why: "a second document") }
      case YAML_ALIAS_EVENT: throw Malformed(line: line, why: "an alias, which is not supported")
      case YAML_SCALAR_EVENT:
        let scalar = event.data.scalar
        let text = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
        try builder.add(.text(String(decoding: text, as: UTF8.self)), line: line)
      case YAML_SEQUENCE_START_EVENT: try builder.begin(isMap: false, line: line)
      case YAML_MAPPING_START_EVENT: try builder.begin(isMap: true, line: line)
      case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: try builder.end(line: line)
      default: break
      }
    }
  }

  /// The lists and maps that are open.
  private struct Builder {
    private var open: [(isMap: Bool, name: String?, entries: [Entry], names: Set<String>)] = []
    private var count = 0
    private(set) var whole: YAMLDocument?

    mutating func begin(isMap: Bool, line: Int) throws(Malformed) {
      guard open.count < deepest else { throw Malformed(line: line, why: "a list or map nested too deeply") }
      guard open.last.map({ !$0.isMap || $0.name != nil }) ?? true else {
        throw Malformed(line: line, why: "a name that is no text")
      }
      open.append((isMap, nil, [], []))
    }

    mutating func end(line: Int) throws(Malformed) {
      guard let last = open.popLast() else { return }
      try add(last.isMap ? .map(last.entries) : .list(last.entries.map(\.value)), line: line)
    }

    mutating func add(_ value: YAMLDocument, line: Int) throws(Malformed) {
      count += 1
      guard count <= maxValues else { throw Malformed(line: line, why: "too many values") }
      guard let place = open.indices.last else {
        whole = value
        return
      }
      guard open[place].isMap else {
        open[place].entries.append(Entry(name: "", value: value))
        return
      }
      if let name = open[place].name {
        open[place].entries.append(Entry(name: name, value: value))
        open[place].name = nil
      } else if case .text(let name) = value {
        guard open[place].names.insert(name).inserted else { throw Malformed(line: line, why: "a name that was there before") }
        open[place].name = name
      }
    }
  }

  /// The entries of a map; none for anything else.
  var entries: [Entry] { if case .map(let entries) = self { entries } else { [] } }

  subscript(_ name: String) -> YAMLDocument? { entries.first { $0.name == name }?.value }

  /// A text that is not empty, and not one of YAML's forms of nothing.
  func text(_ name: String) -> String? {
    guard case .text(let text) = self[name], !["", "~", "null"].contains(text) else { return nil }
    return text
  }
}
