import CSystem
import Glibc
import VaultModel

/// The user's web browser.
enum Browser {
  /// Whether there is a desktop to show one, or a command configured by the user.
  static var isThere: Bool {
    for name in ["BROWSER", "WAYLAND_DISPLAY", "DISPLAY"] {
      if let value = variable(name), !value.isEmpty { return !commands.isEmpty }
    }
    return false
  }

  /// The command lines in `BROWSER`, separated by colons and tried in order, as xdg-open and Python's webbrowser do; otherwise
  /// xdg-open.
  private static var commands: [String] {
    let named = (variable("BROWSER") ?? "").split(separator: ":").map(String.init).filter { $0.contains { $0 != " " } }
    if !named.isEmpty { return named }
    let folders = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":")
    return folders.map { "\($0)/xdg-open" }.filter { access($0, X_OK) == 0 }
  }

  /// The words of a command line: `%s` is the address, which otherwise comes last. The path of an executable
  /// file is taken as a whole, even with blanks.
  private static func words(_ command: String, _ url: String) -> [String] {
    if command.contains("/"), access(command, X_OK) == 0 { return [command, url] }
    let words = command.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    // No shell parses it, so quotes around the address must go.
    let filled = words.map { word in
      word.replacing("\"%s\"", with: url).replacing("'%s'", with: url).replacing("%s", with: url)
    }
    return filled == words ? words + [url] : filled
  }

  /// Opens a page. The browser's output is discarded.
  ///
  /// - Parameter url: only `https`, or `http` on this machine.
  /// - Returns: whether the browser could be started.
  static func open(_ url: String) -> Bool {
    guard url.hasPrefix("https://") || url.hasPrefix("http://127.0.0.1:") || url.hasPrefix("http://localhost:") else {
      return false
    }
    let null = sys_open("/dev/null", O_WRONLY, 0)
    guard null >= 0 else { return false }
    defer { close(null) }
    return commands.contains { command in
      let words = words(command, url)
      var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
      defer { arguments.forEach { free($0) } }
      return sys_spawn(words[0], &arguments, sys_environment(), nil, null, null) > 0
    }
  }
}
