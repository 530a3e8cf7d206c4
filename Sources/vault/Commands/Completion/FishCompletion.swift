/// The script for fish 3; NAME stands for the program's name.
let fishCompletion = #"""
  # Completion for fish: NAME completion fish | source
  function __NAME_complete
      set -l typed (commandline -opc)
      set -l current (commandline -ct)
      set -l lines (command NAME --complete fish $typed "$current" 2>/dev/null)
      set -l answer (string split ' ' -- $lines[1])
      set -q lines[2]; and printf '%s\n' $lines[2..]
      # The option before the value of --option=value.
      set -l option ''
      if test "$answer[2]" = attached
          set option (string replace -r '=.*' '=' -- "$current")
          set current (string replace -r '^[^=]*=' '' -- "$current")
      end
      switch "$answer[1]"
          case files
              printf '%s\n' $option(__fish_complete_path "$current")
          case folders
              printf '%s\n' $option(__fish_complete_directories "$current" '')
          case programs
              complete -C "$current"
          case command
              # The word at the cursor stays as it was typed.
              complete -C (string join ' ' -- (string escape -- $typed[(math $answer[2] + 1)..]) "$current")
      end
  end
  complete -c NAME -f -a '(__NAME_complete)'

  """#
