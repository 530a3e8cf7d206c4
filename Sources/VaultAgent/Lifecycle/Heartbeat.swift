import Synchronization
import VaultConcurrency
import VaultWire

/// Tells waiting clients every few seconds that the agent is alive, however long their requests wait for AWS or for a person. A
/// client that receives nothing knows that the agent was stopped, or is stuck.
///
/// Most requests end long before the first heartbeat and cost nothing: the timer is set at most once in each pause.
final class Heartbeat: Sendable {
  /// Milliseconds. A client gets the first heartbeat after one to two of them, and gives up after many (`AgentClient.timeouts`).
  static let delay: Int64 = 5_000

  private struct State {
    /// The waiting connections, each with the number of timer events since its request began.
    var waiting: [ObjectIdentifier: (connection: ClientConnection, beats: Int)] = [:]
    var isSet = false
  }
  private let state = Mutex(State())
  private let loop: EventLoop

  init(loop: EventLoop) { self.loop = loop }

  func began(_ connection: ClientConnection) {
    state.withLock { state in
      state.waiting[ObjectIdentifier(connection)] = (connection, 0)
      set(&state)
    }
  }

  func ended(_ connection: ClientConnection) { state.withLock { $0.waiting[ObjectIdentifier(connection)] = nil } }

  private func set(_ state: inout State) {
    guard !state.isSet, !state.waiting.isEmpty else { return }
    state.isSet = true
    loop.after(milliseconds: Self.delay) { [self] in beat() }
  }

  private func beat() {
    let waiting = state.withLock { state -> [ClientConnection] in
      var old: [ClientConnection] = []
      for (key, one) in state.waiting {
        if one.beats > 0 { old.append(one.connection) }
        state.waiting[key]?.beats += 1
      }
      state.isSet = false
      set(&state)
      return old
    }
    guard !waiting.isEmpty, let frame = try? WireBuffer.frame(.progress, "") else { return }
    for connection in waiting { connection.beat(frame) }
  }
}
