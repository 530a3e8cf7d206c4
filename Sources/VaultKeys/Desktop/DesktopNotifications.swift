import CSecret
import Glibc
import Synchronization
import VaultConcurrency
import VaultModel
import VaultSecrets

/// Notifications on a desktop (Desktop Notifications Specification 1.2), with or without buttons.
///
/// No program is started, and no thread waits for a button: GLib's own thread, which reads the connection, hands on the press. A
/// service that is missing or hangs costs ``limit`` seconds of the caller's thread.
public final class DesktopNotifications: Sendable {
  /// A button. One button of a notification works once, and then none of them.
  public struct Button: Sendable {
    let label: String
    let press: @Sendable () -> Void

    public init(_ label: String, press: @escaping @Sendable () -> Void) { (self.label, self.press) = (label, press) }
  }

  /// A notification that waits for the press of one of its buttons.
  public struct Question: Sendable {
    fileprivate let number: UInt32
    /// The process that shows it, by its name on the bus.
    fileprivate let service: String
    fileprivate let address: String
    fileprivate let keys: [String]
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
    put(title, text: text, buttons: button.map { [$0] } ?? [], isQuestion: false, replacing: replaced, on: address)?.number
  }

  /// Shows a question, which stays until it is answered or taken away. Blocks the thread.
  ///
  /// - Parameter mayShow: whether a process may show it: asked of that of the bus, and of that of the service.
  /// - Returns: nil if nothing was shown, also by a service that shows no buttons.
  public func ask(
    _ title: String, text: String, buttons: [Button], on address: String, mayShow: @escaping (Int32) -> Bool = { _ in true }
  ) -> Question? {
    put(title, text: text, buttons: buttons, isQuestion: true, replacing: 0, on: address, mayShow: mayShow)
  }

  /// Whether the process that shows a question still runs, and answers. Blocks the thread.
  public func isShowing(_ question: Question) -> Bool {
    Deadline.within(seconds: Self.limit) { (deadline) throws(Never) -> Bool in
      // The connection itself belongs to the question: its signals come over no other.
      guard let bus = connection.withLock({ $0 }), bus.address == question.address, bus.isOpen,
        let list = vault_notifications_capabilities(bus.pointer, question.service, deadline.cancellable, nil)
      else { return false }
      g_strfreev(list)
      return true
    }
  }

  /// Takes a question away. Does not wait.
  public func close(_ question: Question) {
    buttons.remove(question.keys)
    guard let bus = connection.withLock({ $0 }), bus.address == question.address else { return }
    vault_notifications_close(bus.pointer, question.number)
  }

  private func put(
    _ title: String, text: String, buttons shown: [Button], isQuestion: Bool, replacing replaced: UInt32, on address: String,
    mayShow: ((Int32) -> Bool)? = nil
  ) -> Question? {
    Deadline.within(seconds: Self.limit) { (deadline) throws(Never) -> Question? in
      guard let bus = connect(address, deadline),
        let list = vault_notifications_capabilities(bus.pointer, nil, deadline.cancellable, nil)
      else { return nil }
      defer { g_strfreev(list) }
      func has(_ capability: String) -> Bool { vault_notifications_can(list, capability) != 0 }
      guard let service = vault_notifications_service(bus.pointer, deadline.cancellable, nil) else { return nil }
      defer { g_free(service) }
      if let mayShow {
        let processes = [
          vault_bus_process(bus.pointer), vault_notifications_process(bus.pointer, service, deadline.cancellable, nil),
        ]
        guard processes.allSatisfy(mayShow) else { return nil }
      }
      let keys = has("actions") ? buttons.add(shown, to: bus, deadline) : []
      guard !isQuestion || keys.count == shown.count else { return nil }
      let body = has("body-markup") ? Self.escaped(text) : text
      var words = zip(keys, shown).flatMap { [strdup($0), strdup($1.label)] } + [nil]
      defer { for word in words { free(word) } }
      let number = words.withUnsafeMutableBufferPointer { words in
        words.withMemoryRebound(to: UnsafePointer<CChar>?.self) {
          vault_notifications_show(
            bus.pointer, service, replaced, title, body, $0.baseAddress, isQuestion ? 1 : 0, deadline.cancellable, nil)
        }
      }
      guard number != 0 else {
        buttons.remove(keys)
        return nil
      }
      return Question(number: number, service: String(cString: service), address: address, keys: keys)
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
    /// Each with the keys of all buttons of its notification.
    private let all = Mutex<[String: (button: Button, keys: [String])]>([:])

    /// - Returns: a key for each; none if there is no room, or presses would not be heard.
    func add(_ buttons: [Button], to bus: Connection, _ deadline: Deadline) -> [String] {
      guard !buttons.isEmpty, bus.subscribe(deadline) else { return [] }
      let keys = buttons.map { _ in
        "vault-" + SecretHex.encoded(.random(count: 16)).withBytes { String(decoding: $0, as: UTF8.self) }
      }
      return all.withLock { all in
        guard all.count + keys.count <= DesktopNotifications.maxButtons else { return [] }
        for (key, button) in zip(keys, buttons) { all[key] = (button, keys) }
        return keys
      }
    }

    func remove(_ keys: [String]) { all.withLock { all in for key in keys { all[key] = nil } } }
    func removeAll() { all.withLock { $0.removeAll() } }
    func press(_ key: String) {
      let pressed = all.withLock { all in
        let pressed = all[key]
        for key in pressed?.keys ?? [] { all[key] = nil }
        return pressed?.button
      }
      pressed?.press()
    }
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
