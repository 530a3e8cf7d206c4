import VaultModel

/// `vault completion SHELL`: the script through which a shell asks what can stand at the cursor (``CompletionAnswer``).
///
/// The scripts know no command and no name, so that they fit every version of the program, and no name is ever code.
enum CompletionCommand {
  static let command = Command(
    "completion", arguments: [ArgumentSpec("SHELL", kind: .words(["bash", "zsh", "fish"]))], topic: .upkeep,
    summary: "print a shell completion script",
    examples: [
      Example("eval \"$(vault completion bash)\"", "for ~/.bashrc"),
      Example("eval \"$(vault completion zsh)\"", "for ~/.zshrc"),
      Example("vault completion fish | source", "for ~/.config/fish/config.fish"),
    ], text: script)

  private static func script(_ arguments: Arguments) throws -> String {
    let shell = try arguments.required("SHELL")
    let text: String
    switch shell {
    case "bash": text = bashCompletion
    case "zsh": text = zshCompletion
    case "fish": text = fishCompletion
    default: throw Failure("unsupported shell: \"\(shell)\"", hint: "use bash, zsh or fish", exitStatus: .usage)
    }
    return text.replacing("NAME", with: ProgramName.current)
  }
}
