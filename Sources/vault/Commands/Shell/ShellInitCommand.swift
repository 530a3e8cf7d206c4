import VaultModel

/// `vault shell-init SHELL`: a function that switches the shell one is in, the profile in its prompt, and completion of names.
///
/// Names of profiles are never parts of the script: it reads them where they cannot be taken for anything else.
enum ShellInitCommand {
  static let command = Command(
    "shell-init", arguments: [ArgumentSpec("SHELL", kind: .words(["bash", "zsh", "fish"]))], topic: .use,
    summary: "print `vuse`, a function that switches the shell you are in",
    note: "VUSE_PROMPT=off leaves the prompt as it is.",
    examples: [
      Example("eval \"$(vault shell-init bash)\"", "for ~/.bashrc"),
      Example("eval \"$(vault shell-init zsh)\"", "for ~/.zshrc"),
      Example("vault shell-init fish | source", "for ~/.config/fish/config.fish"),
    ]
  ) { arguments, _ in
    let shell = try arguments.required("SHELL")
    let script: String
    switch shell {
    case "bash": script = common(pid: "__vuse_pid=$BASHPID", jobs: "[[ -n $(jobs -p) ]]", now: "printf -v now '%(%s)T' -1") + bash
    case "zsh":
      script =
        "zmodload zsh/system zsh/datetime zsh/parameter\n"
        + common(
          pid: "emulate -L zsh; __vuse_pid=${sysparams[pid]:-$$}", jobs: "(( $#jobstates ))",
          now: "emulate -L zsh; now=$EPOCHSECONDS")
        + zsh
    case "fish": script = fish
    default: throw Failure("unsupported shell: \"\(shell)\"", hint: "use bash, zsh or fish", exitStatus: .usage)
    }
    var output = Output()
    output.write(script.replacing("command vault ", with: "command \(ProgramName.current) "))
    output.flush()
  }

  private static let jobsNotice = "vuse: jobs in the background get no more credentials; restart those that need some"
  private static let help = "usage: vuse [PROFILE] [option of vault env …]; vuse - goes back, vuse --off restores the shell"

  /// What bash and zsh have in common. While a shell is switched its credentials stay fresh, so that the time left in the prompt is
  /// asked for once it runs out, at most each minute, and not at each prompt.
  ///
  /// - Parameters:
  ///   - pid: sets the process ID of the shell, which in a subshell is the subshell's.
  ///   - jobs: whether the shell has jobs in the background.
  ///   - now: sets the time, in seconds.
  private static func common(pid: String, jobs: String, now: String) -> String {
    #"""
    vuse() {
      local __vuse_text __vuse_pid __vuse_jobs=
      \#(pid)
      case ${1-} in
        -h | --help) printf '%s\n' '\#(help)'; return ;;
        -)
          if [ -z "${__vuse_previous-}" ]; then
            printf '%s\n' 'vuse: no profile before this one' >&2
            return 64
          fi
          shift
          set -- "$@" -- "$__vuse_previous" ;;
      esac
      if [[ -n ${__vuse_before-} ]] && \#(jobs); then __vuse_jobs=1; fi
      __vuse_text=$(__vuse_before=${__vuse_before-} command vault env --format sh --for-pid "$__vuse_pid" "$@") || return
      eval "$__vuse_text"
      [[ -z $__vuse_jobs ]] || printf '%s\n' '\#(jobsNotice)' >&2
    }
    __vuse_label() {
      local name=${AWS_VAULT-} now left
      \#(now)
      __vuse_shown=
      [[ -n $name && ${VUSE_PROMPT-} != off ]] || return 0
      if [[ $name == "${__vuse_profile-}" && -n ${__vuse_until-} ]]; then
        if (( __vuse_until - now < 900 && now - ${__vuse_asked:-0} >= 60 )); then
          __vuse_asked=$now
          __vuse_until=$(command vault env --until -- "${__vuse_session:-$name}" 2>/dev/null)
        fi
        left=$(( ${__vuse_until:-0} - now ))
        if (( left <= 0 )); then left=expired
        elif (( left >= 3600 )); then left=$(( left / 3600 ))h$(( left % 3600 / 60 ))m
        else left=$(( left / 60 ))m
        fi
      fi
      name=${name//[^A-Za-z0-9_.\/@:+-]/?}
      __vuse_shown="(${name:0:40}${left:+ $left}) "
    }

    """#
  }

  private static let bash = #"""
    __vuse_prompt() {
      __vuse_label
      [[ $PS1 == *'${__vuse_shown-}'* ]] || PS1='${__vuse_shown-}'$PS1
    }
    if [[ $- == *i* ]]; then
      [[ "${PROMPT_COMMAND[*]-}" == *__vuse_prompt* ]] || PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}__vuse_prompt"
      __vuse_complete() {
        local name quoted
        COMPREPLY=()
        (( COMP_CWORD == 1 )) || return 0
        while IFS= read -r name; do
          printf -v quoted %q "$name"
          # The word is as it was typed: with its backslashes.
          [[ $name == "$2"* || $quoted == "$2"* ]] && COMPREPLY+=("$quoted")
        done < <(command vault list --names 2>/dev/null; printf '%s\n' - --off)
      }
      complete -F __vuse_complete vuse
    fi

    """#

  private static let zsh = #"""
    if [[ -o interactive ]]; then
      __vuse_precmd() {
        emulate -L zsh
        local before=${__vuse_shown-}
        __vuse_label
        PROMPT=$__vuse_shown${PROMPT#"$before"}
        if (( $+functions[compdef] && ! $+__vuse_completes )); then
          typeset -g __vuse_completes=1
          compdef __vuse_complete vuse
        fi
      }
      __vuse_complete() {
        (( CURRENT == 2 )) || return 1
        compadd -- - --off ${(f)"$(command vault list --names 2>/dev/null)"}
      }
      autoload -Uz add-zsh-hook
      add-zsh-hook precmd __vuse_precmd
    fi

    """#

  private static let fish = #"""
    function vuse --description 'switch this shell to a profile of the vault'
        set -l words $argv
        switch "$argv[1]"
            case -h --help
                printf '%s\n' '\#(help)'
                return
            case -
                if not set -q __vuse_previous
                    printf '%s\n' 'vuse: no profile before this one' >&2
                    return 64
                end
                set words $argv[2..-1] -- $__vuse_previous
        end
        set -l jobs
        set -q __vuse_before; and jobs -q; and set jobs 1
        set -l text (__vuse_before="$__vuse_before" command vault env --format fish --for-pid $fish_pid $words)
        or return
        string join \n -- $text | source
        set -q jobs[1]; and printf '%s\n' '\#(jobsNotice)' >&2; or true
    end
    function __vuse_label
        set -q AWS_VAULT; and test "$VUSE_PROMPT" != off; or return 0
        set -l left
        if test "$AWS_VAULT" = "$__vuse_profile"; and set -q __vuse_until
            # The time without a program: a file's, and how long ago that was (fish 3.5).
            set -l now (math (path mtime /) + (path mtime -R /) 2>/dev/null; or command date +%s)
            set -q __vuse_asked; or set -g __vuse_asked 0
            if test (math $__vuse_until - $now) -lt 900; and test (math $now - $__vuse_asked) -ge 60
                set -g __vuse_asked $now
                set -l asked $AWS_VAULT
                set -q __vuse_session; and set asked $__vuse_session
                set -g __vuse_until (command vault env --until -- "$asked" 2>/dev/null; or echo 0)
            end
            set -l seconds (math $__vuse_until - $now)
            if test $seconds -le 0
                set left ' expired'
            else if test $seconds -ge 3600
                set left ' '(math -s0 $seconds / 3600)h(math -s0 $seconds % 3600 / 60)m
            else
                set left ' '(math -s0 $seconds / 60)m
            end
        end
        printf '(%s%s) ' (string sub -l 40 -- (string replace -ra '[^A-Za-z0-9_./@:+-]' '?' -- "$AWS_VAULT" | string join '?')) $left
    end
    if status is-interactive
        if not functions -q __vuse_right_prompt
            function __vuse_right_prompt
            end
            if functions -q fish_right_prompt
                functions -e __vuse_right_prompt
                functions -c fish_right_prompt __vuse_right_prompt
            end
            function fish_right_prompt
                __vuse_label
                __vuse_right_prompt
            end
        end
        complete -c vuse -f
        complete -c vuse -f -n __fish_is_first_arg -a '(command vault list --names 2>/dev/null)'
        complete -c vuse -f -n __fish_is_first_arg -a '- --off'
    end

    """#
}
