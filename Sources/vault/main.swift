import CSystem
import Glibc
import VaultModel

// No async main and no Foundation: this program precedes every command that a developer runs.

/// Runs the command line. Returns only for commands other than `exec`.
func run(_ words: [String]) throws {
  _ = PassphraseDescriptor.taken
  // After the passphrase's descriptor, which may be a standard one, and before this program opens anything.
  _ = sys_open_standard()
  guard words.count > 1 else {
    Diagnostics.write(Help.overview())
    exit(ExitStatus.usage.rawValue)
  }
  switch words[1] {
  case "--help", "-h", "help": return print(help: Help.overview())
  case "--version": return print(help: "vault \(vaultVersion)\n")
  case "--man": return print(help: ManPage.text())
  case "--markdown": return print(help: CommandReference.text())
  default: break
  }
  let isGroup = Commands.isGroup(words[1])
  if isGroup, words.count == 3, words[2] == "--help" || words[2] == "-h" {
    return print(help: Commands.all.filter { $0.group == words[1] }.map(Help.command).joined(separator: "\n"))
  }
  let (command, start) = try Commands.find(words)
  let arguments = try Arguments(words, from: start, of: command)
  if arguments.asksForHelp { return print(help: Help.command(command)) }
  try command.run(arguments, try paths())
}

func print(help text: String) {
  var output = Output()
  output.write(text)
  output.flush()
}

func paths() throws -> VaultPaths {
  guard let paths = VaultPaths(environment: variable) else {
    throw Failure(
      "neither VAULT_HOME nor HOME is an absolute path", hint: "set HOME, or VAULT_HOME to a folder of your own",
      exitStatus: .configuration)
  }
  return paths
}

do {
  try ProcessFiles.require()
  try run(CommandLine.arguments)
} catch let told as TeamFetch.Told {
  exit(told.exitStatus.rawValue)
} catch {
  let failure = Help.pointing(Failure(error), CommandLine.arguments)
  Diagnostics.report(failure)
  exit(failure.exitStatus.rawValue)
}
