import VaultModel

/// What a person wants to do; the help lists the commands by it.
enum Topic: String, Sendable, CaseIterable {
  case use = "Use a profile"
  case setUp = "Set up profiles"
  case sessions = "Look after sessions"
  case audit = "Read the audit log"
  case account = "Set up the AWS side"
  case upkeep = "Look after the vault"
}

/// A command line that shows a use of a command.
struct Example: Sendable {
  /// As typed in a shell.
  let line: String
  let meaning: String

  init(_ line: String, _ meaning: String) {
    self.line = line
    self.meaning = meaning
  }
}

/// A command of `vault`: its help texts, its arguments and options, and its action.
struct Command: Sendable {
  let name: String
  let arguments: [ArgumentSpec]
  let topic: Topic
  let summary: String
  let note: String?
  let examples: [Example]
  let options: [OptionSpec]
  let action: Action

  enum Action: Sendable {
    /// Never returns for a command that becomes another program.
    case run(@Sendable (Arguments, VaultPaths) throws -> Void)
    /// Prints a text that needs no vault.
    case text(@Sendable (Arguments) throws -> String)
  }

  init(
    _ name: String, arguments: [ArgumentSpec] = [], topic: Topic, summary: String, note: String? = nil, examples: [Example],
    options: [OptionSpec] = [], run: @escaping @Sendable (Arguments, VaultPaths) throws -> Void
  ) {
    self.init(
      name, arguments: arguments, topic: topic, summary: summary, note: note, examples: examples, options: options,
      action: .run(run))
  }

  init(
    _ name: String, arguments: [ArgumentSpec] = [], topic: Topic, summary: String, examples: [Example],
    text: @escaping @Sendable (Arguments) throws -> String
  ) {
    self.init(
      name, arguments: arguments, topic: topic, summary: summary, note: nil, examples: examples, options: [], action: .text(text))
  }

  private init(
    _ name: String, arguments: [ArgumentSpec], topic: Topic, summary: String, note: String?, examples: [Example],
    options: [OptionSpec], action: Action
  ) {
    self.name = name
    self.arguments = arguments
    self.topic = topic
    self.summary = summary
    self.note = note
    self.examples = examples
    self.options = options
    self.action = action
  }

  /// The group of a two-word command, such as `access-key`.
  var group: String? { name.firstIndex(of: " ").map { String(name[..<$0]) } }

  /// How many arguments precede the child's command; nil for a command that starts none.
  var commandAfter: Int? { arguments.firstIndex { $0.kind == .commandLine } }

  /// What the help says after the options, line by line.
  var remarks: [String] { arguments.compactMap(\.without) + (note?.split(separator: "\n").map { String($0) } ?? []) }

  /// The words after the name in the usage line.
  var usage: String { ArgumentSpec.usage(arguments[...]) }
}

/// The commands. The names of two-word commands contain both words.
enum Commands {
  static let all: [Command] =
    [ExecCommand.command] + ReportCommands.all + AuditCommands.all + ProfileCommands.all + AccessKeyCommands.all + EnvCommands.all
    + [
      ConsoleCommand.command, ShellInitCommand.command,
    ]
    + IAMCommand.all + GuardCommand.all + LinkCommands.all + SessionCommands.all + LoginCommands.all
    + VaultCommands.all + AgentCommands.all
    + [StatusCommand.command, ConfigCommand.command, DoctorCommand.command, CompletionCommand.command] + HelpCommand.all

  /// The groups, such as `access-key`, whose commands have two words.
  static let groups: Set<String> = Set(all.compactMap(\.group))

  static func isGroup(_ word: String) -> Bool { word != ExecCommand.command.name && groups.contains(word) }

  /// The command named by a command line, and where its own words begin.
  static func find(_ words: [String]) throws(Failure) -> (command: Command, start: Int) {
    let first = words[1]
    // The command that precedes all others does not wait for their table.
    if first == ExecCommand.command.name { return (ExecCommand.command, 2) }
    if isGroup(first) {
      let inGroup = all.filter { $0.name.hasPrefix(first + " ") }.map { String($0.name.dropFirst(first.utf8.count + 1)) }
      let hint = "vault \(first) \(inGroup.joined(separator: " | "))"
      if words.count > 2, let command = all.first(where: { $0.name == first + " " + words[2] }) { return (command, 3) }
      // `vault audit` is a command by itself, and also has subcommands.
      if let command = all.first(where: { $0.name == first }), words.count == 2 || words[2].hasPrefix("-") { return (command, 2) }
      throw Failure(
        words.count > 2 ? "unknown command: \"\(first) \(words[2])\"" : "missing subcommand of \(first)", hint: hint,
        exitStatus: .usage)
    }
    if let command = all.first(where: { $0.name == first }) { return (command, 2) }
    let known = all.map(\.name).filter { !$0.contains(" ") } + groups
    throw Failure(
      "unknown command: \"\(first)\"",
      hint: Suggestion.nearest(to: first, in: known).map { "did you mean \($0)?" } ?? "`vault help` lists the commands",
      exitStatus: .usage)
  }
}
