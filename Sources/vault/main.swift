import CSystem
import Glibc
import VaultModel

// No async main and no Foundation: this program precedes every command that a developer runs.

/// Runs the command line. Returns only for commands other than `exec`.
func run(_ words: [String]) throws {
  _ = PassphraseDescriptor.taken
  // After the passphrase's descriptor, which may be a standard one, and before this program opens anything.
  _ = sys_open_standard()
  if words.count == 1, let paths = try? paths(), try FirstSteps.begin(paths) { return }
  guard words.count > 1 else { exit(HelpCommand.begin().rawValue) }
  switch words[1] {
  case "--help", "-h": return print(help: Help.overview(width: Terminal.width))
  case "--version": return print(help: HelpCommand.version)
  case "--man": return print(help: try ManPage.text(words.dropFirst(2)))
  case "--complete": return print(help: try CompletionAnswer.text(words.dropFirst(2)))
  case "--markdown": return print(help: CommandReference.text())
  default: break
  }
  if words.count == 3, words[2] == "--help" || words[2] == "-h", Commands.isGroup(words[1]) {
    return print(help: Help.group(words[1], width: Terminal.width))
  }
  let (command, start) = try Commands.find(words)
  let arguments = try Arguments(words, from: start, of: command)
  if arguments.asksForHelp { return print(help: Help.command(command, width: Terminal.width)) }
  switch command.action {
  case .run(let run): try run(arguments, try paths())
  case .text(let text): print(help: try text(arguments))
  }
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
} catch let left as ProfilePicker.Left {
  exit(left.exitStatus)
} catch {
  let failure = Help.advised(Failure(error), CommandLine.arguments)
  Diagnostics.report(failure)
  exit(failure.exitStatus.rawValue)
}
