import CSystem
import Synchronization
import VaultKeys
import VaultModel
import VaultSecrets
import VaultWire

/// What belongs to a person's session at this machine and not to the agent, which may have been started by cron, over SSH or before the
/// desktop was there: the session bus and the display, as the latest asker has them who has any.
final class PersonSession: Sendable {
  private struct State {
    /// The fields of the last request, which mostly are those of the next.
    var fields: [UInt8] = []
    var bus: String?
    /// Entries for a program that shows something to the person.
    var desktop: SecretBytes?
  }
  private let state = Mutex(State())

  /// Takes what a request says.
  func take(_ message: Message) {
    guard message.has(.session), !state.withLock({ message.holds($0.fields, in: .session) }) else { return }
    let entries = message.texts(.session).filter { !$0.utf8.contains(0) }
    func value(_ name: String) -> String? {
      entries.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.utf8.count + 1)) }.flatMap {
        $0.isEmpty ? nil : $0
      }
    }
    let bus = value("DBUS_SESSION_BUS_ADDRESS")
    let hasDesktop = value("DISPLAY") != nil || value("WAYLAND_DISPLAY") != nil
    let desktop = hasDesktop ? SecretBytes((entries + Self.own).map { $0 + "\0" }.joined()) : nil
    state.withLock { state in
      state.fields = entries.flatMap { Array($0.utf8) + [0] }
      if let bus { state.bus = bus }
      if let desktop { state.desktop = desktop }
    }
  }

  /// The environment of a desktop on which somebody can be told something; nil where nobody has asked from one.
  var desktop: SecretBytes? { state.withLock { $0.desktop } }

  /// Where a keyring may be: on the bus of the latest asker who named one, else on the one that this login has by itself.
  var buses: [String] {
    let asked = state.withLock { $0.bus }
    let own = SessionBus.address()
    return [asked, own == asked ? nil : own].compactMap { $0 }
  }

  /// What the agent itself has for such a program.
  private static var own: [String] {
    var entries: [String] = []
    var next = sys_environment()
    while let entry = next?.pointee {
      next = next?.successor()
      let text = String(cString: entry)
      if ["HOME=", "XDG_RUNTIME_DIR=", "LANG=", "LC_"].contains(where: { text.hasPrefix($0) }) { entries.append(text) }
    }
    return entries
  }
}
