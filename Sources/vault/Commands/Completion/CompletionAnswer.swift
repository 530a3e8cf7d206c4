import Glibc
import VaultBytes
import VaultDatabase
import VaultModel

/// What can stand at the cursor of a command line: `vault --complete SHELL WORD …`, which the completion scripts run. The last word
/// is the one that is being typed; it may be empty.
///
/// The first line says what else the shell is to offer: `words` (nothing), `files`, `folders`, `programs`, or `command N`, if word N
/// is another command's name. Each further line is a word, and perhaps a tab and its meaning. Nothing starts the agent or opens a key
/// store.
struct CompletionAnswer {
  private enum Shell { case bash(breaks: String), zsh, fish }

  private let shell: Shell
  private let words: [String]
  private var lines: [(word: String, meaning: String?)] = []
  private var also = "words"
  /// `--option=` of a value that is attached to it.
  private var attached = ""

  private var current: String { words[words.count - 1] }

  /// - Parameter words: after `--complete`.
  static func text(_ words: ArraySlice<String>) throws(Failure) -> String {
    guard let name = words.first, words.count > 2 else {
      throw Failure("completion scripts use --complete", hint: "vault help completion", exitStatus: .usage)
    }
    let shell: Shell = name == "fish" ? .fish : name == "zsh" ? .zsh : .bash(breaks: String(name.dropFirst(4)))
    let rest = words.dropFirst().map { if case .bash = shell { unquoted($0) } else { $0 } }
    var answer = CompletionAnswer(shell: shell, words: rest)
    answer.fill()
    return answer.text(isQuoted: words.last.map { $0.hasPrefix("\"") || $0.hasPrefix("'") } ?? false)
  }

  private init(shell: Shell, words: [String]) {
    self.shell = shell
    self.words = words
  }

  // MARK: the command line

  private mutating func fill() {
    if words.count == 2 { return offerCommands() }
    let group = words[1]
    if words.count == 3, Commands.isGroup(group), !current.hasPrefix("-") { return offer(subcommandsOf: group) }
    guard let (command, start) = try? Commands.find(words), start < words.count else { return }
    var place = 0
    var index = start
    var isPast = false
    let last = words.count - 1
    while index < last {
      let word = words[index]
      if isPast {
        place += 1
      } else if word == "--" {
        isPast = true
        if let before = command.commandAfter {
          if place < before, Arguments.namedProfile == nil {
            // The profile may also follow the `--`, and another `--` the profile; what is no profile's name is the command.
            let next = words[index + 1]
            let known = names(profiles)
            if !known.contains(where: { index + 1 == last ? $0.hasPrefix(next) : $0 == next }) {
              return offerChild(at: index + 1)
            }
            if index + 1 == last { return offer(command, at: place) }
            place += 1
            index += 1
            if index + 1 < last, words[index + 1] == "--" { index += 1 }
          }
          return offerChild(at: index + 1)
        }
      } else if word.hasPrefix("-"), word != "-" {
        if let option = valued(word, of: command), !hasValue(word) {
          if index + 1 == last { return offer(option.kind) }
          index += 1
        }
      } else if place == command.commandAfter {
        return offerChild(at: index)
      } else {
        place += 1
      }
      index += 1
    }
    if !isPast, current.hasPrefix("--"), let equals = current.firstIndex(of: "=") {
      guard let option = valued(String(current[..<equals]), of: command) else { return }
      attached = String(current[...equals])
      return offer(option.kind)
    }
    if !isPast, current.hasPrefix("-") {
      for option in command.options { add("--" + option.name, option.help) }
      return add("--help", "show the command's help")
    }
    if place == command.commandAfter { return offerChild(at: last) }
    offer(command, at: place)
  }

  /// The option that a word names, if it takes a value.
  private func valued(_ word: String, of command: Command) -> OptionSpec? {
    let name = word.prefix { $0 != "=" }
    return command.options.first { option in
      option.value != nil && (name == "--" + option.name || !word.hasPrefix("--") && option.short == word.dropFirst().first)
    }
  }

  /// Whether an option's word holds its value: `--limit=5`, `-n5`.
  private func hasValue(_ word: String) -> Bool { word.hasPrefix("--") ? word.contains("=") : word.utf8.count > 2 }

  private mutating func offerChild(at index: Int) { also = "command \(index)" }

  private mutating func offer(_ command: Command, at place: Int) {
    let arguments = command.arguments
    guard let argument = place < arguments.count ? arguments[place] : arguments.last,
      place < arguments.count || argument.isRepeated
    else { return }
    offer(argument.kind)
  }

  // MARK: words

  private mutating func add(_ word: String, _ meaning: String? = nil) { lines.append((word, meaning)) }

  private mutating func offerCommands() {
    if current.hasPrefix("-") {
      add("--help", "show all commands")
      return add("--version", "show the version")
    }
    var groups: Set<String> = []
    for command in Commands.all {
      guard let group = command.group else {
        add(command.name, command.summary)
        groups.insert(command.name)
        continue
      }
      if groups.insert(group).inserted {
        let names = Commands.all.filter { $0.group == group }.map { $0.name.dropFirst(group.utf8.count + 1) }
        add(group, names.joined(separator: ", "))
      }
    }
  }

  private mutating func offer(subcommandsOf group: String) {
    for command in Commands.all where command.group == group {
      add(String(command.name.dropFirst(group.utf8.count + 1)), command.summary)
    }
  }

  private mutating func offer(_ kind: ValueKind) {
    switch kind {
    case .profile: for name in names(profiles) { add(name) }
    case .ssoSession: for name in names({ try VaultReader(path: $0).sectionNames(.ssoSession) }) { add(name) }
    case .accessKey: for name in names({ try VaultReader(path: $0).accessKeys().map(\.name) }) { add(name) }
    case .session:
      for name in names({ try VaultReader(path: $0).sessions(profile: nil, includingEnded: false).map(\.id) }) { add(name) }
    case .region: for (name, place) in Self.regions { add(name, place) }
    case .words(let words): for word in words { add(word) }
    case .command:
      if words.count > 3 { offer(subcommandsOf: words[2]) } else { offerCommands() }
    case .file: also = "files"
    case .folder: also = "folders"
    case .program: also = "programs"
    case .oneOf(let kinds): for kind in kinds { offer(kind) }
    case .time, .number, .text, .commandLine: break
    }
  }

  /// Names from the vault; none if it cannot be read. One that could end a line or reach the terminal as more than text is left out.
  private func names(_ read: (String) throws -> [String]) -> [String] {
    guard let paths = VaultPaths(environment: variable), let names = try? read(paths.database) else { return [] }
    return names.filter { name in
      name.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
        || name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } && safeText(name) == name
    }
  }

  private func profiles(_ database: String) throws -> [String] {
    let lines = try NamesFile.read(beside: database) ?? VaultReader(path: database).profileNameLines()[...]
    return lines.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
  }

  // MARK: output

  private func text(isQuoted: Bool) -> String {
    var text = also + (attached.isEmpty ? "" : " attached") + "\n"
    switch shell {
    case .zsh, .fish:
      for line in lines {
        if case .fish = shell { text += attached }
        text += line.word + (line.meaning.map { "\t" + ProgramName.renaming($0) } ?? "") + "\n"
      }
    case .bash(let breaks):
      // What readline puts in place is what follows the last sign at which it parts words.
      let start = current.lastIndex { breaks.contains($0) }.map { current.index(after: $0) }
      let left = start.map { current[..<$0] } ?? ""
      for line in lines {
        let whole = attached + line.word
        // Within the quotes that the person has opened, a sign of the shell's could not be quoted again.
        guard whole.utf8.starts(with: current.utf8), !isQuoted || line.word.allSatisfy(Self.isPlain) else { continue }
        text += whole.dropFirst(left.count) + "\n"
      }
    }
    return text
  }

  private static func isPlain(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || "_./%@:=+,- ".contains(character)
  }

  /// A word as bash has it before it removes quotes, without them. Nothing in it is expanded.
  private static func unquoted(_ word: String) -> String {
    var text = ""
    var quote: Character?
    var isEscaped = false
    for character in word {
      if isEscaped {
        text.append(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { text.append(character) }
      } else if character == "\"" || character == "'" {
        quote = character
      } else {
        text.append(character)
      }
    }
    return text
  }

  /// AWS's regions (docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html).
  private static let regions = [
    ("us-east-1", "N. Virginia"), ("us-east-2", "Ohio"), ("us-west-1", "N. California"), ("us-west-2", "Oregon"),
    ("af-south-1", "Cape Town"), ("ap-east-1", "Hong Kong"), ("ap-east-2", "Taipei"), ("ap-northeast-1", "Tokyo"),
    ("ap-northeast-2", "Seoul"), ("ap-northeast-3", "Osaka"), ("ap-south-1", "Mumbai"), ("ap-south-2", "Hyderabad"),
    ("ap-southeast-1", "Singapore"), ("ap-southeast-2", "Sydney"), ("ap-southeast-3", "Jakarta"), ("ap-southeast-4", "Melbourne"),
    ("ap-southeast-5", "Malaysia"), ("ap-southeast-6", "New Zealand"), ("ap-southeast-7", "Thailand"),
    ("ca-central-1", "Canada Central"),
    ("ca-west-1", "Calgary"), ("eu-central-1", "Frankfurt"), ("eu-central-2", "Zurich"), ("eu-north-1", "Stockholm"),
    ("eu-south-1", "Milan"), ("eu-south-2", "Spain"), ("eu-west-1", "Ireland"), ("eu-west-2", "London"), ("eu-west-3", "Paris"),
    ("il-central-1", "Tel Aviv"), ("me-central-1", "UAE"), ("me-south-1", "Bahrain"), ("mx-central-1", "Mexico Central"),
    ("sa-east-1", "São Paulo"), ("us-gov-east-1", "GovCloud East"), ("us-gov-west-1", "GovCloud West"), ("cn-north-1", "Beijing"),
    ("cn-northwest-1", "Ningxia"), ("eusc-de-east-1", "European Sovereign Cloud"),
  ]
}
