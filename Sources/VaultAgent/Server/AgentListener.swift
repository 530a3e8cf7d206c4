import CSystem
import Glibc
import Synchronization
import VaultConcurrency
import VaultDatabase
import VaultModel
import VaultStore
import VaultWire

/// The agent's only entrance: a Unix socket that accepts only connections of the agent's own user.
///
/// The lane polls it when idle, so one thread reads, answers and closes a request without a wake-up. Only clients wake the lane
/// here; while a frame is awaited, it also checks the timeout once per second. Idle connections keep nobody out: they have a
/// timeout, and beyond a maximum number the oldest is closed.
///
/// `@unchecked Sendable`: only the lane's thread touches mutable state, except `isStopping`, which has a lock.
final class AgentListener: EventSource, @unchecked Sendable {
  /// Timeout of a frame in seconds, from its first byte to its last; for the first frame, from the connection on.
  static let frameDeadline: Int64 = 10
  /// Maximum number of connections that have not sent a request yet.
  static let maxSilentConnections = 256
  /// Maximum number of connections; more wait in the socket's queue.
  static let maxConnections = 1_000
  private static let maxEvents = 64

  private var listener: Int32
  private let poller: Int32
  private let wakeUp: Int32
  private let path: String
  /// A service manager removes its own socket.
  private var isInherited: Bool
  /// Identifies the socket's file, in order to detect a replacement.
  private var file: UInt64?
  private let mustListenAgain = Mutex(false)
  /// The executor on which requests run.
  private let lane: StoreExecutor
  private let handle: @Sendable (ClientConnection, Message) async -> Void
  private let isStopping = Mutex(false)

  private var clients: [Int32: Client] = [:]
  /// The newest connections: one that is answered at once is closed without having been watched.
  private var newcomers: [Int32] = []
  private var isListening = true
  /// There was no descriptor left for a connection, and none to close.
  private var isExhausted = false
  /// The number of connections so far.
  private var count = 0
  private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: maxEvents)
  private var ended: CheckedContinuation<Void, Never>?

  /// Listens at `path`, replacing a socket that a dead agent left, or on the socket that a service manager passed. Call it under
  /// the agent's lock.
  init(path: String, lane: StoreExecutor, handle: @escaping @Sendable (ClientConnection, Message) async -> Void)
    throws(AgentError)
  {
    let heartbeat = try Heartbeat()
    let inherited = sys_inherited_listener()
    isInherited = inherited >= 0
    if !isInherited {
      var status = stat()
      if lstat(path, &status) == 0 {
        guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == geteuid() else { throw .foreignSocket(path: path) }
        // An agent of another vault that has the same runtime folder. A killed agent still accepts connections for a moment.
        var turns = 0
        while Channel.connect(to: path) != nil {
          turns += 1
          guard turns < 100 else { throw .socketTaken(path: path) }
          usleep(10_000)
        }
        unlink(path)
      }
    }
    listener = isInherited ? inherited : sys_unix_listen(path, 512)
    guard listener >= 0 else { throw .system(what: "listen at \(path)", code: sys_errno()) }
    poller = epoll_create1(Int32(EPOLL_CLOEXEC))
    wakeUp = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    guard poller >= 0, wakeUp >= 0 else { throw .system(what: "make an epoll descriptor", code: sys_errno()) }
    self.path = path
    self.lane = lane
    self.handle = { connection, message in
      heartbeat.began(connection)
      await handle(connection, message)
      heartbeat.ended(connection)
    }
    file = Self.file(path)
    watch(listener)
    watch(wakeUp)
  }

  deinit {
    close(listener)
    close(poller)
    close(wakeUp)
    events.deallocate()
  }

  private func watch(_ descriptor: Int32) {
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    event.data.fd = descriptor
    epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event)
  }

  private func forget(_ descriptor: Int32) { epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, nil) }

  private struct Client {
    let connection: ClientConnection
    var reader = FrameReader()
    /// Its position in the order of connections.
    let number: Int
    /// Monotonic time in seconds since which a frame is awaited: the first one since the connection, another since its first byte;
    /// 0 between frames.
    var awaitedSince: Int64
    var hasAsked = false
  }

  // MARK: life cycle

  /// Serves until ``stop()``. The socket's file is removed first, so that new clients start a new agent; open connections are
  /// closed last. Call it on the lane.
  func run() async {
    await withCheckedContinuation { continuation in
      ended = continuation
      lane.wait(in: self)
    }
  }

  /// Ends ``run()``, from any thread.
  func stop() {
    isStopping.withLock { $0 = true }
    interrupt()
  }

  func interrupt() {
    var one: UInt64 = 1
    var attempts = 0
    // A lane that is not woken sleeps for good, and everybody waits for it. A full counter (EAGAIN) wakes it as well.
    while write(wakeUp, &one, 8) != 8, errno != EAGAIN, attempts < 3 { attempts += 1 }
  }

  private func end() {
    lane.wait(in: nil)
    if !isInherited { unlink(path) }
    for descriptor in Array(clients.keys) { drop(descriptor) }
    ended?.resume()
    ended = nil
  }

  /// Makes sure that the socket is where clients look for it: a logout or a cleaner of temporary files may have removed it. Can be
  /// called from any thread.
  func listenAgain() {
    mustListenAgain.withLock { $0 = true }
    interrupt()
  }

  private func replaceListener() {
    if let file, Self.file(path) == file { return }
    do {
      try PrivateDirectory.ensure(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    } catch {
      return AgentLog.write("the socket cannot be made again: \(error.message)")
    }
    // A socket there that accepts connections belongs to another process.
    if Channel.connect(to: path) == nil { unlink(path) }
    let next = sys_unix_listen(path, 512)
    guard next >= 0 else { return AgentLog.write("the socket cannot be made again at \(path) (errno \(sys_errno()))") }
    if isListening { forget(listener) }
    close(listener)
    listener = next
    isInherited = false
    file = Self.file(path)
    if isListening { watch(listener) }
    AgentLog.write("the socket was gone, and is made again at \(path)")
  }

  private static func file(_ path: String) -> UInt64? {
    var status = stat()
    return lstat(path, &status) == 0 ? UInt64(status.st_ino) : nil
  }

  // MARK: events

  func watch(mayWait: Bool) {
    resolveNewcomers()
    let isAwaiting = clients.values.contains { $0.awaitedSince > 0 }
    let ready = epoll_wait(poller, events, Int32(Self.maxEvents), !mayWait ? 0 : isAwaiting || isExhausted ? 1_000 : -1)
    isExhausted = false
    for event in UnsafeBufferPointer(start: events, count: max(0, Int(ready))) {
      switch event.data.fd {
      case listener: acceptAll()
      case wakeUp:
        var count: UInt64 = 0
        _ = read(wakeUp, &count, 8)
      case let descriptor: serve(descriptor)
      }
    }
    if isAwaiting { dropSlow() }
    if isListening != (clients.count < Self.maxConnections && !isExhausted) {
      isListening.toggle()
      if isListening { watch(listener) } else { forget(listener) }
    }
    if mustListenAgain.withLock({ again in
      defer { again = false }
      return again
    }) {
      replaceListener()
    }
    if isStopping.withLock({ $0 }) { end() }
  }

  /// Accepts the waiting connections, so that they are answered together. If there are more, epoll_wait returns again.
  private func acceptAll() {
    for _ in 0..<Self.maxEvents where clients.count < Self.maxConnections { guard accept() else { return } }
  }

  /// - Returns: false if no connection is waiting.
  private func accept() -> Bool {
    let descriptor = sys_accept(listener)
    if descriptor < 0 {
      let code = sys_errno()
      if code == EMFILE || code == ENFILE { isExhausted = !dropOldestSilent(beyond: 0) }
      return false
    }
    var pid: Int32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    // Another user gets no byte of a response, whatever the socket's mode is now.
    guard sys_peer_credentials(descriptor, &pid, &uid, &gid) == 0, uid == geteuid() else {
      close(descriptor)
      return true
    }
    _ = dropOldestSilent(beyond: Self.maxSilentConnections - 1)
    count += 1
    clients[descriptor] = Client(
      connection: ClientConnection(descriptor: descriptor, pid: pid, uid: uid), number: count,
      awaitedSince: Self.monotonicSeconds())
    newcomers.append(descriptor)
    // The request has usually arrived with the connection.
    serve(descriptor)
    return true
  }

  private func resolveNewcomers() {
    guard !newcomers.isEmpty else { return }
    for descriptor in newcomers {
      guard let client = clients[descriptor] else { continue }
      if client.connection.beginWatch() { watch(descriptor) } else { clients[descriptor] = nil }
    }
    newcomers.removeAll(keepingCapacity: true)
  }

  private func serve(_ descriptor: Int32) {
    guard var client = clients[descriptor] else { return }
    switch client.reader.next(from: client.connection) {
    case .message(let message):
      client.awaitedSince = 0
      client.hasAsked = true
      clients[descriptor] = client
      // If more has arrived, epoll_wait returns again.
      if !client.connection.take(message, on: lane, handle: handle) { drop(descriptor) }
    case .later:
      let isAwaited = client.reader.isHalfway || !client.hasAsked
      client.awaitedSince = isAwaited ? (client.awaitedSince > 0 ? client.awaitedSince : Self.monotonicSeconds()) : 0
      clients[descriptor] = client
    case .over: drop(descriptor)
    }
  }

  private func drop(_ descriptor: Int32) {
    guard let client = clients.removeValue(forKey: descriptor) else { return }
    if client.connection.isWatched { forget(descriptor) }
    client.connection.close()
  }

  private func dropSlow() {
    let now = Self.monotonicSeconds()
    for (descriptor, client) in clients where client.awaitedSince > 0 && now - client.awaitedSince >= Self.frameDeadline {
      drop(descriptor)
    }
  }

  /// Closes the oldest connection without a request if there are more than `count`. Usually there are none.
  private func dropOldestSilent(beyond count: Int) -> Bool {
    guard clients.count > count else { return false }
    var silent = 0
    var oldest: (descriptor: Int32, number: Int)?
    for (descriptor, client) in clients where !client.hasAsked {
      silent += 1
      if client.number < oldest?.number ?? .max { oldest = (descriptor, client.number) }
    }
    guard silent > count, let oldest else { return false }
    drop(oldest.descriptor)
    return true
  }

  private static func monotonicSeconds() -> Int64 { monotonicNanoseconds() / 1_000_000_000 + 1 }
}
