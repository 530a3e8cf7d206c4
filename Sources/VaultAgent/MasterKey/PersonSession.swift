import CSystem
import Synchronization
import VaultKeys
import VaultModel
import VaultSecrets
import VaultWire

/// The parts of a person's session on this machine that the agent lacks, since it may have been started by cron, over SSH or before
/// the desktop was there: the session bus and the display, from the latest requester that has any.
///
/// It is where the keyring is found and where a person is told of something. Nobody is asked to agree to a request there, since its
/// asker may be what answers (``ApprovalDesktop``).
final class PersonSession: Sendable {
  private struct State {
    /// That of the last request, which is mostly that of the next.
    var variables = EnvironmentBlock()
    var bus: String?
    /// Environment entries for a program that shows something to the person.
    var desktop: SecretBytes?
  }
  private let state = Mutex(State())

  /// Takes these values from a request.
  func update(_ variables: EnvironmentBlock) {
    guard !variables.isEmpty, state.withLock({ $0.variables != variables }) else { return }
    let entries = variables.entries
    func value(_ name: String) -> String? {
      entries.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.utf8.count + 1)) }.flatMap {
        $0.isEmpty ? nil : $0
      }
    }
    let bus = value("DBUS_SESSION_BUS_ADDRESS")
    let hasDesktop = value("DISPLAY") != nil || value("WAYLAND_DISPLAY") != nil
    let desktop = hasDesktop ? SecretBytes((entries + Self.own).map { $0 + "\0" }.joined()) : nil
    state.withLock { state in
      state.variables = variables
      if let bus { state.bus = bus }
      if let desktop { state.desktop = desktop }
    }
  }

  /// The environment of a desktop on which notifications can be shown; nil if no request has come from one.
  var desktop: SecretBytes? { state.withLock { $0.desktop } }

  /// The buses on which a keyring may be: the one of the latest requester that named one, else the default one of this login.
  var buses: [String] {
    let asked = state.withLock { $0.bus }
    let own = SessionBus.inRuntimeDirectory()
    return [asked, own == asked ? nil : own].compactMap { $0 }
  }

  /// The agent's own environment entries for such a program.
  private static var own: [String] {
    var entries: [String] = []
    var next = sys_environment()
    while let entry = next?.pointee {
      next = next?.successor()
      let text = String(cString: entry)
      if ["HOME=", "USER=", "VAULT_HOME=", "XDG_", "LANG=", "LC_"].contains(where: { text.hasPrefix($0) }) {
        entries.append(text)
      }
    }
    return entries
  }
}
