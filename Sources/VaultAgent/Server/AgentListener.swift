import CSystem
import Glibc
import VaultConcurrency
import VaultDatabase
import VaultModel
import VaultStore
import VaultWire

/// The agent's only entrance: a Unix socket that accepts only connections of the agent's own user.
///
/// The lane's event loop watches it, so one thread reads, answers and closes a request without a wake-up. Only clients wake the lane
/// here; while a frame is awaited, it also checks the timeout once per second. Idle connections keep nobody out: they have a
/// timeout, and beyond a maximum number the oldest is closed.
///
/// `@unchecked Sendable`: once it is initialized, only the lane's thread touches mutable state.
final class AgentListener: @unchecked Sendable {
  /// Timeout of a frame in seconds, from its first byte to its last; for the first frame, from the connection on.
  static let frameDeadline: Int64 = 10
  /// Maximum number of connections that have not sent a request yet.
  static let maxSilentConnections = 256
  /// Maximum number of connections; more wait in the socket's queue.
  static let maxConnections = 1_000
  /// Maximum number of connections that are accepted together.
  private static let maxAccepted = 64

  private var listener: Int32
  private let path: String
  /// A service manager removes its own socket.
  private var isInherited: Bool
  /// Identifies the socket's file, in order to detect a replacement.
  private var file: UInt64?
  /// The executor on which requests run.
  private let executor: StoreExecutor
  private let handle: @Sendable (ClientConnection, Message) async -> Void
  private var isStopping = false

  private var clients: [Int32: Client] = [:]
  /// The newest connections: one that is answered at once is closed without having been watched.
  private var newcomers: [Int32] = []
  private var isListening = true
  /// There was no descriptor left for a connection, and none to close.
  private var hasLoggedExhaustion = false
  private var isExhausted = false
  /// The timeouts are checked in a second.
  private var isTicking = false
  /// The number of connections so far.
  private var count = 0
  private var ended: CheckedContinuation<Void, Never>?

  /// Listens at `path`, replacing a socket that a dead agent left, or on the socket that a service manager passed. Call it under
  /// the agent's lock.
  init(path: String, executor: StoreExecutor, handle: @escaping @Sendable (ClientConnection, Message) async -> Void)
    throws(AgentError)
  {
    let heartbeat = Heartbeat(loop: executor.loop)
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
    self.path = path
    self.executor = executor
    self.handle = { connection, message in
      heartbeat.began(connection)
      await handle(connection, message)
      heartbeat.ended(connection)
    }
    file = Self.file(path)
  }

  deinit { close(listener) }

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
  /// closed last.
  func run() async {
    await withCheckedContinuation { continuation in
      executor.loop.perform { [self] in
        ended = continuation
        executor.loop.beforeWait { [self] in prepare() }
        watchListener()
        if isStopping { end() }
      }
    }
  }

  /// Ends ``run()``, from any thread.
  func stop() {
    executor.loop.perform { [self] in
      isStopping = true
      end()
    }
  }

  private func watchListener() { executor.loop.watch(listener) { [self] in acceptAll() } }

  private func end() {
    guard ended != nil else { return }
    executor.loop.beforeWait(nil)
    if isListening { executor.loop.forget(listener) }
    if !isInherited { unlink(path) }
    for descriptor in Array(clients.keys) { drop(descriptor) }
    ended?.resume()
    ended = nil
  }

  /// Makes sure that the socket is where clients look for it: a logout or a cleaner of temporary files may have removed it. Can be
  /// called from any thread.
  func listenAgain() { executor.loop.perform { [self] in replaceListener() } }

  private func replaceListener() {
    if let file, Self.file(path) == file { return }
    do {
      try PrivateDirectory.ensure(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    } catch {
      return AgentLog.write("cannot recreate the socket: \(error.message)")
    }
    // A socket there that accepts connections belongs to another process.
    if Channel.connect(to: path) == nil { unlink(path) }
    let next = sys_unix_listen(path, 512)
    guard next >= 0 else { return AgentLog.write("cannot recreate the socket at \(path) (errno \(sys_errno()))") }
    if isListening { executor.loop.forget(listener) }
    close(listener)
    listener = next
    isInherited = false
    file = Self.file(path)
    if isListening { watchListener() }
    AgentLog.write("the socket was removed; recreated at \(path)")
  }

  private static func file(_ path: String) -> UInt64? {
    var status = stat()
    return lstat(path, &status) == 0 ? UInt64(status.st_ino) : nil
  }

  // MARK: events

  /// Called before each wait.
  private func prepare() {
    resolveNewcomers()
    if isListening != (clients.count < Self.maxConnections && !isExhausted) {
      isListening.toggle()
      if isListening { watchListener() } else { executor.loop.forget(listener) }
    }
    guard !isTicking, isExhausted || clients.values.contains(where: { $0.awaitedSince > 0 }) else { return }
    isTicking = true
    executor.loop.after(milliseconds: 1_000) { [self] in
      isTicking = false
      isExhausted = false
      dropSlow()
    }
  }

  /// Accepts the waiting connections, so that they are answered together. If there are more, it is called again.
  private func acceptAll() {
    for _ in 0..<Self.maxAccepted where clients.count < Self.maxConnections { guard accept() else { return } }
  }

  /// - Returns: false if no connection is waiting.
  private func accept() -> Bool {
    let descriptor = sys_accept(listener)
    if descriptor < 0 {
      let code = sys_errno()
      if code == EMFILE || code == ENFILE {
        if !hasLoggedExhaustion { AgentLog.write("too many open files: clients wait (ulimit -n)") }
        hasLoggedExhaustion = true
        isExhausted = !dropOldestSilent(beyond: 0)
      }
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
      if client.connection.beginWatch() {
        executor.loop.watch(descriptor) { [self] in serve(descriptor) }
      } else {
        clients[descriptor] = nil
      }
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
      // If more has arrived, this is called again.
      if !client.connection.receive(message, on: executor, handle: handle) { drop(descriptor) }
    case .later:
      let isAwaited = client.reader.isHalfway || !client.hasAsked
      client.awaitedSince = isAwaited ? (client.awaitedSince > 0 ? client.awaitedSince : Self.monotonicSeconds()) : 0
      clients[descriptor] = client
    case .over: drop(descriptor)
    }
  }

  private func drop(_ descriptor: Int32) {
    guard let client = clients.removeValue(forKey: descriptor) else { return }
    if client.connection.isWatched { executor.loop.forget(descriptor) }
    client.connection.close()
    isExhausted = false
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
