import Foundation
import TestSupport
import Testing

/// A shell at a terminal in which somebody types, presses Tab, and looks at the line.
struct TabKey {
  /// The command line after the keys, and what the terminal showed meanwhile.
  struct Answer: Decodable {
    let line: String
    let shown: String
  }

  /// Prints JSON for each text that is typed: it is followed by Ctrl-X Ctrl-D, at which the shell prints its command line between two
  /// marks. A shell reads keys one after the other, so that nothing here waits for a time.
  private static let terminal = #"""
    import fcntl, json, os, pty, select, struct, sys, termios
    typed = json.load(sys.stdin)
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 100, 250, 0, 0))
        os.execvp(sys.argv[1], sys.argv[1:])
    shown = b""
    def until(mark):
        global shown
        while mark not in shown:
            if not select.select([terminal], [], [], 60)[0]: sys.exit("waited for %r after %r" % (mark, shown))
            try: shown += os.read(terminal, 65536)
            except OSError: sys.exit("the shell has ended: %r" % shown)
        head, _, shown = shown.partition(mark)
        return head.decode("utf-8", "replace")
    until(b"READY>")
    answers = []
    for text in typed:
        os.write(terminal, text.encode() + b"\x18\x04")
        before = until(b"\x1e")
        answers.append({"line": until(b"\x1f"), "shown": before})
        os.write(terminal, b"\x01\x0b")
    json.dump(answers, sys.stdout)
    """#

  enum Shell: String, CaseIterable, CustomTestStringConvertible {
    case bash
    case bashWithCompletion = "bash with the package bash-completion"
    case bashInstalled = "bash with bash-completion and the installed file"
    case zsh
    case zshBeforeCompinit = "zsh whose .zshrc loads the completion system later"
    case zshInstalled = "zsh with the installed file"
    case fish
    case fishInstalled = "fish with the installed file"

    var testDescription: String { rawValue }
    var program: String { rawValue.prefix { $0 != " " }.description }
    var isBash: Bool { program == "bash" }

    /// Where the script is installed, in a home that these shells look through.
    func file(_ name: String) -> String? {
      switch self {
      case .bashInstalled: ".local/share/bash-completion/completions/\(name)"
      case .zshInstalled: "functions/_\(name)"
      case .fishInstalled: ".config/fish/completions/\(name).fish"
      default: nil
      }
    }
  }

  /// Commands of the shell that begin it: prompt, mark, and the completion.
  private static func beginning(_ shell: Shell, name: String) -> String {
    let eval = "eval \"$(\(name) completion \(shell.program))\"\n"
    let zsh =
      #"""
      PS1='READY>' LISTMAX=10000
      unset zle_bracketed_paste
      dump() { printf '\x1e%s\x1f' "$BUFFER" }
      zle -N dump; bindkey -e; bindkey '^X^D' dump

      """#
    switch shell {
    case .bash, .bashWithCompletion, .bashInstalled:
      return #"""
        PS1='READY>'
        bind 'set show-all-if-ambiguous on'; bind 'set page-completions off'; bind 'set completion-query-items 0'
        bind 'set enable-bracketed-paste off'; bind 'set bell-style none'
        bind -x '"\C-x\C-d": printf "\x1e%s\x1f" "$READLINE_LINE"'
        # Two programs whose completion their owner has registered: a function, and another program, as the AWS CLI's is.
        _owned() { COMPREPLY=("${2}-${COMP_CWORD}-${3}-${#COMP_LINE}-$COMP_POINT"); }
        complete -F _owned owned
        complete -C 'completer "two words"' owner

        """# + (shell == .bash ? "" : ". /usr/share/bash-completion/bash_completion\n") + (shell == .bashInstalled ? "" : eval)
    case .zsh: return zsh + "autoload -Uz compinit; compinit -u\n" + eval
    case .zshBeforeCompinit: return zsh + eval + "autoload -Uz compinit; compinit -u\n"
    case .zshInstalled: return zsh + "fpath=(~/functions $fpath); autoload -Uz compinit; compinit -u\n"
    case .fish, .fishInstalled:
      return #"""
        set -g fish_greeting
        function fish_prompt; printf 'READY>'; end
        bind \cx\cd 'printf "\x1e%s\x1f" (commandline -b)'

        """# + (shell == .fish ? "\(name) completion fish | source\n" : "")
    }
  }

  /// What the keys do in a new shell.
  ///
  /// - Parameters:
  ///   - name: the program's name; it is found in `path`.
  ///   - more: commands that the shell begins with besides.
  static func press(
    _ keys: [String], in shell: Shell, of vault: TestVault, name: String = "vault", path: String, more: String = ""
  ) async throws -> [Answer] {
    let home = TemporaryDirectory()
    let start = beginning(shell, name: name) + more
    for folder in ["functions", ".config", ".config/fish"] { mkdir(home.file(folder), 0o700) }
    home.write(start, to: ".bashrc")
    home.write(start, to: ".zshrc")
    home.write(start, to: ".config/fish/config.fish")
    home.write("#!/bin/sh\necho \"$1-$2-$3-$4-$COMP_LINE-$COMP_POINT\"\n", to: "functions/completer")
    chmod(home.file("functions/completer"), 0o755)
    var environment = vault.environment.merging(["HOME": home.path, "ZDOTDIR": home.path, "TERM": "xterm"]) { $1 }
    environment["PATH"] = "\(path):\(home.path)/functions:/usr/bin:/bin"
    if let file = shell.file(name) {
      let script = try await Subprocess.run("\(path)/\(name)", ["completion", shell.program], environment: environment)
      try FileManager.default.createDirectory(
        atPath: URL(fileURLWithPath: home.file(file)).deletingLastPathComponent().path, withIntermediateDirectories: true)
      home.write(script.output, to: file)
    }
    let words = shell.isBash ? ["bash", "--rcfile", home.file(".bashrc"), "-i"] : [shell.program, "-i"]
    let run = try await Subprocess.run(
      try Programs.python, ["-c", terminal] + words, environment: environment, directory: home.path,
      input: Array(try JSONEncoder().encode(keys)), timeout: 150)
    try #require(run.succeeded, "\(run.errors)")
    #expect(access(home.file("pwned"), F_OK) != 0, "a name was run")
    return try JSONDecoder().decode([Answer].self, from: Data(run.outputBytes))
  }
}
