import VaultModel

/// `vault completion SHELL`: the script that completes commands, options and profile names.
enum CompletionCommand {
  static let command = Command("completion", "bash|zsh|fish", "the shell's completion script") { arguments, _ in
    let shell = try arguments.required("shell")
    var output = Output()
    switch shell {
    case "bash": output.write(bash())
    case "zsh": output.write(zsh())
    case "fish": output.write(fish())
    default: throw Failure("no completion for \"\(shell)\"", hint: "bash, zsh or fish", exitStatus: .usage)
    }
    output.flush()
  }

  private static var words: [String] {
    Array(Set(Commands.all.map { String($0.name.split(separator: " ")[0]) } + ["exec"])).sorted()
  }

  private static func subcommands(_ group: String) -> String {
    Commands.all.filter { $0.name.hasPrefix(group + " ") }.map { $0.name.split(separator: " ")[1] }.joined(separator: " ")
  }

  private static func options(_ name: String) -> String {
    (name == "exec" ? ExecCommand.options : Commands.all.first { $0.name == name }?.options ?? []).map { "--" + $0.name }.joined(
      separator: " ")
  }

  /// The commands whose next word is a profile's name.
  private static let takeProfile = "exec|show|edit|remove|sessions|rotate|forget"

  private static func bash() -> String {
    var cases = ""
    for group in Commands.groups.sorted() { cases += "        \(group)) choices='\(subcommands(group))' ;;\n" }
    var optionCases = ""
    // `audit export` before `audit`: the first that fits counts.
    for name in (Commands.all.map(\.name).filter { $0.contains(" ") }.sorted() + words) where !options(name).isEmpty {
      optionCases += "        '\(name) '*) choices='\(options(name))' ;;\n"
    }
    return """
      # vault's completion for bash: eval "$(vault completion bash)"
      _vault() {
        local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} choices=
        COMPREPLY=()
        if [ "$COMP_CWORD" -eq 1 ]; then
          choices='\(words.joined(separator: " "))'
        elif [[ $word == -* ]]; then
          case "$command ${COMP_WORDS[2]} " in
      \(optionCases)    esac
        elif [ "$COMP_CWORD" -eq 2 ]; then
          case $command in
            \(takeProfile)) choices=$(vault list --names 2>/dev/null) ;;
      \(cases)    esac
        elif [ "$command" = exec ]; then
          COMPREPLY=($(compgen -c -- "$word"))
          return
        fi
        local IFS=$' \\n'
        COMPREPLY=($(compgen -W "$choices" -- "$word"))
      }
      complete -o default -F _vault vault

      """
  }

  private static func zsh() -> String {
    """
    #compdef vault
    # vault's completion for zsh: eval "$(vault completion zsh)"
    _vault() {
      if (( CURRENT == 2 )); then
        compadd -- \(words.joined(separator: " "))
        return
      fi
      case $words[2] in
        \(takeProfile))
          if (( CURRENT == 3 )); then compadd -- ${(f)"$(vault list --names 2>/dev/null)"}; else _normal; fi ;;
    \(Commands.groups.sorted().map { "    \($0)) (( CURRENT == 3 )) && compadd -- \(subcommands($0)) ;;" }.joined(separator: "\n"))
        *) _files ;;
      esac
    }
    compdef _vault vault

    """
  }

  private static func fish() -> String {
    var text = "# vault's completion for fish: vault completion fish | source\ncomplete -c vault -f\n"
    text += "complete -c vault -n __fish_use_subcommand -a '\(words.joined(separator: " "))'\n"
    for name in takeProfile.split(separator: "|") {
      text += "complete -c vault -n '__fish_seen_subcommand_from \(name)' -a '(vault list --names 2>/dev/null)'\n"
    }
    for group in Commands.groups.sorted() {
      text += "complete -c vault -n '__fish_seen_subcommand_from \(group)' -a '\(subcommands(group))'\n"
    }
    return text
  }
}
