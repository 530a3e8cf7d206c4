import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultWire

/// One client at the agent's socket.
///
/// The listener reads, tasks write, and the connection ends after the response to its one request. The descriptor is closed with
/// the last reference and not before, so that its number is never reused for another connection; until then, an ended connection is
/// only shut down.
final class ClientConnection: Sendable {
  private struct State {
    var answer: CheckedContinuation<Message, any Error>?
    var task: Task<Void, Never>?
    var isOpen = true
    var isWatched = false
    /// A process that sent something here and is not the peer.
    var stranger: Int32?
    /// The kernel named the sender of everything received.
    var namesSenders = true
  }
  private let descriptor: Int32
  private let state = Mutex(State())
  /// Keeps the frames of two threads apart.
  private let sending = Mutex(())
  /// The peer, as the kernel reports it.
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

  /// The ID of a process that sent something here and is not the one that connected.
  var stranger: Int32? { state.withLock { $0.stranger } }

  var namesSenders: Bool { state.withLock { $0.namesSenders } }

  /// Whether the other end is closed.
  var isHungUp: Bool {
    var end = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&end, 1, 0) > 0
  }

  var isOpen: Bool { state.withLock { $0.isOpen } }
  /// Whether the listener polls it.
  var isWatched: Bool { state.withLock { $0.isWatched } }

  /// - Returns: false if the connection has ended, and nobody needs to watch it.
  func beginWatch() -> Bool {
    state.withLock { state in
      state.isWatched = state.isOpen
      return state.isOpen
    }
  }

  /// Sends a frame. A peer that does not read its response is disconnected.
  ///
  /// - Throws: ``WireError/closed`` if the peer has gone.
  func send(_ frame: WireBuffer) throws(WireError) {
    guard isOpen else { throw .closed }
    guard put(frame) else {
      close()
      throw .closed
    }
  }

  /// Seconds for which an entry of a long result waits for its reader.
  private static let patience: Int64 = 10

  /// Sends one entry of a long result, once the peer has read most of those before it.
  ///
  /// - Throws: ``WireError/closed`` if the peer has gone, or reads nothing for too long.
  func send(entry: some FieldValue, _ clock: any WallClock) async throws {
    let frame = try WireBuffer.frame(.entry, entry)
    let end = clock.now().adding(seconds: Self.patience)
    // The kernel says that there is room once three quarters of the buffer are free (unix_writable), which is more than any entry needs.
    while !hasRoom {
      guard isOpen, clock.now() < end else {
        close()
        throw WireError.closed
      }
      try await clock.sleep(until: clock.now().adding(milliseconds: 5))
    }
    try send(frame)
  }

  private var hasRoom: Bool {
    var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&room, 1, 0) > 0
  }

  private func put(_ frame: WireBuffer) -> Bool {
    let sent = sending.withLock { _ in
      frame.withBytes { Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }
    return sent == frame.count
  }

  /// Tells a waiting client that the agent is alive. A client that is being asked, or that has unread frames, needs no heartbeat.
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

  /// Handles a message: an answer resumes the waiting question; a request, of which there is one at a time, is passed to `handle`.
  ///
  /// - Returns: false if the message is not valid at this point.
  func receive(
    _ message: Message, on executor: any TaskExecutor, handle: @escaping @Sendable (ClientConnection, Message) async -> Void
  )
    -> Bool
  {
    if message.kind == .answer {
      // A person's question must be answered by the requester itself.
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
      state.task = Task(executorPreference: executor) {
        await handle(self, message)
        self.finish()
      }
      return true
    }
  }

  /// The response has been sent.
  private func finish() {
    let mustTell = state.withLock { state in
      defer { state.isOpen = false }
      state.task = nil
      return state.isOpen && state.isWatched
    }
    // The listener notices the end, and closes the connection.
    if mustTell { sys_end_connection(descriptor) }
  }

  /// Reads the available bytes into `buffer`.
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

  /// The peer has gone, or must be disconnected: work for it alone is cancelled.
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
