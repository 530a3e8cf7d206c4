import CSecret
import Glibc
import Synchronization
import VaultConcurrency

/// Listens to the login manager (logind, org.freedesktop.login1(5)) for locked screens, a machine that goes to sleep, and sessions
/// that end.
///
/// It keeps a thread of the pool while it listens, and reconnects if the bus is lost; without a login manager no event ever arrives.
public final class LoginManager: Sendable {
  public enum Event: Sendable, Hashable { case screenLocked, screenUnlocked, suspending, loggedOut }

  private let isOver = Mutex(false)
  /// Seconds before reconnecting to a lost bus.
  private static let delay: UInt32 = 5

  /// - Parameters:
  ///   - address: the system bus's address.
  ///   - onEvent: called on the listening thread.
  public init(address: String, onEvent: @escaping @Sendable (Event) -> Void) {
    let thread = Listening(address: address, onEvent: onEvent, isOver: { [weak self] in self?.isOver.withLock { $0 } ?? true })
    let isBegun = BlockingPool.shared.begin { thread.run() }
    precondition(isBegun, "cannot create a thread")
  }

  deinit { isOver.withLock { $0 = true } }

  /// The listening thread's state, which briefly outlives the manager.
  ///
  /// `@unchecked Sendable`: the constants never change, and the connection belongs to the one thread.
  private final class Listening: @unchecked Sendable {
    let address: String
    let onEvent: @Sendable (Event) -> Void
    let isOver: @Sendable () -> Bool
    var connection: OpaquePointer?

    init(address: String, onEvent: @escaping @Sendable (Event) -> Void, isOver: @escaping @Sendable () -> Bool) {
      self.address = address
      self.onEvent = onEvent
      self.isOver = isOver
    }

    func run() {
      let context = g_main_context_new()
      g_main_context_push_thread_default(context)
      defer {
        g_main_context_pop_thread_default(context)
        g_main_context_unref(context)
      }
      while !isOver() {
        listen(context)
        if !isOver() { sleep(LoginManager.delay) }
      }
    }

    /// Returns when the bus is lost or nobody listens any more.
    private func listen(_ context: OpaquePointer?) {
      guard let bus = vault_bus_connect(address, nil, nil) else { return }
      connection = bus
      defer {
        connection = nil
        g_object_unref(UnsafeMutableRawPointer(bus))
      }
      let me = Unmanaged.passUnretained(self).toOpaque()
      for (interface, member) in [
        ("org.freedesktop.login1.Session", "Lock"), ("org.freedesktop.login1.Session", "Unlock"),
        ("org.freedesktop.DBus.Properties", "PropertiesChanged"), ("org.freedesktop.login1.Manager", "PrepareForSleep"),
        ("org.freedesktop.login1.Manager", "SessionRemoved"),
      ] {
        _ = g_dbus_connection_signal_subscribe(
          bus, LoginManager.name, interface, member, nil, nil, G_DBUS_SIGNAL_FLAGS_NONE,
          { _, _, path, _, member, parameters, me in
            guard let me, let path, let member else { return }
            Unmanaged<Listening>.fromOpaque(me).takeUnretainedValue().heard(
              String(cString: member), path: String(cString: path), parameters: parameters)
          }, me, nil)
      }
      // Wakes at most twice a second, and only while `lock_on` is set, to check whether listening has ended.
      while !isOver(), g_dbus_connection_is_closed(bus) == 0 {
        if g_main_context_iteration(context, 0) == 0 { usleep(500_000) }
      }
    }

    private func heard(_ member: String, path: String, parameters: OpaquePointer?) {
      switch member {
      case "Lock" where isOwn(path): onEvent(.screenLocked)
      case "Unlock" where isOwn(path): onEvent(.screenUnlocked)
      case "PropertiesChanged":
        guard let hint = lockedHint(parameters), isOwn(path) else { return }
        onEvent(hint ? .screenLocked : .screenUnlocked)
      case "PrepareForSleep": if flag(parameters, 0) == true { onEvent(.suspending) }
      case "SessionRemoved": if !hasSession() { onEvent(.loggedOut) }
      default: break
      }
    }

    /// `LockedHint`, which is set by desktops that lock their screen themselves.
    private func lockedHint(_ parameters: OpaquePointer?) -> Bool? {
      guard let changed = vault_variant_child(parameters, 1) else { return nil }
      defer { g_variant_unref(changed) }
      guard let value = g_variant_lookup_value(changed, "LockedHint", nil) else { return nil }
      defer { g_variant_unref(value) }
      return vault_variant_flag(value) == 1
    }

    private func flag(_ parameters: OpaquePointer?, _ index: Int) -> Bool? {
      guard let child = vault_variant_child(parameters, gsize(index)) else { return nil }
      defer { g_variant_unref(child) }
      let flag = vault_variant_flag(child)
      return flag < 0 ? nil : flag == 1
    }

    /// Whether a session is this user's, as the login manager reports it.
    private func isOwn(_ path: String) -> Bool { vault_login_session_uid(connection, path) == Int64(geteuid()) }

    private func hasSession() -> Bool { vault_login_has_session(connection, geteuid()) != 0 }
  }

  private static let name = "org.freedesktop.login1"
}
