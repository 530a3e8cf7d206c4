import VaultModel

/// vault(1), generated from the same tables as `--help`, so that the two cannot differ (`vault --man`; the format is man(7)).
enum ManPage {
  static func text() -> String {
    var page = Roff()
    page.line(".TH VAULT 1 \"\" \"vault \(vaultVersion)\" \"User Commands\"")
    page.section("NAME")
    page.text("vault - credentials of AWS roles for programs: sealed, fresh and logged")
    page.section("SYNOPSIS")
    page.line(
      ".B vault exec\n[\\fIoptions\\fR] \\fIPROFILE\\fR [\\-\\-] \\fICOMMAND\\fR [\\fIARG\\fR ...]\n.br\n.B vault\n\\fICOMMAND\\fR [\\fIoptions\\fR] ..."
    )
    page.section("DESCRIPTION")
    page.text(
      "vault lets programs reach AWS as an application role and never as the person: the person signs in once, and that identity assumes "
        + "the role. Temporary credentials lie sealed in a database, whose key is in the desktop's keyring; an agent renews them before they "
        + "end, and writes a row in a tamper-evident log for each that is made or handed out.")
    page.section("COMMANDS")
    page.command(
      "exec", usage: "[options] PROFILE [--] COMMAND [ARG ...]", summary: "run a command with the profile's credentials",
      options: ExecCommand.options)
    page.text(
      "The command replaces vault: signals, job control and the exit status are its own. Without a command, your shell is started."
    )
    for command in Commands.all {
      page.command(command.name, usage: command.usage, summary: command.summary, options: command.options)
    }
    page.section("EXIT STATUS")
    page.text("For exec, the command's own once it runs. Else:")
    for (status, meaning) in statuses { page.item(status, meaning) }
    page.section("ENVIRONMENT")
    for (name, meaning) in variables { page.item(name, meaning) }
    page.text("The AWS and proxy variables count as they stand where the command is typed, not where the agent was started.")
    page.section("FILES")
    for (name, meaning) in files { page.item(name, meaning) }
    page.section("SEE ALSO")
    page.text("aws(1), env(1), systemd.unit(5)")
    return page.output
  }

  private static let statuses = [
    ("0", "done"), ("64", "usage error"), ("65", "invalid input"),
    ("66", "no such profile or file"), ("69", "AWS, the network or the keyring cannot be reached, after all retries"),
    ("70", "a fault of vault's own"), ("73", "something cannot be created"),
    ("74", "the disk is full or fails, or the database is damaged; nothing was handed out"),
    ("75", "throttled, or busy: try again later"), ("77", "refused: by AWS, by the keyring, or by a locked vault"),
    ("78", "configuration: a file that cannot be parsed, a profile that leads nowhere"),
    ("126, 127", "for exec: the command cannot be run; is not found"),
  ]
  private static let variables = [
    ("VAULT_HOME", "one folder for everything"),
    ("VAULT_KEYSTORE", "secret-service, passphrase or ephemeral, for a vault that is to be made"),
    ("VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_FD", "the passphrase, where nobody can be asked"),
    ("VAULT_AGENT_LIFE", "login, or programs: the agent ends with the last program that it gave credentials"),
    ("AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE", "the files that import reads and follows"),
    ("AWS_REGION, AWS_ENDPOINT_URL_STS, AWS_CA_BUNDLE, ...", "as the AWS SDKs have them"),
    ("HTTPS_PROXY, NO_PROXY", "as curl has them"), ("BROWSER", "the program that opens pages"), ("NO_COLOR", "no colour"),
  ]
  private static let files = [
    ("~/.local/share/vault/vault.db", "the database; every secret in it is sealed"),
    ("$XDG_RUNTIME_DIR/vault/agent.sock", "where the agent listens"), ("~/.local/state/vault/agent.log", "the agent's log"),
    ("/etc/vault/config, ~/.config/vault/config", "settings, in the grammar of the AWS config file; the second wins"),
  ]
}

/// Text in man(7) format.
private struct Roff {
  private(set) var output = ""

  mutating func line(_ line: String) { output += line + "\n" }
  mutating func section(_ name: String) { line(".SH \(name)") }

  /// A paragraph.
  mutating func text(_ text: String) { line(".PP\n" + Self.escaped(text)) }

  mutating func item(_ name: String, _ meaning: String) { line(".TP\n.B \(Self.escaped(name))\n\(Self.escaped(meaning))") }

  mutating func command(_ name: String, usage: String, summary: String, options: [OptionSpec]) {
    line(".SS \"vault \(Self.escaped(name + (usage.isEmpty ? "" : " " + usage)))\"")
    line(Self.escaped(summary.prefix(1).uppercased() + summary.dropFirst() + "."))
    for option in options {
      let short = option.short.map { "-\($0), " } ?? ""
      item(short + "--" + option.name + (option.value.map { " \($0)" } ?? ""), option.help)
    }
  }

  /// Escapes text that would begin a request or an escape (groff(7), "Identifiers").
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      case "\"": result += "\\(dq"
      case "…": result += "..."
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result.hasPrefix(".") || result.hasPrefix("'") ? "\\&" + result : result
  }
}
