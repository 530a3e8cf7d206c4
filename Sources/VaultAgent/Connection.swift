import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultWire

/// One client at the agent's socket.
///
/// The gate reads, tasks write, and after the answer to its one request it is over. The descriptor is closed with the last reference and
/// not before, so that its number is never another connection's; until then a connection that is over is only shut down.
final class Connection: Sendable {
  private struct State {
    var answer: CheckedContinuation<Message, any Error>?
    var task: Task<Void, Never>?
    var isOpen = true
    var isWatched = false
  }
  private let descriptor: Int32
  private let state = Mutex(State())
  /// The peer, by the kernel's word.
  let pid: Int32
  let uid: UInt32

  init(descriptor: Int32, pid: Int32, uid: UInt32) {
    self.descriptor = descriptor
    self.pid = pid
    self.uid = uid
  }

  deinit { Glibc.close(descriptor) }

  /// The peer's parent, where the kernel tells it of a socket: that costs a seventh of what `/proc/PID/stat` does.
  var parent: Int32? {
    let parent = sys_peer_parent(descriptor)
    return parent >= 0 ? parent : nil
  }

  var isOpen: Bool { state.withLock { $0.isOpen } }
  /// Whether the gate is told of what comes.
  var isWatched: Bool { state.withLock { $0.isWatched } }

  /// - Returns: false where the connection is over, and nobody needs to watch it.
  func beginWatch() -> Bool {
    state.withLock { state in
      state.isWatched = state.isOpen
      return state.isOpen
    }
  }

  /// Sends a frame. A peer that does not read what it asked for is let go.
  ///
  /// - Throws: ``WireError/closed`` where the peer has gone.
  func send(_ frame: WireBuffer) throws(WireError) {
    guard isOpen else { throw .closed }
    let sent = frame.withBytes { Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    guard sent == frame.count else {
      close()
      throw .closed
    }
  }

  /// Puts a question to the person and waits for the answer.
  func ask(_ prompt: WireBuffer) async throws -> Message {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Message, any Error>) in
        let refused = state.withLock { state in
          guard state.isOpen, state.answer == nil else { return true }
          state.answer = continuation
          return false
        }
        if refused {
          continuation.resume(throwing: WireError.closed)
          return
        }
        do { try send(prompt) } catch { giveUpWaiting(WireError.closed) }
      }
    } onCancel: {
      giveUpWaiting(CancellationError())
    }
  }

  private func giveUpWaiting(_ error: any Error) {
    let waiting = state.withLock { state in
      defer { state.answer = nil }
      return state.answer
    }
    waiting?.resume(throwing: error)
  }

  /// A message came: an answer wakes who asked; a request, of which there is one at a time, is handed to `handle`.
  ///
  /// - Returns: false where the message has no place in the conversation.
  func take(_ message: Message, on lane: any TaskExecutor, handle: @escaping @Sendable (Connection, Message) async -> Void)
    -> Bool
  {
    if message.kind == .answer {
      let waiting = state.withLock { state in
        defer { state.answer = nil }
        return state.answer
      }
      waiting?.resume(returning: message)
      return waiting != nil
    }
    return state.withLock { state in
      guard state.task == nil, state.isOpen else { return false }
      state.task = Task(executorPreference: lane) {
        await handle(self, message)
        self.finish()
      }
      return true
    }
  }

  /// The answer has gone.
  private func finish() {
    let mustTell = state.withLock { state in
      defer { state.isOpen = false }
      state.task = nil
      return state.isOpen && state.isWatched
    }
    // The gate sees the end, and lets go.
    if mustTell { shutdown(descriptor, Int32(SHUT_RDWR)) }
  }

  /// Reads what is there into `buffer`.
  ///
  /// - Returns: the number of bytes; 0 at the end, -1 with `errno` as `read(2)`.
  func read(into buffer: WireBuffer, atMost length: Int) -> Int {
    buffer.fill(length) { Glibc.read(descriptor, $0.baseAddress!, $0.count) }
  }

  /// The peer has gone, or must: whatever was being done for it alone is cancelled.
  func close() {
    let (waiting, task) = state.withLock { state in
      defer {
        state.isOpen = false
        state.answer = nil
        state.task = nil
      }
      return (state.answer, state.task)
    }
    shutdown(descriptor, Int32(SHUT_RDWR))
    waiting?.resume(throwing: WireError.closed)
    task?.cancel()
  }
}
