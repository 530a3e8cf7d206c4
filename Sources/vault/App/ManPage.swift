import VaultModel

/// vault(1), generated from the same tables as `--help`, so that the two cannot differ (`vault --man`; the format is man(7)).
enum ManPage {
  /// `vault --man`, `vault --man PAGE`, and `vault --man --list`.
  static func text(_ words: ArraySlice<String>) throws(Failure) -> String {
    guard let word = words.first else { return whole() }
    if words.count == 1 {
      if word == "--list" { return names.map { $0 + "\n" }.joined() }
      if word == names[0] { return whole() }
      let topic = word.hasPrefix(names[0] + "-") ? String(word.dropFirst(names[0].utf8.count + 1)) : word
      if topics.contains(topic) { return page(of: topic) }
    }
    throw Failure("no manual page \"\(word)\"", hint: "pages: \(names.joined(separator: ", "))", exitStatus: .usage)
  }

  /// What has a page of its own: the groups, and `exec`.
  private static var topics: [String] { [ExecCommand.command.name] + Commands.groups.sorted() }
  private static var names: [String] { [ProgramName.current] + topics.map(pageName) }

  private static func pageName(_ topic: String) -> String { ProgramName.current + "-" + topic }

  private static func whole() -> String {
    let name = ProgramName.current
    var page = Roff(name)
    page.section("NAME")
    page.text("\(name) - run commands with temporary AWS role credentials: encrypted at rest, renewed automatically, audited")
    page.section("SYNOPSIS")
    page.usage(of: ExecCommand.command)
    page.line(".br\n.B \(Roff.escaped(name))\n\\fICOMMAND\\fR [\\fIoptions\\fR] ...")
    page.section("DESCRIPTION")
    page.text(
      "\(name) runs programs with the credentials of an application role, never with your own: you sign in once, and your identity assumes "
        + "the role. Temporary credentials are stored encrypted in a database whose key is in the desktop's keyring. An agent renews them "
        + "before they expire, and records each session that is issued and each delivery to a program in a tamper-evident audit log."
    )
    page.section("COMMANDS")
    for command in Commands.all where command.group == nil {
      if topics.contains(command.name) {
        page.line(".SS \"\(Roff.escaped(Help.usage(command)))\"")
        page.line(Roff.escaped(Help.sentence(command.summary)))
        page.text("See \(pageName(command.name))(1).")
      } else {
        page.command(command)
      }
    }
    for group in Commands.groups.sorted() {
      page.line(".SS \"\(Roff.escaped("\(name) \(group)")) \\fICOMMAND\\fR\"")
      page.text("See \(pageName(group))(1).")
      for command in Commands.all where command.group == group { page.item(command.name, command.summary) }
    }
    page.section("EXAMPLES")
    for command in Commands.all where command.group == nil { page.example(command.examples[0]) }
    page.section("EXIT STATUS")
    page.text("For exec, the command's own once it runs. Otherwise:")
    for (status, meaning) in statuses { page.item(status, meaning) }
    page.section("ENVIRONMENT")
    for (name, meaning) in variables { page.item(name, meaning) }
    page.text(
      "The AWS and proxy variables are those of the shell in which the command is typed, not of the one that started the agent.")
    page.section("FILES")
    for (name, meaning) in files { page.item(name, meaning) }
    page.section("SEE ALSO")
    page.text((topics.map { pageName($0) + "(1)" } + ["aws(1)", "env(1)", "systemd.unit(5)"]).joined(separator: ", "))
    return page.output
  }

  /// The page of a group, or of one command.
  private static func page(of topic: String) -> String {
    let commands = Commands.all.filter { $0.name == topic } + Commands.all.filter { $0.group == topic }
    let own = commands.first { $0.name == topic }
    var page = Roff(pageName(topic))
    page.section("NAME")
    page.text(
      "\(pageName(topic)) - \(own?.summary ?? commands.map { String($0.name.dropFirst(topic.utf8.count + 1)) }.joined(separator: ", "))"
    )
    page.section("SYNOPSIS")
    for (place, command) in commands.enumerated() {
      if place > 0 { page.line(".br") }
      page.usage(of: command)
    }
    page.section(commands.count == 1 ? "DESCRIPTION" : "COMMANDS")
    for command in commands { page.command(command) }
    page.section("EXAMPLES")
    for command in commands { for example in command.examples { page.example(example) } }
    page.section("SEE ALSO")
    page.text("\(ProgramName.current)(1)" + " (exit statuses, variables, files)")
    return page.output
  }

  private static let statuses = [
    ("0", "success"), ("64", "usage error"), ("65", "invalid input"),
    ("66", "no such profile or file"), ("69", "AWS, the network or the keyring cannot be reached, after all retries"),
    ("70", "an internal error of vault; please report it"), ("73", "a file or folder cannot be created"),
    ("74", "the disk is full or fails, or the database is damaged; no credentials were delivered"),
    ("75", "throttled or busy: try again later"), ("77", "refused: by AWS, by the keyring, or by a locked vault"),
    ("78", "configuration error: a file that cannot be parsed, a profile that leads to no credentials"),
    ("126, 127", "for exec: the command cannot be run; the command is not found"),
  ]
  private static let variables = [
    ("VAULT_HOME", "the folder of everything that vault stores"),
    ("VAULT_KEYSTORE", "the key store of a new vault: secret-service, passphrase or ephemeral"),
    (
      "VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_FD",
      "a file or file descriptor to read the passphrase from, for when nobody can be asked"
    ),
    ("VAULT_AGENT_LIFE", "login, or programs: the agent stops after the last program that it gave credentials"),
    ("AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE", "the files that import reads and watches"),
    ("AWS_REGION, AWS_ENDPOINT_URL_STS, AWS_CA_BUNDLE, ...", "as for the AWS SDKs"),
    ("HTTPS_PROXY, NO_PROXY", "as for curl"), ("BROWSER", "the program that opens pages"), ("NO_COLOR", "turns colour off"),
  ]
  private static let files = [
    ("~/.local/share/vault/vault.db", "the database; every secret in it is encrypted"),
    ("$XDG_RUNTIME_DIR/vault/agent.sock", "the agent's socket"), ("~/.local/state/vault/agent.log", "the agent's log"),
    (
      "/etc/vault/config, ~/.config/vault/config",
      "settings, in the syntax of the AWS config file; the second file takes precedence"
    ),
  ]
}

/// Text in man(7) format.
private struct Roff {
  private(set) var output = ""

  init(_ name: String) { line(".TH \(Self.escaped(name.uppercased())) 1 \"\" \"vault \(vaultVersion)\" \"User Commands\"") }

  mutating func line(_ line: String) { output += line + "\n" }
  mutating func section(_ name: String) { line(".SH \(name)") }

  /// A paragraph.
  mutating func text(_ text: String) { line(".PP\n" + Self.escaped(text)) }

  mutating func item(_ name: String, _ meaning: String) { line(".TP\n.B \(Self.escaped(name))\n\(Self.escaped(meaning))") }

  mutating func usage(of command: Command) {
    line(".B \(Self.escaped("\(ProgramName.current) \(command.name)"))\n\(Self.escaped(Help.words(command)))")
  }

  mutating func command(_ command: Command) {
    line(".SS \"\(Self.escaped(Help.usage(command)))\"")
    line(Self.escaped(Help.sentence(command.summary)))
    for option in command.options { item((option.short.map { "-\($0), " } ?? "") + option.text, option.help) }
    if !command.remarks.isEmpty { line(".PP\n" + command.remarks.map(Self.escaped).joined(separator: "\n.br\n")) }
  }

  mutating func example(_ example: Example) {
    text(example.meaning.prefix(1).uppercased() + example.meaning.dropFirst() + ":")
    line(".RS 4\n.nf")
    for typed in Help.typed(example.line).split(separator: "\n") { line(Self.escaped(String(typed))) }
    line(".fi\n.RE")
  }

  /// Escapes text that would begin a request or an escape (groff(7), "Identifiers"), and signs that a terminal is to show as they
  /// are typed (groff_char(7)).
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in ProgramName.renaming(text).unicodeScalars {
      switch scalar {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      case "\"": result += "\\(dq"
      case "'": result += "\\(aq"
      case "`": result += "\\(ga"
      case "~": result += "\\(ti"
      case "^": result += "\\(ha"
      case "…": result += "..."
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result.hasPrefix(".") ? "\\&" + result : result
  }
}
