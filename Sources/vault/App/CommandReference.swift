import VaultModel

/// docs/commands.md, generated from the same tables as `--help` (`vault --markdown`; `make docs` writes the page).
enum CommandReference {
  static func text() -> String {
    let commands = Commands.all
    var page = """
      # Commands

      Every command and its options, in the words of `vault help COMMAND`. [Reference](reference.md) has the exit statuses, files, settings
      and variables. `make docs` writes this page; do not edit it.

      """
    for topic in Topic.allCases {
      page += "\n**\(topic.rawValue)**\n\n| command | what it does |\n| --- | --- |\n"
      for command in commands where command.topic == topic {
        page += "| [`\(command.name)`](#vault-\(command.name.replacing(" ", with: "-"))) | \(cell(command.summary)) |\n"
      }
    }
    for command in commands {
      page += "\n## vault \(command.name)\n\n\(Help.sentence(command.summary))\n\n`\(Help.usage(command))`\n"
      if !command.remarks.isEmpty { page += "\n" + command.remarks.map { $0 + "\n" }.joined() }
      if !command.options.isEmpty { page += "\n| option | what it does |\n| --- | --- |\n" }
      for option in command.options {
        page += "| \(option.short.map { "`-\($0)`, " } ?? "")`\(option.text)` | \(cell(option.help)) |\n"
      }
      page += "\n| example | what it does |\n| --- | --- |\n"
      for example in command.examples {
        page += "| `\(cell(example.line.replacing("\\\n    ", with: "")))` | \(cell(example.meaning)) |\n"
      }
    }
    return page
  }

  /// Escapes what would end a table's cell.
  private static func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
}
