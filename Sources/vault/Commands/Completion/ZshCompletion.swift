/// The script for zsh 5, evaluated or as the file `_NAME` in `fpath`; NAME stands for the program's name.
let zshCompletion = #"""
  #compdef NAME
  # Completion for zsh: eval "$(NAME completion zsh)"
  _NAME() {
    local -a lines plain described
    local line what place
    lines=("${(@f)$(command NAME --complete zsh "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    what=${lines[1]%% *} place=${lines[1]#* }
    if [[ $what == command ]]; then
      shift $place words
      (( CURRENT -= place ))
      _normal
      return
    fi
    local -i failed=1
    # The value of --option=value.
    [[ $place == attached ]] && compset -P '*='
    for line in "${(@)lines[2,-1]}"; do
      if [[ $line == *$'\t'* ]]; then described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
      elif [[ -n $line ]]; then plain+=("$line"); fi
    done
    (( $#plain )) && compadd -a plain && failed=0
    if (( $#described )); then
      if [[ $PREFIX == -* ]]; then _describe -o option described && failed=0
      else _describe value described && failed=0; fi
    fi
    case $what in
      files) _files && failed=0 ;;
      folders) _files -/ && failed=0 ;;
      programs) _command_names -e && failed=0 ;;
    esac
    return failed
  }
  if [[ $funcstack[1] == _NAME ]]; then
    # Loaded from fpath, because it was wanted.
    _NAME "$@"
  else
    # Evaluated. The rest of .zshrc may load the completion system only now, or load it again: the first prompt comes after it.
    _NAME_register() {
      add-zsh-hook -d precmd _NAME_register
      (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
      compdef _NAME NAME
    }
    autoload -Uz add-zsh-hook
    add-zsh-hook precmd _NAME_register
    (( $+functions[compdef] )) && compdef _NAME NAME
  fi

  """#
