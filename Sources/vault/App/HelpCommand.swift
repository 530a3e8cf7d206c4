import VaultModel

/// `vault help`, `vault version`, and `vault` alone.
enum HelpCommand {
  static let all = [
    Command(
      "help", arguments: [ArgumentSpec("COMMAND", kind: .command, isOptional: true, isRepeated: true)], topic: .upkeep,
      summary: "show all commands, a group of them, or one",
      examples: [
        Example("vault help", "all commands"),
        Example("vault help access-key", "the commands of a group"),
        Example("vault help audit export", "one command, with its options"),
      ], text: help),
    Command(
      "version", topic: .upkeep, summary: "show the version",
      examples: [
        Example("vault version", "the version of this program"),
        Example("vault version && vault agent status", "and of the agent that runs"),
      ],
      text: { arguments in
        try arguments.none()
        return version
      }),
  ]

  static var version: String { "\(ProgramName.current) \(vaultVersion)\n" }

  private static func help(_ arguments: Arguments) throws -> String {
    let words = arguments.positional
    let width = Terminal.width
    guard let first = words.first else { return Help.overview(width: width) }
    if words.count == 1, Commands.isGroup(first) { return Help.group(first, width: width) }
    let (command, start) = try Commands.find([ProgramName.current] + words)
    guard start == words.count + 1 else { throw Failure("unexpected argument: \"\(words[start - 1])\"", exitStatus: .usage) }
    return Help.command(command, width: width)
  }

  /// What `vault` does without a command: it tells where to begin.
  static func begin() -> ExitStatus {
    Diagnostics.write(Help.beginning(width: Terminal.width(of: 2)))
    return .usage
  }
}
