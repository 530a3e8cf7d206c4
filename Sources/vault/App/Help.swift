import VaultModel

/// The texts of `--help`.
enum Help {
  /// Adds a hint to a usage error: the command's help, unless there is a better one.
  static func pointing(_ failure: Failure, _ words: [String]) -> Failure {
    guard failure.exitStatus == .usage, failure.hint == nil, words.count > 1 else { return failure }
    let name = (try? Commands.find(words))?.command.name
    return Failure(failure.message, hint: "`vault \(name.map { $0 + " " } ?? "")--help`", exitStatus: failure.exitStatus)
  }

  static func overview() -> String {
    var text = """
      Run commands with temporary AWS role credentials: encrypted at rest, renewed automatically, audited.

      usage: vault COMMAND [options] …


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

  static func command(_ command: Command) -> String {
    var text = "usage: \(usage(command))\n\n\(sentence(command.summary))\n"
    if !command.options.isEmpty { text += "\n" }
    for option in command.options {
      let left = (option.short.map { "  -\($0), " } ?? "      ") + option.text
      text += left + String(repeating: " ", count: max(2, 30 - left.utf8.count)) + option.help + "\n"
    }
    return command.note.map { text + "\n\($0)\n" } ?? text
  }

  static func usage(_ command: Command) -> String { "vault \(command.name)" + (command.usage.isEmpty ? "" : " " + command.usage) }

  static func sentence(_ summary: String) -> String { summary.prefix(1).uppercased() + summary.dropFirst() + "." }
}
