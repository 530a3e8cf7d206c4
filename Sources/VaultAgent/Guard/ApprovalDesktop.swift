import Glibc
import VaultKeys
import VaultModel
import VaultSecrets

/// Where a person is asked to agree to a request. What the asker's environment names does not count, since the asker may be what
/// answers there: it is the bus at its well-known place, or else the session in which the agent was started.
///
/// The other questions, for codes and passphrases, go where the asker says: they protect nothing from it.
struct ApprovalDesktop: Sendable {
  /// The environment in which the agent was started.
  private let started: [String: String]
  /// The folder that holds one runtime directory per user.
  private let root: String

  init(startedIn environment: [String: String], root: String = "/run/user") {
    (started, self.root) = (environment, root)
  }

  /// The session bus; nil if there is none.
  var bus: String? {
    SessionBus.inRuntimeDirectory(environment: { _ in nil }, root: root) ?? SessionBus.address { started[$0] }
  }

  /// The environment of a program that shows something on the display; nil if there is none.
  var display: SecretBytes? {
    guard ["DISPLAY", "WAYLAND_DISPLAY"].contains(where: { started[$0]?.isEmpty == false }) else { return nil }
    var variables = started.filter { name, _ in
      ["HOME", "USER", "LOGNAME", "LANG", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"].contains(name)
        || name.hasPrefix("LC_")
    }
    variables["PATH"] = AgentEnvironment.path
    // Some pinentries ask a service on it.
    variables["DBUS_SESSION_BUS_ADDRESS"] = bus
    return SecretBytes(variables.map { "\($0)=\($1)\0" }.joined())
  }

  /// A program that root alone can replace: a file of the agent's own search path; nil if there is none.
  static func program(_ name: String) -> String? {
    for folder in AgentEnvironment.path.split(separator: ":") {
      guard let real = realpath("\(folder)/\(name)", nil) else { continue }
      defer { free(real) }
      let file = String(cString: real)
      if access(file, X_OK) == 0, isRoots(file) { return file }
    }
    return nil
  }

  /// Whether a file without links in its path, and each folder above it, is root's, and nobody else can write to it.
  static func isRoots(_ file: String) -> Bool {
    var path = file[...]
    while true {
      var status = stat()
      guard lstat(path.isEmpty ? "/" : String(path), &status) == 0, status.st_uid == 0, status.st_mode & 0o022 == 0 else {
        return false
      }
      guard let slash = path.lastIndex(of: "/") else { return true }
      path = path[..<slash]
    }
  }
}
