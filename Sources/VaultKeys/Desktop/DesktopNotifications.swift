import CSecret
import Synchronization
import VaultConcurrency
import VaultModel
import VaultSecrets

/// Notifications on a desktop (Desktop Notifications Specification 1.2), with at most one button each.
///
/// No program is started, and no thread waits for a button: GLib's own thread, which reads the connection, hands on the press. A
/// service that is missing or hangs costs ``limit`` seconds of the caller's thread.
public final class DesktopNotifications: Sendable {
  /// A button. It works once.
  public struct Button: Sendable {
    let label: String
    let press: @Sendable () -> Void

    public init(_ label: String, press: @escaping @Sendable () -> Void) { (self.label, self.press) = (label, press) }
  }

  /// Seconds for all calls of one notification.
  private static let limit = 3
  /// At most this many wait to be pressed; a notification that is shown while so many wait has no button.
  private static let maxButtons = 256
  private let connection = Mutex<Connection?>(nil)
  private let buttons = Buttons()

  public init() {}

  /// Shows a notification. Blocks the thread.
  ///
  /// - Parameters:
  ///   - address: the bus's.
  ///   - replaced: the number of the notification in whose place it is shown; 0 for none.
  ///   - button: left out if the service shows none.
  /// - Returns: its number; nil if nothing was shown.
  public func show(
    _ title: String, text: String, button: Button? = nil, replacing replaced: UInt32 = 0, on address: String
  ) -> UInt32? {
    Deadline.within(seconds: Self.limit) { (deadline) throws(Never) -> UInt32? in
      guard let bus = connect(address, deadline) else { return nil }
      guard let list = vault_notifications_capabilities(bus.pointer, deadline.cancellable, nil) else { return nil }
      defer { g_strfreev(list) }
      func has(_ capability: String) -> Bool { vault_notifications_can(list, capability) != 0 }
      let key = has("actions") ? button.flatMap { buttons.add($0, to: bus, deadline) } : nil
      let body = has("body-markup") ? Self.escaped(text) : text
      let number = vault_notifications_show(
        bus.pointer, replaced, title, body, key, button?.label, deadline.cancellable, nil)
      guard number == 0 else { return number }
      if let key { buttons.remove(key) }
      return nil
    }
  }

  /// Takes notifications away, and forgets all buttons. Does not wait.
  public func close(_ numbers: [UInt32]) {
    buttons.removeAll()
    guard let bus = connection.withLock({ $0 }) else { return }
    for number in numbers { vault_notifications_close(bus.pointer, number) }
  }

  /// The markup is a subset of XML (section "Markup").
  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
  }

  private func connect(_ address: String, _ deadline: Deadline) -> Connection? {
    if let known = connection.withLock({ $0 }), known.address == address, known.isOpen { return known }
    guard SessionBus.fault(of: address) == nil, let new = Connection(address, within: deadline, buttons: buttons) else {
      return nil
    }
    connection.withLock { $0 = new }
    return new
  }

  /// The buttons that can be pressed, each under a key that only the service was told: who does not know it presses none.
  private final class Buttons: Sendable {
    private let all = Mutex<[String: Button]>([:])

    func add(_ button: Button, to bus: Connection, _ deadline: Deadline) -> String? {
      guard bus.subscribe(deadline) else { return nil }
      let key = "vault-" + SecretHex.encoded(.random(count: 16)).withBytes { String(decoding: $0, as: UTF8.self) }
      return all.withLock { all in
        guard all.count < DesktopNotifications.maxButtons else { return nil }
        all[key] = button
        return key
      }
    }

    func remove(_ key: String) { all.withLock { $0[key] = nil } }
    func removeAll() { all.withLock { $0.removeAll() } }
    func press(_ key: String) { all.withLock { $0.removeValue(forKey: key) }?.press() }
  }

  /// A connection of its own, kept for the buttons.
  ///
  /// `@unchecked Sendable`: the pointer never changes, and GDBusConnection may be used from any thread (GIO, "GDBusConnection").
  private final class Connection: @unchecked Sendable {
    let address: String
    let pointer: OpaquePointer
    private let isSubscribed = Atomic(false)

    init?(_ address: String, within deadline: Deadline, buttons: Buttons) {
      // Where GLib would report the connection's end; nobody needs to hear it.
      let context = g_main_context_new()
      g_main_context_push_thread_default(context)
      defer {
        g_main_context_pop_thread_default(context)
        g_main_context_unref(context)
      }
      guard let pointer = vault_bus_connect(address, deadline.cancellable, nil) else { return nil }
      (self.address, self.pointer) = (address, pointer)
      // Runs on GLib's thread, which must not wait. GLib lets go of the buttons with the connection.
      _ = g_dbus_connection_add_filter(
        pointer,
        { _, message, isIncoming, context in
          if isIncoming != 0, let message, let context, let key = vault_notifications_pressed(message) {
            Unmanaged<Buttons>.fromOpaque(context).takeUnretainedValue().press(String(cString: key))
          }
          return message
        }, Unmanaged.passRetained(buttons).toOpaque(),
        { context in if let context { Unmanaged<Buttons>.fromOpaque(context).release() } })
    }

    deinit { g_object_unref(UnsafeMutableRawPointer(pointer)) }

    var isOpen: Bool { g_dbus_connection_is_closed(pointer) == 0 }

    func subscribe(_ deadline: Deadline) -> Bool {
      if isSubscribed.load(ordering: .relaxed) { return true }
      let isDone = vault_notifications_subscribe(pointer, deadline.cancellable, nil) != 0
      if isDone { isSubscribed.store(true, ordering: .relaxed) }
      return isDone
    }
  }
}
