import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultWire

/// One client at the agent's socket.
///
/// The gate reads, tasks write, and after the answer to its one request it is over. The descriptor is closed with the last reference and
/// not before, so that its number is never another connection's; until then a connection that is over is only shut down.
final class ClientConnection: Sendable {
  private struct State {
    var answer: CheckedContinuation<Message, any Error>?
    var task: Task<Void, Never>?
    var isOpen = true
    var isWatched = false
    /// Who sent something here and is not the peer.
    var stranger: Int32?
    /// The kernel said of all that came who sent it.
    var namesSenders = true
  }
  private let descriptor: Int32
  private let state = Mutex(State())
  /// Frames of two threads are not to run into each other.
  private let sending = Mutex(())
  /// The peer, by the kernel's word.
  let pid: Int32
  let uid: UInt32

  init(descriptor: Int32, pid: Int32, uid: UInt32) {
    self.descriptor = descriptor
    self.pid = pid
    self.uid = uid
  }

  deinit { Glibc.close(descriptor) }

  /// A descriptor of the very process that connected, which the caller closes; `SYS_GONE` or `SYS_UNKNOWN`.
  func peerProcess() -> Int32 { sys_peer_process(descriptor, pid) }

  /// The number of a process that sent something here and is not the one that connected.
  var stranger: Int32? { state.withLock { $0.stranger } }

  var namesSenders: Bool { state.withLock { $0.namesSenders } }

  /// Whether nobody has the other end any more.
  var isHungUp: Bool {
    var end = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&end, 1, 0) > 0
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
    guard put(frame) else {
      close()
      throw .closed
    }
  }

  private func put(_ frame: WireBuffer) -> Bool {
    let sent = sending.withLock { _ in
      frame.withBytes { Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }
    return sent == frame.count
  }

  /// Tells a client that waits that the agent lives. One that is asked itself, or that has not read what it was told, needs no word.
  func beat(_ frame: WireBuffer) {
    guard state.withLock({ $0.isOpen && $0.task != nil && $0.answer == nil }), sys_unread(descriptor) == 0 else { return }
    _ = put(frame)
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
  func take(_ message: Message, on lane: any TaskExecutor, handle: @escaping @Sendable (ClientConnection, Message) async -> Void)
    -> Bool
  {
    if message.kind == .answer {
      // What a person was asked, the asker itself answers.
      guard stranger == nil else { return false }
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
    if mustTell { sys_end_connection(descriptor) }
  }

  /// Reads what is there into `buffer`.
  ///
  /// - Returns: the number of bytes; 0 at the end, -1 with `errno` as `read(2)`.
  func read(into buffer: WireBuffer, atMost length: Int) -> Int {
    var sender: Int32 = 0
    let got = buffer.fill(length) { sys_receive(descriptor, $0.baseAddress!, $0.count, &sender) }
    if got > 0, sender != pid {
      state.withLock { if sender == SYS_UNKNOWN { $0.namesSenders = false } else { $0.stranger = sender } }
    }
    return got
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
    sys_end_connection(descriptor)
    waiting?.resume(throwing: WireError.closed)
    task?.cancel()
  }
}
