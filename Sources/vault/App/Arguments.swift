import VaultModel

/// An option of a command: `--long`, optionally with `-s`, optionally with a value.
struct OptionSpec: Sendable {
  let name: String
  let short: Character?
  /// The value's name in the help; nil for a switch.
  let value: String?
  let kind: ValueKind
  let help: String

  init(_ name: String, short: Character? = nil, value: String? = nil, kind: ValueKind = .text, _ help: String) {
    self.name = name
    self.short = short
    self.value = value
    self.kind = kind
    self.help = help
  }

  /// `--name`, or `--name VALUE`.
  var text: String { "--" + name + (value.map { " \($0)" } ?? "") }
}

/// A command line, parsed as GNU programs do: `--name value`, `--name=value`, `-s`, and `--` ends options.
struct Arguments {
  private(set) var positional: [String] = []
  /// Where the child's command begins in the argument vector, for `exec`.
  private(set) var commandIndex: Int?
  /// Whether `--help` stands among the options.
  private(set) var asksForHelp = false
  private let words: [String]
  /// The word after a `--` that no positional word precedes: the profile, or else the command.
  private var unclearIndex: Int?
  private var values: [(name: String, value: String)] = []

  /// The command for the child; empty if there is none.
  var command: ArraySlice<String> { commandIndex.map { words[$0...] } ?? [] }
  var unclearWord: String? { unclearIndex.map { words[$0] } }

  /// Has the child's command begin at the unclear word.
  mutating func beginCommandAtUnclearWord() { (commandIndex, positional) = (unclearIndex, []) }

  /// - Parameters:
  ///   - words: the whole argument vector.
  ///   - start: the first word after the command's name.
  init(_ words: [String], from start: Int, of command: Command) throws(Failure) {
    self.words = words
    let options = command.options
    let commandAfter = command.commandAfter
    // The environment may supply the profile that precedes the child's command.
    let isInEnvironment = commandAfter != nil && Self.namedProfile != nil
    var index = start
    while index < words.count {
      let word = words[index]
      let isSourced = commandAfter != nil && has("source")
      let isNamed = isInEnvironment || isSourced
      if word == "--" {
        if let commandAfter {
          if positional.isEmpty, !isNamed, index + 1 < words.count { unclearIndex = index + 1 }
          // `vault exec -- app-dev ./run`: the profile may also follow the `--`.
          while !isNamed, positional.count < commandAfter, index + 1 < words.count {
            index += 1
            positional.append(words[index])
          }
          if !isNamed, index + 1 < words.count, words[index + 1] == "--", positional.count == commandAfter, words[index] != "--" {
            index += 1
          }
          if index + 1 < words.count { commandIndex = index + 1 }
        } else {
          positional += words[(index + 1)...]
        }
        return
      }
      if word == "--help" || word == "-h" {
        asksForHelp = true
        return
      }
      if word.hasPrefix("-"), word != "-" {
        index = try consumeOption(words, at: index, options)
      } else if let commandAfter, positional.count == commandAfter || isSourced {
        commandIndex = index
        return
      } else {
        positional.append(word)
        index += 1
      }
    }
  }

  private mutating func consumeOption(_ words: [String], at index: Int, _ options: [OptionSpec]) throws(Failure) -> Int {
    let word = words[index]
    var name = word
    var attached: String?
    if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
      name = String(word[..<equals])
      attached = String(word[word.index(after: equals)...])
    }
    let option: OptionSpec?
    if name.hasPrefix("--") {
      option = options.first { "--" + $0.name == name }
    } else {
      let letter = name.dropFirst().first
      option = options.first { $0.short == letter }
      let rest = name.dropFirst(2)
      if !rest.isEmpty {
        guard option?.value != nil else { throw Self.unknown(name, options) }
        attached = String(rest.hasPrefix("=") ? rest.dropFirst() : rest)
      }
    }
    guard let option else { throw Self.unknown(name, options) }
    guard option.value != nil else {
      if attached != nil { throw Failure("option --\(option.name) takes no value", exitStatus: .usage) }
      values.append((option.name, ""))
      return index + 1
    }
    if let attached {
      values.append((option.name, attached))
      return index + 1
    }
    guard index + 1 < words.count else {
      throw Failure("option --\(option.name) needs a value (\(option.value ?? ""))", exitStatus: .usage)
    }
    values.append((option.name, words[index + 1]))
    return index + 2
  }

  private static func unknown(_ name: String, _ options: [OptionSpec]) -> Failure {
    let near = name.hasPrefix("--") ? Suggestion.nearest(to: String(name.dropFirst(2)), in: options.map(\.name) + ["help"]) : nil
    return Failure("unknown option: \(name)", hint: near.map { "did you mean --\($0)?" }, exitStatus: .usage)
  }

  func has(_ name: String) -> Bool { values.contains { $0.name == name } }
  /// The last value given.
  subscript(_ name: String) -> String? { values.last { $0.name == name }?.value }
  func all(_ name: String) -> [String] { values.filter { $0.name == name }.map(\.value) }

  /// `--reason`, of which the audit log keeps every character.
  func reason() throws(Failure) -> String? {
    guard let reason = self["reason"] else { return nil }
    let length = reason.unicodeScalars.count
    guard length <= AuditEvent.maxReasonLength else {
      throw Failure(
        "--reason: at most \(AuditEvent.maxReasonLength) characters are kept, and it has \(length)", exitStatus: .usage)
    }
    return reason
  }

  /// The only positional word; nil if it is optional and missing.
  func single(_ what: String, required: Bool = true) throws(Failure) -> String? {
    guard positional.count <= 1 else { throw Failure("unexpected argument: \"\(positional[1])\"", exitStatus: .usage) }
    if required, positional.first?.isEmpty != false {
      throw Failure("missing argument: \(what)", exitStatus: .usage)
    }
    return positional.first
  }

  /// The only positional word, a profile; if missing, the profile that the SDKs would use.
  func profile() throws(Failure) -> String {
    if let source = try source() { return source }
    if positional.isEmpty, let named = Self.namedProfile { return named }
    return try required("profile")
  }

  /// `AWS_PROFILE`.
  static var namedProfile: String? { variable("AWS_PROFILE").flatMap { $0.isEmpty ? nil : $0 } }

  /// The only positional word.
  func required(_ what: String) throws(Failure) -> String {
    guard let word = try single(what) else { throw Failure("missing argument: \(what)", exitStatus: .usage) }
    return word
  }
}
