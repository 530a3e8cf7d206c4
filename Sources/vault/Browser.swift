import CSystem
import Glibc
import VaultModel

/// The person's web browser.
enum Browser {
  /// Whether there is a desktop to show one, or a command that the person named.
  static var isThere: Bool {
    for name in ["BROWSER", "WAYLAND_DISPLAY", "DISPLAY"] {
      if let value = variable(name), !value.isEmpty { return command != nil }
    }
    return false
  }

  /// `BROWSER`'s first entry (as xdg-open and Python's webbrowser read it), else xdg-open.
  private static var command: String? {
    if let named = variable("BROWSER")?.split(separator: ":").first.map(String.init), !named.isEmpty { return named }
    let folders = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":")
    return folders.map { "\($0)/xdg-open" }.first { access($0, X_OK) == 0 }
  }

  /// Opens a page. What the browser prints is nobody's business here.
  ///
  /// - Parameter url: only `https`, or `http` on this machine.
  /// - Returns: whether it could be started.
  static func open(_ url: String) -> Bool {
    guard url.hasPrefix("https://") || url.hasPrefix("http://127.0.0.1:") || url.hasPrefix("http://localhost:"),
      let command
    else { return false }
    let null = sys_open("/dev/null", O_WRONLY, 0)
    guard null >= 0 else { return false }
    defer { close(null) }
    var words: [UnsafeMutablePointer<CChar>?] = [strdup(command), strdup(url), nil]
    defer { words.forEach { free($0) } }
    return sys_spawn(command, &words, sys_environment(), nil, null, null) > 0
  }
}
