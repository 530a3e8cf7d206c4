import VaultModel

/// The texts of `--help`.
enum Help {
  /// Adds a hint to a usage error: the command's help, unless there is a better one.
  static func pointing(_ failure: Failure, _ words: [String]) -> Failure {
    guard failure.exitStatus == .usage, failure.hint == nil, words.count > 1 else { return failure }
    let name = words[1] == "exec" ? words[1] : (try? Commands.find(words))?.command.name
    return Failure(failure.message, hint: "`vault \(name.map { $0 + " " } ?? "")--help`", exitStatus: failure.exitStatus)
  }

  static func overview() -> String {
    var text = """
      Run commands with temporary AWS role credentials: encrypted at rest, renewed automatically, audited.

      usage: vault COMMAND [options] …

        exec PROFILE [--] COMMAND …   run a command with the profile's credentials

      """
    for command in Commands.all {
      let left = "  " + command.name + (command.usage.isEmpty ? "" : " " + command.usage)
      text +=
        left.unicodeScalars.count > 30
        ? left + "\n" + String(repeating: " ", count: 32) : left + String(repeating: " ", count: 32 - left.unicodeScalars.count)
      text += command.summary + "\n"
    }
    return text + """

      vault COMMAND --help shows a command's options; vault --version shows the version.
      Exit status: see sysexits.h; for exec, that of the command.

      """
  }

  static func exec() -> String {
    page(
      "exec", usage: "[options] PROFILE [--] COMMAND [ARG …]", summary: "Run a command with the profile's credentials.",
      options: ExecCommand.options)
        + """

        The command replaces vault: signals, job control and the exit status are its own. Without a command, your shell is started.

        """
  }

  static func command(_ command: Command) -> String {
    page(
      command.name, usage: command.usage, summary: command.summary.prefix(1).uppercased() + command.summary.dropFirst() + ".",
      options: command.options)
  }

  private static func page(_ name: String, usage: String, summary: String, options: [OptionSpec]) -> String {
    var text = "usage: vault \(name)\(usage.isEmpty ? "" : " " + usage)\n\n\(summary)\n"
    if !options.isEmpty { text += "\n" }
    for option in options {
      let left = (option.short.map { "  -\($0), " } ?? "      ") + "--\(option.name)" + (option.value.map { " \($0)" } ?? "")
      text += left + String(repeating: " ", count: max(2, 30 - left.utf8.count)) + option.help + "\n"
    }
    return text
  }
}
