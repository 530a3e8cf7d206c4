import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultWire

/// The agent's one door: a Unix socket that takes connections of its own user only.
///
/// One thread waits in `epoll_wait(2)` and reads; what is asked runs in a task per connection. Nothing wakes it but its clients, save
/// while a frame is half read: then it looks once a second whether its time is up.
final class Gate: Sendable {
  /// How long a frame may take from its first byte to its last.
  static let frameDeadline: Int64 = 10
  /// Connections at one time; more wait in the socket's queue.
  static let mostConnections = 1_000

  private let listener: Int32
  private let poller: Int32
  private let wakeUp: Int32
  private let path: String
  /// A service manager's socket is its own to remove.
  private let isInherited: Bool
  /// Where requests run.
  private let lane: any TaskExecutor
  private let handle: @Sendable (Connection, Message) async -> Void
  private let isStopping = Mutex(false)

  /// Listens at `path`, replacing a socket that a dead agent left, or on the socket that a service manager passed on. Call it under the
  /// agent's lock.
  init(path: String, lane: any TaskExecutor, handle: @escaping @Sendable (Connection, Message) async -> Void) throws(AgentError) {
    let inherited = sys_inherited_listener()
    isInherited = inherited >= 0
    if !isInherited {
      var status = stat()
      if lstat(path, &status) == 0 {
        guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == geteuid() else { throw .foreignSocket(path: path) }
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
    self.handle = handle
    watch(listener)
    watch(wakeUp)
  }

  deinit {
    close(listener)
    close(poller)
    close(wakeUp)
  }

  private func watch(_ descriptor: Int32) {
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    event.data.fd = descriptor
    epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event)
  }

  private func forget(_ descriptor: Int32) { epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, nil) }

  /// Ends ``run()`` from another thread.
  func stop() {
    isStopping.withLock { $0 = true }
    var one: UInt64 = 1
    _ = write(wakeUp, &one, 8)
  }

  private struct Client {
    let connection: Connection
    var reader = FrameReader()
    /// Seconds on the monotonic clock when the frame that is being read began; 0 between frames.
    var frameBegan: Int64 = 0
  }

  /// Serves until ``stop()``. The socket's file is removed first, so that newcomers start a new agent; open connections are closed last.
  func run() {
    var clients: [Int32: Client] = [:]
    var isListening = true
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while !isStopping.withLock({ $0 }) {
      let halfway = clients.values.contains { $0.frameBegan > 0 }
      let ready = epoll_wait(poller, &events, Int32(events.count), halfway ? 1_000 : -1)
      for event in events.prefix(max(0, Int(ready))) {
        let descriptor = event.data.fd
        if descriptor == listener {
          accept(into: &clients)
        } else if clients[descriptor] != nil {
          serve(descriptor, &clients)
        }
      }
      if halfway { dropSlow(&clients) }
      if isListening != (clients.count < Self.mostConnections) {
        isListening.toggle()
        if isListening { watch(listener) } else { forget(listener) }
      }
    }
    if !isInherited { unlink(path) }
    for (descriptor, client) in clients {
      forget(descriptor)
      client.connection.close()
    }
  }

  private func accept(into clients: inout [Int32: Client]) {
    while clients.count < Self.mostConnections {
      let descriptor = sys_accept(listener)
      if descriptor < 0 { return }
      var pid: Int32 = 0
      var uid: UInt32 = 0
      var gid: UInt32 = 0
      // Another user gets no byte of an answer, whatever the socket's mode has become.
      guard sys_peer_credentials(descriptor, &pid, &uid, &gid) == 0, uid == geteuid() else {
        close(descriptor)
        continue
      }
      clients[descriptor] = Client(connection: Connection(descriptor: descriptor, pid: pid, uid: uid))
      watch(descriptor)
    }
  }

  private func serve(_ descriptor: Int32, _ clients: inout [Int32: Client]) {
    guard var client = clients.removeValue(forKey: descriptor) else { return }
    switch client.reader.next(from: client.connection) {
    case .message(let message):
      client.frameBegan = 0
      // Whatever else is there already makes epoll_wait return again.
      guard client.connection.take(message, on: lane, handle: handle) else { return drop(descriptor, client) }
      clients[descriptor] = client
    case .later:
      client.frameBegan = client.reader.isHalfway ? (client.frameBegan > 0 ? client.frameBegan : Self.monotonicSeconds()) : 0
      clients[descriptor] = client
    case .over: drop(descriptor, client)
    }
  }

  private func drop(_ descriptor: Int32, _ client: Client) {
    forget(descriptor)
    client.connection.close()
  }

  private func dropSlow(_ clients: inout [Int32: Client]) {
    let now = Self.monotonicSeconds()
    for (descriptor, client) in clients where client.frameBegan > 0 && now - client.frameBegan >= Self.frameDeadline {
      clients[descriptor] = nil
      drop(descriptor, client)
    }
  }

  private static func monotonicSeconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) + 1
  }
}
