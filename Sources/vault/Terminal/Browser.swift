import CSystem
import Glibc
import VaultModel

/// The person's web browser.
enum Browser {
  /// Whether there is a desktop to show one, or a command that the person named.
  static var isThere: Bool {
    for name in ["BROWSER", "WAYLAND_DISPLAY", "DISPLAY"] {
      if let value = variable(name), !value.isEmpty { return !commands.isEmpty }
    }
    return false
  }

  /// The command lines of `BROWSER`, parted by colons and tried one after the other, as xdg-open and Python's webbrowser read it; else xdg-open.
  private static var commands: [String] {
    let named = (variable("BROWSER") ?? "").split(separator: ":").map(String.init).filter { $0.contains { $0 != " " } }
    if !named.isEmpty { return named }
    let folders = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":")
    return folders.map { "\($0)/xdg-open" }.filter { access($0, X_OK) == 0 }
  }

  /// What to run for a command line: `%s` is the address, which else comes last. A file whose path has blanks is no command line.
  private static func words(_ command: String, _ url: String) -> [String] {
    if command.contains("/"), access(command, X_OK) == 0 { return [command, url] }
    let words = command.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    // No shell reads it, and so quotes around the address have nothing to do.
    let filled = words.map { word in
      word.replacing("\"%s\"", with: url).replacing("'%s'", with: url).replacing("%s", with: url)
    }
    return filled == words ? words + [url] : filled
  }

  /// Opens a page. What the browser prints is nobody's business here.
  ///
  /// - Parameter url: only `https`, or `http` on this machine.
  /// - Returns: whether it could be started.
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
