import VaultModel

/// `vault completion SHELL`: the script that completes commands, options and profile names.
///
/// Names are never literal words of the script: the shell's own `compgen -W` would run a `$(…)` in a name.
enum CompletionCommand {
  static let command = Command(
    "completion", arguments: [ArgumentSpec("SHELL", kind: .words(["bash", "zsh", "fish"]))], topic: .upkeep,
    summary: "print a shell completion script",
    examples: [
      Example("eval \"$(vault completion bash)\"", "for ~/.bashrc"),
      Example("eval \"$(vault completion zsh)\"", "for ~/.zshrc"),
      Example("vault completion fish | source", "for ~/.config/fish/config.fish"),
    ]
  ) { arguments, _ in
    let shell = try arguments.required("SHELL")
    var output = Output()
    switch shell {
    case "bash": output.write(bash())
    case "zsh": output.write(zsh())
    case "fish": output.write(fish())
    default: throw Failure("unsupported shell: \"\(shell)\"", hint: "use bash, zsh or fish", exitStatus: .usage)
    }
    output.flush()
  }

  private static let words: [String] = Set(Commands.all.map { String($0.name.split(separator: " ")[0]) }).sorted()

  private static func subcommands(_ group: String) -> String {
    Commands.all.filter { $0.name.hasPrefix(group + " ") }.map { $0.name.split(separator: " ")[1] }.joined(separator: " ")
  }

  private static func options(_ name: String) -> [OptionSpec] {
    Commands.all.first { $0.name == name }?.options ?? []
  }

  private static func long(_ options: [OptionSpec]) -> String { options.map { "--" + $0.name }.joined(separator: " ") }

  /// The options whose next word is their value, in both forms.
  private static let valued: String = {
    var names: Set<String> = []
    for option in Commands.all.flatMap(\.options) where option.value != nil {
      names.insert("--" + option.name)
      if let short = option.short { names.insert("-\(short)") }
    }
    return names.sorted().joined(separator: "|")
  }()

  /// The commands that take several profile names, and those that take one, as their usage lines say.
  private static let takingMany = ["link", "unlink"]
  private static let takingOne: [String] =
    Commands.all.filter { command in
      (command.usage.hasPrefix("PROFILE") || command.usage.hasPrefix("[PROFILE"))
        && !(takingMany + ["add"]).contains(command.name) && !command.name.contains(" ")
    }.map(\.name)

  /// The commands of a group that take a profile's name, as the alternatives of a pattern; empty if none does.
  private static func takingOne(in group: String) -> String {
    Commands.all.filter { $0.name.hasPrefix(group + " ") && $0.usage.contains("PROFILE") }
      .map { $0.name.dropFirst(group.utf8.count + 1) }.joined(separator: "|")
  }

  private static func bash() -> String {
    var cases = ""
    for group in Commands.groups.sorted() {
      let named = takingOne(in: group)
      let names = named.isEmpty ? "" : "; [ $place = 1 ] && case ${words[2]} in \(named)) names=1 ;; esac"
      cases += "      \(group)) [ $place = 0 ] && choices='\(subcommands(group))'\(names) ;;\n"
    }
    return #"""
      # vault's completion for bash: eval "$(vault completion bash)"
      _vault() {
        # Readline parts words at ":" and "=" as well, which stand in names and before values.
        local words=() word joins= i
        for ((i = 0; i <= COMP_CWORD; i++)); do
          word=${COMP_WORDS[i]}
          if [[ $word =~ ^[:=]+$ && $i -gt 1 ]]; then words[-1]+=$word joins=1
          elif [[ $joins ]]; then words[-1]+=$word joins=
          else words+=("$word"); fi
        done
        local current=${words[-1]} before= command=${words[1]} place=0 ended= next= choices= names=
        for ((i = 2; i < ${#words[@]} - 1; i++)); do
          word=${words[i]}
          if [[ $next ]]; then next=
          elif [[ $ended ]]; then [[ $word == -- && $place -le 1 ]] || ((place++))
          elif [[ $word == -- ]]; then ended=1
          elif [[ $word == -* ]]; then case $word in \#(valued)) next=1 before=$word ;; esac
          else
            ((place++))
            # The rest is another command's.
            [[ $command == exec ]] && ended=1
          fi
        done
        if [[ ${#words[@]} == 2 ]]; then
          choices='\#(words.joined(separator: " "))'
        elif [[ $next && $before == --source ]]; then
          names=1
        elif [[ $next ]]; then
          return
        elif [[ $current == --source=* && ! $ended ]]; then
          current=${current#*=} names=1
        elif [[ $current == -* && ! $ended ]]; then
          case "$command ${words[2]} " in
      \#(optionCases("      ", before: "choices='", after: "'"))    esac
        else
          case $command in
            \#(takingOne.joined(separator: "|"))) [ $place = 0 ] && names=1 ;;
            \#(takingMany.joined(separator: "|"))) names=1 ;;
      \#(cases)    esac
          if [[ $command == exec && $place -gt 0 ]]; then
            if [[ $place == 1 ]]; then mapfile -t COMPREPLY < <(compgen -c -- "$current"); else COMPREPLY=(); fi
            return
          fi
        fi
        COMPREPLY=()
        [[ $choices ]] && mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
        [[ $names ]] || return
        # What readline puts in place is what stands behind the last sign at which it parts words.
        local shown=
        [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && shown=${current%"${current##*:}"}
        while IFS= read -r word; do
          [[ $word == "$current"* ]] || continue
          word=${word#"$shown"}
          [[ $word == *[^[:alnum:]_./%@:+-]* ]] && printf -v word %q "$word"
          COMPREPLY+=("$word")
        done < <(vault list --names 2>/dev/null)
      }
      complete -o default -F _vault vault

      """#
  }

  private static func zsh() -> String {
    #"""
    #compdef vault
    # vault's completion for zsh: eval "$(vault completion zsh)"
    _vault() {
      if (( CURRENT == 2 )); then
        compadd -- \#(words.joined(separator: " "))
        return
      fi
      local -i i place=0 begins=0
      local word ended= next=
      for (( i = 3; i < CURRENT; i++ )); do
        word=${words[i]}
        if [[ -n $next ]]; then next=
        elif [[ -n $ended ]]; then (( place++ ))
        elif [[ $word == -- ]]; then ended=1
        elif [[ $word == -* ]]; then case $word in \#(valued)) next=$word ;; esac
        else
          (( place++ ))
          [[ $words[2] == exec ]] && ended=1
        fi
        # The command of `exec` begins behind the profile, and behind a `--` that follows it.
        (( place == 1 && begins == 0 )) && begins=$(( i + 1 ))
      done
      local -a names
      if [[ $next == --source ]] || [[ -z $ended && $words[CURRENT] == --source=* ]]; then
        [[ -z $next ]] && compset -P '*='
        names=(${(f)"$(vault list --names 2>/dev/null)"})
        compadd -a names
        return
      elif [[ -n $next ]]; then
        _files
        return
      elif [[ -z $ended && $words[CURRENT] == -* ]]; then
        case "$words[2] $words[3] " in
    \#(optionCases("      ", before: "compadd -- ", after: ""))    esac
        return
      fi
      case $words[2] in
        \#(takingOne.joined(separator: "|")))
          if (( place == 0 )); then
            names=(${(f)"$(vault list --names 2>/dev/null)"})
            compadd -a names
          elif [[ $words[2] == exec ]]; then
            [[ $words[begins] == -- ]] && (( begins < CURRENT )) && (( begins++ ))
            shift $(( begins - 1 )) words
            (( CURRENT -= begins - 1 ))
            _normal
          fi ;;
        \#(takingMany.joined(separator: "|")))
          names=(${(f)"$(vault list --names 2>/dev/null)"})
          compadd -a names ;;
    \#(Commands.groups.sorted().map(zshCase).joined(separator: "\n"))
        *) _files ;;
      esac
    }
    # Installed, it is loaded when it is first wanted; evaluated, it needs what a bare zsh has not loaded.
    if [[ $funcstack[1] == _vault ]]; then
      _vault "$@"
    else
      (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
      compdef _vault vault
    fi

    """#
  }

  private static func zshCase(_ group: String) -> String {
    let named = takingOne(in: group)
    let first = "    \(group)) (( CURRENT == 3 )) && compadd -- \(subcommands(group))"
    if named.isEmpty { return first + " ;;" }
    return first + """

            if (( place == 1 )) && [[ $words[3] == (\(named)) ]]; then
              names=(${(f)"$(vault list --names 2>/dev/null)"})
              compadd -a names
            fi ;;
      """
  }

  /// The code for the options of each command, in the syntax of both shells. `audit export` precedes `audit`, since the first match
  /// counts.
  private static func optionCases(_ indent: String, before: String, after: String) -> String {
    (Commands.all.map(\.name).filter { $0.contains(" ") }.sorted() + words).filter { !options($0).isEmpty }.map {
      "\(indent)'\($0) '*) \(before)\(long(options($0)))\(after) ;;\n"
    }.joined()
  }

  private static func fish() -> String {
    let names = "'(vault list --names 2>/dev/null)'"
    var text = "# vault's completion for fish: vault completion fish | source\ncomplete -c vault -f\n"
    text += "complete -c vault -n __fish_use_subcommand -a '\(words.joined(separator: " "))'\n"
    // The profile of `exec` is followed by another command, which has its own completions.
    text += #"""
      # How many words stand before the command of `vault exec`; fails where none can stand yet.
      function __vault_exec_skip
        set -l typed (commandline -opc)
        test "$typed[2]" = exec; or return 1
        set -l skip 2
        while set -l word $typed[(math $skip + 1)]; and string match -q -- '-*' "$word"
          set skip (math $skip + 1)
          contains -- $word \#(valued.split(separator: "|").joined(separator: " ")); and set skip (math $skip + 1)
        end
        set skip (math $skip + 1)
        test (count $typed) -ge $skip; or return 1
        test "$typed[(math $skip + 1)]" = --; and set skip (math $skip + 1)
        echo $skip
      end
      complete -c vault -n '__fish_seen_subcommand_from exec; and not __vault_exec_skip >/dev/null' -a \#(names)
      complete -c vault -n '__vault_exec_skip >/dev/null' -a '(__fish_complete_subcommand --fcs-skip=(__vault_exec_skip))'

      """#
    for name in takingOne + takingMany where name != "exec" {
      text += "complete -c vault -n '__fish_seen_subcommand_from \(name)' -a \(names)\n"
    }
    for group in Commands.groups.sorted() {
      for name in takingOne(in: group).split(separator: "|") {
        text +=
          "complete -c vault -n '__fish_seen_subcommand_from \(group); and __fish_seen_subcommand_from \(name)' -a \(names)\n"
      }
    }
    for group in Commands.groups.sorted() {
      text += "complete -c vault -n '__fish_seen_subcommand_from \(group)' -a '\(subcommands(group))'\n"
    }
    for name in Commands.all.map(\.name) {
      let isSeen = name.split(separator: " ").map { "__fish_seen_subcommand_from \($0)" }.joined(separator: "; and ")
      for option in options(name) {
        let value = option.value == nil ? "" : option.name == "source" ? " -x -a \(names)" : " -r"
        text += "complete -c vault -n '\(isSeen)' -l \(option.name)\(value)\n"
      }
    }
    return text
  }
}
