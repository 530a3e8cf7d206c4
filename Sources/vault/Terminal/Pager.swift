import CSystem
import Glibc
import VaultBytes
import VaultModel

/// Shows a table that is longer than the terminal in the user's pager, as git does.
///
/// `VAULT_PAGER` takes precedence, then `PAGER`, then `less`; an empty one, `cat` and `--no-pager` mean none. None of these are
/// read while the output is short or not on a terminal.
enum Pager {
  static let option = OptionSpec("no-pager", "do not use a pager")

  /// Whether a report with these arguments may go through a pager.
  static func isWanted(_ arguments: Arguments, _ format: ReportFormat) -> Bool {
    format == .table && Terminal.outputIsTerminal && !arguments.has(option.name)
  }

  /// Shows text that is longer than the screen.
  ///
  /// - Returns: false if there is no pager, or the text fits; the caller then writes it as usual.
  static func show(_ text: [UInt8]) -> Bool {
    guard let rows = Terminal.rows, isHigh(text, rows: rows, columns: Terminal.width), let command = command() else {
      return false
    }
    var ends: [Int32] = [0, 0]
    guard sys_pipe(&ends) == 0 else { return false }
    guard let child = start(command, reading: ends[0]) else {
      for end in ends { close(end) }
      return false
    }
    close(ends[0])
    // The pager handles Ctrl-C, and may end before it has read everything.
    let before = (signal(SIGINT, SIG_IGN), signal(SIGQUIT, SIG_IGN), signal(SIGPIPE, SIG_IGN))
    writeAll(text.span.bytes, to: ends[1])
    close(ends[1])
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    signal(SIGINT, before.0)
    signal(SIGQUIT, before.1)
    signal(SIGPIPE, before.2)
    // The shell's status for a command that is missing or cannot be run: nothing was shown.
    let code = status >> 8 & 0xFF
    return status & 0x7F != 0 || (code != 126 && code != 127)
  }

  private static func command() -> String? {
    for name in ["VAULT_PAGER", "PAGER"] {
      guard let pager = variable(name) else { continue }
      return pager.isEmpty || pager == "cat" ? nil : pager
    }
    let folders = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":")
    return folders.contains { access("\($0)/less", X_OK) == 0 } ? "less" : nil
  }

  /// A pager is a command line, so a shell starts it (`less -S`), as wherever PAGER is used.
  private static func start(_ command: String, reading input: Int32) -> pid_t? {
    setenv("LESS", "FRSX", 0)
    setenv("LV", "-c", 0)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    var words: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(command), nil]
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    return posix_spawn(&child, "/bin/sh", &actions, nil, &words, sys_environment()) == 0 ? child : nil
  }

  /// Whether a text takes so many rows of the screen: a line wider than the screen takes several. No more is looked at than that.
  private static func isHigh(_ text: [UInt8], rows limit: Int, columns width: Int) -> Bool {
    var rows = 0
    var rest = text[...]
    while rows < limit, let end = rest.firstIndex(of: 10) {
      rows += max(1, (DisplayWidth.columns(of: withoutColour(rest[..<end])) + width - 1) / width)
      rest = rest[(end + 1)...]
    }
    return rows >= limit
  }

  /// Without the only escape sequences in tables, which end with a letter and have no width.
  private static func withoutColour(_ line: ArraySlice<UInt8>) -> String {
    guard line.contains(0x1B) else { return String(decoding: line, as: UTF8.self) }
    var isInside = false
    let shown = line.filter { byte in
      defer { if byte == 0x1B { isInside = true } else if byte != UInt8(ascii: "["), byte >= 0x40 { isInside = false } }
      return !isInside && byte != 0x1B
    }
    return String(decoding: shown, as: UTF8.self)
  }
}
