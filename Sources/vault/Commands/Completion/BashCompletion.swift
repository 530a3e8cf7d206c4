/// The script for bash 4.4 and later, with or without the package bash-completion; NAME stands for the program's name.
let bashCompletion = #"""
  # Completion for bash: eval "$(NAME completion bash)"
  _NAME() {
    # Readline parts words at ":" and "=" as well, which stand in names and before values.
    local words=() starts=() word joins= i
    for ((i = 0; i <= COMP_CWORD; i++)); do
      word=${COMP_WORDS[i]}
      if [[ $i -gt 1 && $word =~ ^[:=]+$ ]]; then words[-1]+=$word joins=1
      elif [[ $joins ]]; then words[-1]+=$word joins=
      else words+=("$word") starts+=("$i"); fi
    done
    local breaks= what= place= value
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+==
    COMPREPLY=()
    {
      read -r what place
      while IFS= read -r value; do
        [[ $value == *[^[:alnum:]_./%@:=+,-]* && ${words[-1]} != [\"\']* ]] && printf -v value %q "$value"
        COMPREPLY+=("$value")
      done
    } < <(command NAME --complete "bash$breaks" "${words[@]}" 2>/dev/null)
    case $what in
      files) compopt -o default 2>/dev/null ;;
      folders) compopt -o dirnames 2>/dev/null ;;
      programs) mapfile -t COMPREPLY < <(compgen -c -- "${words[-1]}") ;;
      command) _NAME_command "${starts[place]}" ;;
    esac
  }

  # Completes the words from $1 on as those of another command.
  _NAME_command() {
    local offset=$1 i head spec shown line=$COMP_LINE point=$COMP_POINT
    for ((i = 0; i < offset; i++)); do
      head=${line%%"${COMP_WORDS[i]}"*}${COMP_WORDS[i]}
      line=${line:${#head}} point=$((point - ${#head}))
    done
    head=${line%%[![:space:]]*}
    line=${line:${#head}} point=$((point - ${#head}))
    local current=${COMP_WORDS[COMP_CWORD]}
    if ((COMP_CWORD == offset)); then
      mapfile -t COMPREPLY < <(compgen -c -- "$current")
      [[ $current == */* ]] && compopt -o default 2>/dev/null
      return
    fi
    spec=$(complete -p -- "${COMP_WORDS[offset]##*/}" 2>/dev/null)
    if [[ $spec =~ ' -C '(.*)' '[^\ ]+$ ]]; then
      # bash has quoted the program, such as aws_completer, so that it can be read again.
      eval "shown=${BASH_REMATCH[1]}"
      mapfile -t COMPREPLY < <(export COMP_LINE=$line COMP_POINT=$point COMP_TYPE COMP_KEY
        eval "$shown"' "${COMP_WORDS[offset]}" "$current" "${COMP_WORDS[COMP_CWORD - 1]}"' 2>/dev/null)
    elif declare -F _comp_command_offset >/dev/null; then
      _comp_command_offset "$offset"
    elif declare -F _command_offset >/dev/null; then
      _command_offset "$offset"
    elif [[ $spec =~ ' -F '([^\ ]+) ]]; then
      local -a rest=("${COMP_WORDS[@]:offset}")
      local -a COMP_WORDS=("${rest[@]}")
      local COMP_CWORD=$((COMP_CWORD - offset)) COMP_LINE=$line COMP_POINT=$point
      "${BASH_REMATCH[1]}" "${rest[0]}" "$current" "${rest[COMP_CWORD - 1]}"
    else
      compopt -o default 2>/dev/null
    fi
  }
  complete -F _NAME NAME

  """#
