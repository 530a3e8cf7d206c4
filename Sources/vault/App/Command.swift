import VaultModel

/// A command of `vault`: its help texts, its options, and its action.
struct Command: Sendable {
  let name: String
  /// The words after the name in the usage line.
  let usage: String
  let summary: String
  let options: [OptionSpec]
  /// Not called for `exec`, which never returns.
  let run: @Sendable (Arguments, VaultPaths) throws -> Void

  init(
    _ name: String, usage: String, summary: String, options: [OptionSpec] = [],
    run: @escaping @Sendable (Arguments, VaultPaths) throws -> Void
  ) {
    self.name = name
    self.usage = usage
    self.summary = summary
    self.options = options
    self.run = run
  }
}

/// The commands. The names of two-word commands contain both words.
enum Commands {
  /// `exec` for the help; `main.swift` runs it.
  static let exec = Command(
    "exec", usage: "[options] PROFILE [--] COMMAND [ARG …]", summary: "run a command with the profile's credentials",
    options: ExecCommand.options
  ) { _, _ in }

  /// Every command except `exec`.
  static let all: [Command] =
    ReportCommands.all + AuditCommands.all + ProfileCommands.all + AccessKeyCommands.all + EnvCommands.all + [
      ConsoleCommand.command
    ]
    + IAMCommand.all + LinkCommands.all + SessionCommands.all + LoginCommands.all
    + VaultCommands.all + AgentCommands.all
    + [StatusCommand.command, ConfigCommand.command, DoctorCommand.command, CompletionCommand.command]

  /// The groups, such as `access-key`, whose commands have two words.
  static let groups: Set<String> = Set(all.compactMap { $0.name.contains(" ") ? String($0.name.split(separator: " ")[0]) : nil })

  /// The command named by a command line, and where its own words begin.
  static func find(_ words: [String]) throws(Failure) -> (command: Command, start: Int) {
    let first = words[1]
    if groups.contains(first) {
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
    let known = all.map(\.name).filter { !$0.contains(" ") } + groups + ["exec"]
    throw Failure(
      "unknown command: \"\(first)\"",
      hint: Suggestion.nearest(to: first, in: known).map { "did you mean \($0)?" } ?? "`vault --help` lists the commands",
      exitStatus: .usage)
  }
}
