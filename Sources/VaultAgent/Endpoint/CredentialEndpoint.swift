import CSystem
import Glibc
import Synchronization
import VaultBytes
import VaultModel
import VaultSecrets

/// Serves credentials to programs by the container credentials protocol, on loopback (AWS SDKs and Tools Reference Guide, "Container
/// credential provider"). Each program has a token of its own, which is worth nothing once the program has ended.
///
/// What is served lies ready: a request costs a look-up. Where it is due, or nothing is there, which is so after a suspend, an outage or a
/// lock, the request has it made and waits a moment for that. The port is closed while nobody has a lease.
final class CredentialEndpoint: Sendable {
  static let path = "/credentials"

  /// What a program needs to ask.
  struct Lease: Sendable {
    let id: String
    let url: String
    let port: Int
    let token: SecretBytes
    /// What the token is known by.
    let tokenHash: [UInt8]
    /// Where the token stands instead of in the program's environment: for a container, into which the file is mounted.
    var tokenFile: String?
  }

  /// Lies ready: the answer of every request until the next session.
  private struct Ready {
    let response: LoopbackServer.Response
    let expiresAt: Timestamp
    /// From when on a request has a new one made.
    let renewsAt: Timestamp
  }

  /// What is done about a session that is due.
  private enum Renewal {
    /// Nothing, and nothing before this moment.
    case none(until: Timestamp)
    case begun
    /// Nobody waits any more for what has begun.
    case slow
  }

  private struct Entry {
    let id: String
    let port: Int
    /// Nil while the vault is locked, or the agent has only just begun.
    var ready: Ready?
    var requests = 0
    var renewal = Renewal.none(until: Timestamp(milliseconds: 0))
    /// In a row, without a new session.
    var failures = 0
    var waits: [LoopbackServer.Wait] = []

    func isDue(at now: Timestamp) -> Bool { ready.map { $0.renewsAt <= now } ?? true }

    mutating func endWaits() -> [LoopbackServer.Wait] {
      defer { waits = [] }
      return waits
    }
  }
  private struct State {
    /// By the hash of the token: what is compared is never the token itself.
    var entries: [[UInt8]: Entry] = [:]
    /// By their ports: one, unless that of programs from before the agent's start could not be had at once.
    var servers: [Int: LoopbackServer] = [:]
  }
  private let state = Mutex(State())
  /// Who was turned away.
  let rejections: RejectionMonitor
  private let clock: any WallClock
  private let limits = LoopbackServer.Limits(connections: 512, idle: 10, memory: 16 * 1_024)

  private let tokenFolder: String
  /// Makes a new session for a lease, and ends with ``settle(_:)``.
  private let renew = Mutex<(@Sendable (_ lease: String) -> Void)?>(nil)

  /// - Parameter tokenFolder: for tokens in files; in memory (`XDG_RUNTIME_DIR`), and ours alone.
  init(clock: any WallClock, tokenFolder: String) {
    self.clock = clock
    rejections = RejectionMonitor(clock: clock)
    self.tokenFolder = tokenFolder
  }

  var count: Int { state.withLock { $0.entries.count } }

  /// Names what is done where a request finds its session due.
  func observeDue(_ renew: @escaping @Sendable (_ lease: String) -> Void) { self.renew.withLock { $0 = renew } }

  /// Opens a lease; with the first one the port.
  ///
  /// - Parameter renewsAt: from when on the credentials are due; nil for some that are good to their end.
  func open(_ credential: Credential, renewsAt: Timestamp?, inFile: Bool = false) throws -> Lease {
    let token = SecretBytes.random(count: 32).withBytes { Base64.urlEncoded($0) }
    let hash = token.withBytes { EndpointRequest.hash($0) }
    let id = Identifier.make("lse")
    let ready = ready(credential, renewsAt)
    let file = inFile ? try LeaseToken.write(token, to: tokenFolder, lease: id) : nil
    let port = try state.withLock { state in
      let server = try state.servers.values.first ?? makeServer()
      state.servers[server.port] = server
      state.entries[hash] = Entry(id: id, port: server.port, ready: ready)
      return server.port
    }
    return Lease(
      id: id, url: "http://127.0.0.1:\(port)\(Self.path)", port: port, token: token, tokenHash: hash, tokenFile: file)
  }

  /// Opens all leases that a former agent had at a port again; they are asleep until ``update(_:_:)``. The port is never open while one of
  /// them is unknown, since what is told "unknown token" does not ask again.
  ///
  /// - Throws: where the port cannot be had.
  func reopen(_ leases: [(id: String, tokenHash: [UInt8])], port: Int) throws(AgentError) {
    guard !leases.isEmpty else { return }
    try state.withLock { state throws(AgentError) in
      if state.servers[port] == nil { state.servers[port] = try makeServer(port) }
      // Who asks meanwhile waits for the lock.
      for lease in leases { state.entries[lease.tokenHash] = Entry(id: lease.id, port: port) }
    }
  }

  private func ready(_ credential: Credential, _ renewsAt: Timestamp?) -> Ready {
    let expiresAt = credential.expiresAt ?? clock.now()
    return Ready(response: Self.response(credential), expiresAt: expiresAt, renewsAt: renewsAt ?? expiresAt)
  }

  /// Changes a lease; who waited for it goes on where `ends` says so of what it has become.
  private func change(_ id: String, _ body: (inout Entry) -> Void, ends: (Entry) -> Bool) {
    let waits = state.withLock { state -> [LoopbackServer.Wait] in
      guard let hash = state.entries.first(where: { $0.value.id == id })?.key, var entry = state.entries[hash] else { return [] }
      body(&entry)
      let waits = ends(entry) ? entry.endWaits() : []
      state.entries[hash] = entry
      return waits
    }
    for wait in waits { wait.end() }
  }

  /// Puts new credentials in the place of those that a lease serves.
  func update(_ id: String, _ credential: Credential, renewsAt: Timestamp?) {
    let (ready, now) = (ready(credential, renewsAt), clock.now())
    change(id) {
      $0.ready = ready
    } ends: {
      !$0.isDue(at: now)
    }
  }

  /// A new session is on its way to a lease: requests wait for it from now on.
  func begin(_ id: String) {
    change(id) {
      $0.renewal = .begun
    } ends: { _ in
      false
    }
  }

  /// What was begun for a lease has come to its end.
  ///
  /// - Parameter isLocked: nobody was asked for a session.
  func settle(_ id: String, isLocked: Bool) {
    let now = clock.now()
    change(id) { entry in
      entry.failures = entry.isDue(at: now) && !isLocked ? entry.failures + 1 : 0
      entry.renewal = .none(until: now.adding(seconds: StaleRequestPolicy.pause(failures: entry.failures)))
    } ends: { _ in
      true
    }
  }

  /// Nobody is to wait any longer for what has begun.
  func losePatience(_ id: String) {
    change(id) {
      if case .begun = $0.renewal { $0.renewal = .slow }
    } ends: { _ in
      true
    }
  }

  /// Something has changed for which renewals failed: the next request for each lease may begin one, however many did before.
  func endPauses() {
    state.withLock { state in
      for (hash, entry) in state.entries {
        guard case .none = entry.renewal else { continue }
        state.entries[hash]?.renewal = .none(until: Timestamp(milliseconds: 0))
        state.entries[hash]?.failures = 0
      }
    }
  }

  /// Forgets what the leases serve, until each is given something again.
  ///
  /// - Parameter leases: which; nil for all.
  func sleep(_ leases: Set<String>? = nil) {
    state.withLock { state in
      for (hash, entry) in state.entries where leases?.contains(entry.id) ?? true { state.entries[hash]?.ready = nil }
    }
  }

  func isAsleep(_ id: String) -> Bool { state.withLock { $0.entries.values.contains { $0.id == id && $0.ready == nil } } }

  /// The leases that have nothing to serve.
  var asleep: [String] { state.withLock { state in state.entries.values.filter { $0.ready == nil }.map(\.id) } }

  /// Ends a lease; with the last one the port is closed.
  ///
  /// - Returns: how many requests it had; nil where it had ended.
  func close(_ id: String) -> Int? {
    unlink(LeaseToken.path(tokenFolder, lease: id))
    let (entry, server) = state.withLock { state -> (Entry?, LoopbackServer?) in
      guard let (hash, entry) = state.entries.first(where: { $0.value.id == id }) else { return (nil, nil) }
      state.entries[hash] = nil
      guard !state.entries.values.contains(where: { $0.port == entry.port }) else { return (entry, nil) }
      return (entry, state.servers.removeValue(forKey: entry.port))
    }
    for wait in entry?.waits ?? [] { wait.end() }
    // The last reference: it waits for its thread, which may want the lock.
    _ = server
    return entry?.requests
  }

  /// Closes the ports. The programs that still run are the next agent's.
  func closeAll() {
    let servers = state.withLock { state in
      defer { state = State() }
      return state.servers
    }
    _ = servers
  }

  /// Takes away the files of tokens that open nothing any more.
  func removeTokenFiles(except leases: Set<String>) {
    for name in LeaseToken.names(in: tokenFolder) where !leases.contains(LeaseToken.lease(name)) {
      unlink(tokenFolder + "/" + name)
    }
  }

  private func makeServer(_ port: Int = 0) throws(AgentError) -> LoopbackServer {
    try LoopbackServer(limits: limits, port: port, rootToo: true, turnedAway: { [rejections] in rejections.record($0) }) {
      [weak self] request, port, hasWaited in
      self?.answer(request, port, hasWaited) ?? .now(Self.refusal(503, "Unavailable", "the vault is closing"))
    }
  }

  // MARK: answering, on the server's thread

  private func answer(_ request: LoopbackServer.Request, _ port: Int, _ hasWaited: Bool) -> LoopbackServer.Answer {
    let hash: [UInt8]
    do throws(EndpointRequest.Refusal) {
      hash = try EndpointRequest(request, port: port).tokenHash
    } catch {
      return .now(error.isHostile ? deny(error.status, error.text) : Self.refusal(error.status, error.code, error.text))
    }
    guard let (entry, wait, begins) = find(hash, hasWaited) else { return .now(deny(403, "unknown token")) }
    if begins { renew.withLock { $0 }?(entry.id) }
    if let wait { return .later(wait) }
    return .now(answer(entry))
  }

  /// The lease of a token, and, where its session is due and may be made anew now, the wait for that; `begins` where this request is the
  /// first.
  private func find(_ hash: [UInt8], _ hasWaited: Bool) -> (entry: Entry, wait: LoopbackServer.Wait?, begins: Bool)? {
    let now = clock.now()
    return state.withLock { state -> (Entry, LoopbackServer.Wait?, Bool)? in
      // Looked up by the hash of a random token, of which the time that it takes tells nothing; what is found is compared in constant time.
      guard let place = state.entries.index(forKey: hash) else { return nil }
      let (match, entry) = state.entries[place]
      guard EndpointRequest.areEqual(match, hash) else { return nil }
      if hasWaited { return (entry, nil, false) }
      state.entries[match]?.requests += 1
      guard entry.isDue(at: now) else { return (entry, nil, false) }
      var begins = false
      switch entry.renewal {
      case .slow: return (entry, nil, false)
      case .none(let moment) where moment > now: return (entry, nil, false)
      case .none: begins = true
      case .begun: break
      }
      let wait = LoopbackServer.Wait()
      state.entries[match]?.renewal = .begun
      state.entries[match]?.waits.append(wait)
      return (entry, wait, begins)
    }
  }

  private func answer(_ entry: Entry) -> LoopbackServer.Response {
    guard let ready = entry.ready else {
      return Self.refusal(503, "Unavailable", "the vault is locked, or has no session for this program yet")
    }
    guard ready.expiresAt > clock.now() else {
      return Self.refusal(503, "Unavailable", "the session is over and could not be renewed yet")
    }
    return ready.response
  }

  /// Turns a request away that no program of ours would make.
  private func deny(_ status: UInt32, _ text: String) -> LoopbackServer.Response {
    rejections.record(text)
    return Self.refusal(status, "AccessDenied", text)
  }

  private static func refusal(_ status: UInt32, _ code: String, _ text: String) -> LoopbackServer.Response {
    LoopbackServer.Response(
      status: status, type: "application/json",
      body: JSONWriter.secret { json in
        json.add("code", code)
        json.add("message", text)
      })
  }

  private static func response(_ credential: Credential) -> LoopbackServer.Response {
    LoopbackServer.Response(status: 200, type: "application/json", body: document(credential))
  }

  private static func document(_ credential: Credential) -> SecretBytes {
    JSONWriter.secret { json in
      json.add("AccessKeyId", credential.accessKeyId)
      json.add("SecretAccessKey", credential.secretAccessKey)
      json.add("Token", credential.sessionToken)
      json.add("Expiration", credential.expiresAt?.iso8601)
      json.add("AccountId", credential.accountId)
    }
  }
}
