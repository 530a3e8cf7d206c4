import Glibc
import Synchronization
import VaultConcurrency
import VaultModel

/// Ends the agent on a signal or a client's request, whichever comes first.
final class ShutdownSignal: Sendable {
  private struct State {
    var isRequested = false
    var requester: Requester?
    var action: (@Sendable () -> Void)?
    var onLostSocket: @Sendable () -> Void = {}
  }
  private let state = Mutex(State())

  /// Sets the action for the agent's end; it runs at once if the end was already requested.
  func onRequest(_ action: @escaping @Sendable () -> Void) {
    let now = state.withLock { state in
      state.action = action
      return state.isRequested
    }
    if now { action() }
  }

  /// Sets the action for a client that finds no socket (SIGUSR1).
  func onLostSocket(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.onLostSocket = action } }

  /// - Parameter requester: nil for a signal, and for the agent itself.
  func request(by requester: Requester? = nil) {
    let action = state.withLock { state in
      let first = !state.isRequested
      if first { state.requester = requester }
      state.isRequested = true
      return first ? state.action : nil
    }
    action?()
  }

  /// The requester of the end.
  var requester: Requester? { state.withLock { $0.requester } }

  private static let signals = [SIGTERM, SIGINT, SIGHUP, SIGUSR1]

  /// Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 in this thread and in every one created afterwards. Call it first, on the main
  /// thread.
  static func blockSignals() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in Self.signals { sigaddset(&signals, signal) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  func observeSignals(on loop: EventLoop) {
    loop.onSignals(Self.signals) { [self] in
      if $0 == SIGUSR1 { state.withLock { $0.onLostSocket }() } else { request() }
    }
  }
}
