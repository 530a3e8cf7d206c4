import VaultModel

/// The texts of `vault help` and `--help`, in lines that fit the terminal.
enum Help {
  /// Adds a hint to a usage error: the command's help, unless there is a better one.
  static func advised(_ failure: Failure, _ words: [String]) -> Failure {
    if failure.exitStatus == .noInput, let name = Arguments.namedProfile, !words.contains(name),
      failure.message == "no profile \"\(name)\""
    {
      return Failure(
        failure.message + ", which AWS_PROFILE names", hint: failure.hint ?? "unset AWS_PROFILE", exitStatus: failure.exitStatus)
    }
    guard failure.exitStatus == .usage, words.count > 1 else { return failure }
    if OtherVault.isMeant(by: words) { return OtherVault.failure }
    guard failure.hint == nil else { return failure }
    let name = (try? Commands.find(words))?.command.name
    return Failure(
      failure.message, hint: name.map { "`vault help \($0)`" } ?? "`vault help`", exitStatus: failure.exitStatus)
  }

  /// What `vault` alone shows: where to begin.
  static func beginning(width: Int) -> String {
    var rows: [(left: String, right: String)] = []
    for topic in Topic.allCases {
      var names: [String] = []
      for command in Commands.all where command.topic == topic {
        let name = command.group ?? command.name
        // `help` is named below.
        if !names.contains(name), !HelpCommand.all.contains(where: { $0.name == name }) { names.append(name) }
      }
      rows.append(("  " + topic.rawValue, names.joined(separator: ", ")))
    }
    let first = [
      ("  vault import", "import the profiles of the AWS CLI"),
      ("  vault exec PROFILE -- aws s3 ls", "use one of them"),
      ("  vault help COMMAND", "show how a command is used"),
      ("  vault help", "show all commands"),
    ].map { (typed($0), $1) }
    return "usage: \(ProgramName.current) COMMAND [options] …\n\n" + columns(rows, width: width) + "\n"
      + columns(first, width: width)
  }

  static func overview(width: Int) -> String {
    var text = wrapped(
      "Run commands with temporary AWS role credentials: encrypted at rest, renewed automatically, audited.", width: width)
    text += "\nusage: \(ProgramName.current) COMMAND [options] …\n"
    for topic in Topic.allCases {
      text += "\n\(topic.rawValue)\n\n" + list(Commands.all.filter { $0.topic == topic }, width: width)
    }
    return text + "\n"
      + wrapped(
        "`vault help COMMAND` shows a command's options and examples; `vault version` shows the version. The exit status is one of "
          + "sysexits.h; for exec, the command's own.", width: width)
  }

  /// The commands of a group, such as `access-key`.
  static func group(_ name: String, width: Int) -> String {
    var text = ""
    // `vault audit` is a command by itself, too.
    if let command = Commands.all.first(where: { $0.name == name }) {
      text = self.command(command, width: width) + "\nIts subcommands:\n\n"
    } else {
      text = "usage: \(ProgramName.current) \(name) COMMAND [options] …\n\n"
    }
    return text + list(Commands.all.filter { $0.group == name }, width: width) + "\n"
      + wrapped("`vault help \(name) COMMAND` shows a command's options and examples.", width: width)
  }

  static func command(_ command: Command, width: Int) -> String {
    var text = wrapped(usage(command), first: "usage: ", indent: "         ", width: width)
    text += "\n" + wrapped(sentence(command.summary), width: width)
    if !command.options.isEmpty {
      text += "\n" + columns(command.options.map { (optionText($0), $0.help) }, width: width)
    }
    if !command.remarks.isEmpty { text += "\n" }
    for line in command.remarks { text += wrapped(line, indent: line.hasPrefix("-") ? "  " : "", width: width) }
    text += "\nExamples:\n"
    for example in command.examples {
      text += "\n" + wrapped(example.meaning, first: "  # ", indent: "  # ", width: width)
      text += typed(example.line).split(separator: "\n").map { "  \($0)\n" }.joined()
    }
    return text
  }

  static func usage(_ command: Command) -> String {
    [ProgramName.current, command.name, words(command)].filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// The words after the command's name in its usage line.
  static func words(_ command: Command) -> String {
    [command.options.isEmpty ? "" : "[options]", command.usage].filter { !$0.isEmpty }.joined(separator: " ")
  }

  static func sentence(_ summary: String) -> String { summary.prefix(1).uppercased() + summary.dropFirst() + "." }

  /// An example's line under this program's name. There, the word `vault` is always the command.
  static func typed(_ line: String) -> String {
    guard ProgramName.current != ProgramName.usual else { return line }
    let pieces = line.split(separator: ProgramName.usual + " ", omittingEmptySubsequences: false)
    return pieces.dropFirst().reduce(String(pieces[0])) { text, piece in
      let isWord = text.last.map { " (|\n".contains($0) } ?? true
      return text + (isWord ? ProgramName.current : ProgramName.usual) + " " + piece
    }
  }

  // MARK: layout

  private static func optionText(_ option: OptionSpec) -> String {
    (option.short.map { "  -\($0), " } ?? "      ") + option.text
  }

  private static func list(_ commands: [Command], width: Int) -> String {
    columns(commands.map { ("  " + $0.name, $0.summary) }, width: width)
  }

  private static func wrapped(_ text: String, first: String = "", indent: String = "", width: Int) -> String {
    WrappedText.lines(text, first: first, indent: indent, width: width).map { $0 + "\n" }.joined()
  }

  /// Two columns. A left side that is wider than its column has a line of its own.
  private static func columns(_ rows: [(left: String, right: String)], width: Int) -> String {
    let widest = rows.map(\.left.unicodeScalars.count).max() ?? 0
    let column = min(widest + 2, max(20, min(38, width * 45 / 100)))
    let indent = String(repeating: " ", count: column)
    var text = ""
    for (left, right) in rows {
      var first = left + indent.dropFirst(left.unicodeScalars.count)
      if left.unicodeScalars.count + 2 > column {
        text += left + "\n"
        first = indent
      }
      text += wrapped(right, first: first, indent: indent, width: width)
    }
    return text
  }
}
