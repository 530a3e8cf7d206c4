import CSecret

/// Waits for the end of a prompt that the Secret Service shows to the user.
///
/// libsecret can wait too, but it distinguishes a dismissed prompt from an answered one only by the accompanying result, and it
/// keeps waiting for the service after a cancellation, so a service that hangs would hang its caller.
final class PromptWait {
  enum Outcome { case done, dismissed, serviceGone, unanswered }

  private let connection: OpaquePointer
  private let loop: OpaquePointer
  private var outcome: Outcome?
  private var signal: guint = 0
  private var watch: guint = 0
  private var deadline: UnsafeMutablePointer<GSource>?

  /// Starts listening. Ask for the prompt only after this, so that even an immediate answer is received.
  ///
  /// - Parameter context: the thread's own, where signals arrive. Only ``run()`` dispatches them.
  init(
    service: UnsafeMutablePointer<SecretService>, path: String, context: OpaquePointer,
    cancellable: UnsafeMutablePointer<GCancellable>
  ) {
    connection = vault_secret_connection(service)
    loop = g_main_loop_new(context, 0)
    let me = Unmanaged.passUnretained(self).toOpaque()
    signal = g_dbus_connection_signal_subscribe(
      connection, vault_secret_bus_name(service), "org.freedesktop.Secret.Prompt", "Completed", path, nil,
      G_DBUS_SIGNAL_FLAGS_NONE,
      { _, _, _, _, _, parameters, data in
        PromptWait.end(data, vault_secret_prompt_was_dismissed(parameters) != 0 ? .dismissed : .done)
      }, me, nil)
    watch = g_bus_watch_name_on_connection(
      connection, vault_secret_bus_name(service), G_BUS_NAME_WATCHER_FLAGS_NONE, nil,
      { _, _, data in PromptWait.end(data, .serviceGone) }, me, nil)
    deadline = vault_when_cancelled(
      cancellable, context,
      { _, data in
        PromptWait.end(data, .unanswered)
        return 0
      }, me)
  }

  deinit {
    g_dbus_connection_signal_unsubscribe(connection, signal)
    g_bus_unwatch_name(watch)
    g_source_destroy(deadline)
    g_source_unref(deadline)
    g_main_loop_unref(loop)
  }

  /// Returns when the prompt or the service has ended, or the deadline has passed.
  func run() -> Outcome {
    while outcome == nil { g_main_loop_run(loop) }
    return outcome ?? .unanswered
  }

  private static func end(_ data: gpointer?, _ outcome: Outcome) {
    guard let data else { return }
    let wait = Unmanaged<PromptWait>.fromOpaque(data).takeUnretainedValue()
    if wait.outcome == nil { wait.outcome = outcome }
    g_main_loop_quit(wait.loop)
  }
}
