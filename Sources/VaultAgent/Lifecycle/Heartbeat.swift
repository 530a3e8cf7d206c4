import CSystem
import Synchronization
import VaultConcurrency
import VaultWire

/// Tells waiting clients every few seconds that the agent is alive. It has its own thread, so it works even while the lane is busy
/// or a person takes their time. A client that receives nothing knows that the agent was stopped.
///
/// Most requests end long before the first heartbeat and cost nothing: the timer is set at most once in each pause.
final class Heartbeat: Sendable {
  /// Milliseconds. A client gets the first heartbeat after one to two of them, and gives up after many (`AgentClient.timeouts`).
  static let pause: Int64 = 5_000

  private struct State {
    /// The waiting connections, each with the number of timer events since its request began.
    var waiting: [ObjectIdentifier: (connection: ClientConnection, beats: Int)] = [:]
    var isSet = false
  }
  private let state = Mutex(State())
  private let timer: Int32

  init() throws(AgentError) {
    timer = sys_timer_create()
    guard timer >= 0 else { throw .system(what: "make a timer", code: sys_errno()) }
    // It lives as long as the agent.
    _ = BlockingPool.shared.begin { [self] in run() }
  }

  func began(_ connection: ClientConnection) {
    state.withLock { state in
      state.waiting[ObjectIdentifier(connection)] = (connection, 0)
      if !state.isSet { state.isSet = sys_timer_set(timer, Self.pause) == 0 }
    }
  }

  func ended(_ connection: ClientConnection) { state.withLock { $0.waiting[ObjectIdentifier(connection)] = nil } }

  private func run() {
    while sys_alarm_wait(timer) == 0 {
      let waiting = state.withLock { state -> [ClientConnection] in
        var old: [ClientConnection] = []
        for (key, one) in state.waiting {
          if one.beats > 0 { old.append(one.connection) }
          state.waiting[key]?.beats += 1
        }
        state.isSet = !state.waiting.isEmpty && sys_timer_set(timer, Self.pause) == 0
        return old
      }
      guard !waiting.isEmpty, let frame = try? MessageWriter(.progress).frame() else { continue }
      for connection in waiting { connection.beat(frame) }
    }
  }
}
