import CSecret

/// The user's service manager: systemd's, on the session bus (org.freedesktop.systemd1(5)).
public enum UserManager {
  /// Seconds for the connection and the call.
  private static let limit = 3

  /// Asks for a process to be put in a control group of its own, with all that it starts from then on. Blocks the thread.
  ///
  /// The manager moves the process after it has answered.
  ///
  /// - Parameters:
  ///   - unit: the name of the scope unit.
  ///   - address: the bus's.
  /// - Returns: false if there is no manager on that bus, or if it refused.
  public static func startScope(_ unit: String, description: String, process: Int32, on address: String) -> Bool {
    guard SessionBus.fault(of: address) == nil else { return false }
    return Deadline.within(seconds: limit) { (deadline) throws(Never) -> Bool in
      // Where GLib would report the connection's end; nobody needs to hear it.
      let context = g_main_context_new()
      g_main_context_push_thread_default(context)
      defer {
        g_main_context_pop_thread_default(context)
        g_main_context_unref(context)
      }
      guard let bus = vault_bus_connect(address, deadline.cancellable, nil) else { return false }
      defer { g_object_unref(UnsafeMutableRawPointer(bus)) }
      return vault_units_start_scope(bus, unit, description, UInt32(bitPattern: process), deadline.cancellable) == 1
    }
  }
}
