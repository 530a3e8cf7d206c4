import CSystem
import Glibc
import Synchronization
import VaultBytes
import VaultModel
import VaultSecrets
import VaultStore

/// Serves credentials to programs by the container credentials protocol, on loopback (AWS SDKs and Tools Reference Guide,
/// "Container credential provider"). Each program has its own token, which is worthless once the program has ended.
///
/// Credentials are served from memory: a request costs one look-up. If the session is due or missing (after a suspend, an outage or
/// a lock), the request starts a renewal and waits for it briefly. The port is closed while there is no lease.
final class CredentialEndpoint: Sendable {
  static let path = "/credentials"

  /// The values that a program needs in order to ask.
  struct Lease: Sendable {
    let id: String
    let url: String
    let port: Int
    let token: SecretBytes
    /// Identifies the token.
    let tokenHash: [UInt8]
    /// The file with the token, if the token is not in the program's environment: for a container, into which the file is mounted.
    var tokenFile: String?
  }

  /// The response to every request until the next session.
  private struct Ready {
    let response: LoopbackServer.Response
    let expiresAt: Timestamp
    /// From this moment on, a request starts a renewal.
    let renewsAt: Timestamp
    /// Asked at every request, so that nothing that was taken back is served in the moments before the lease learns of it.
    let permit: Withdrawals.Permit
  }

  /// The state of renewing a session that is due.
  private enum Renewal {
    /// No renewal is running, and none starts before this moment.
    case none(until: Timestamp)
    case begun
    /// A renewal is running, but requests no longer wait for it.
    case slow
  }

  private struct Entry {
    let id: String
    let port: Int
    /// The run to which its program belongs.
    let run: String?
    /// Nil while the vault is locked, or if the agent has just started.
    var ready: Ready?
    var requests = 0
    var renewal = Renewal.none(until: Timestamp(milliseconds: 0))
    /// Failed renewals in a row.
    var failures = 0
    var waits: [LoopbackServer.Wait] = []
    /// Its program gets nothing more, however often it asks.
    var isRevoked = false

    /// What it may serve.
    var valid: Ready? { ready.flatMap { $0.permit.isValid ? $0 : nil } }

    func isDue(at now: Timestamp) -> Bool { !isRevoked && (valid.map { $0.renewsAt <= now } ?? true) }

    mutating func endWaits() -> [LoopbackServer.Wait] {
      defer { waits = [] }
      return waits
    }
  }
  private struct State {
    /// Keyed by the token's hash: the token itself is never compared.
    var entries: [[UInt8]: Entry] = [:]
    /// Keyed by port. There is one, unless the port of the programs from before the agent's start was not free at once.
    var servers: [Int: LoopbackServer] = [:]
  }
  private let state = Mutex(State())
  /// Records rejected requests.
  let rejections: RejectionMonitor
  private let clock: any WallClock
  private let limits = LoopbackServer.Limits(connections: 512, idle: 10, memory: 16 * 1_024)

  private let tokenFolder: String
  private let events: AgentEvents
  private let fence: EndpointFence?

  /// - Parameters:
  ///   - tokenFolder: the folder for token files: in memory (`XDG_RUNTIME_DIR`) and private to the vault.
  ///   - trees: whose processes use their own tokens only.
  init(clock: any WallClock, events: AgentEvents, tokenFolder: String, trees: AutomationTrees? = nil) {
    fence = trees.map { EndpointFence(trees: $0, events: events) }
    self.clock = clock
    self.events = events
    rejections = RejectionMonitor(clock: clock, events: events)
    self.tokenFolder = tokenFolder
  }

  var count: Int { state.withLock { $0.entries.count } }

  /// Opens a lease, and the port with the first one.
  ///
  /// - Parameters:
  ///   - renewsAt: when the credentials become due; nil if they are good until they expire.
  ///   - run: the run to which the program belongs.
  func open(
    _ credential: Credential, permit: Withdrawals.Permit, renewsAt: Timestamp?, inFile: Bool = false, run: String? = nil
  ) throws -> Lease {
    let token = SecretBytes.random(count: 32).withBytes { Base64.urlEncoded($0) }
    let hash = token.withBytes { EndpointRequest.hash($0) }
    let id = Identifier.make("lse")
    let ready = ready(credential, permit: permit, renewsAt)
    let file = inFile ? try LeaseToken.write(token, to: tokenFolder, lease: id) : nil
    let port = try state.withLock { state in
      let server = try state.servers.values.first ?? makeServer()
      state.servers[server.port] = server
      state.entries[hash] = Entry(id: id, port: server.port, run: run, ready: ready)
      return server.port
    }
    return Lease(
      id: id, url: "http://127.0.0.1:\(port)\(Self.path)", port: port, token: token, tokenHash: hash, tokenFile: file)
  }

  /// Reopens all leases that a former agent had at a port; they are asleep until ``update(_:_:)``. The port is never open while one
  /// of them is unknown, since a program that is told "unknown token" does not ask again.
  ///
  /// - Throws: if the port cannot be opened.
  func reopen(_ leases: [(id: String, tokenHash: [UInt8], run: String?)], port: Int) throws(AgentError) {
    guard !leases.isEmpty else { return }
    try state.withLock { state throws(AgentError) in
      if state.servers[port] == nil { state.servers[port] = try makeServer(port) }
      // A request that arrives meanwhile waits for the lock.
      for lease in leases { state.entries[lease.tokenHash] = Entry(id: lease.id, port: port, run: lease.run) }
    }
  }

  private func ready(_ credential: Credential, permit: Withdrawals.Permit, _ renewsAt: Timestamp?) -> Ready {
    let expiresAt = credential.expiresAt ?? clock.now()
    return Ready(
      response: Self.response(credential), expiresAt: expiresAt, renewsAt: renewsAt ?? expiresAt, permit: permit)
  }

  /// Changes a lease. Requests that wait for it continue if `ends` returns true for the changed lease.
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

  /// Replaces the credentials that a lease serves.
  func update(_ id: String, _ credential: Credential, permit: Withdrawals.Permit, renewsAt: Timestamp?) {
    let (ready, now) = (ready(credential, permit: permit, renewsAt), clock.now())
    change(id) {
      if !$0.isRevoked { $0.ready = ready }
    } ends: {
      !$0.isDue(at: now)
    }
  }

  /// A renewal for a lease has started: requests wait for it from now on.
  func begin(_ id: String) {
    change(id) {
      $0.renewal = .begun
    } ends: { _ in
      false
    }
  }

  /// The renewal for a lease has ended.
  ///
  /// - Parameter isLocked: no session was requested, because the vault is locked.
  func resolve(_ id: String, isLocked: Bool) {
    let now = clock.now()
    change(id) { entry in
      entry.failures = entry.isDue(at: now) && !isLocked ? entry.failures + 1 : 0
      entry.renewal = .none(until: now.adding(seconds: StaleRequestPolicy.delay(failures: entry.failures)))
    } ends: { _ in
      true
    }
  }

  /// Requests stop waiting for the running renewal.
  func timeOut(_ id: String) {
    change(id) {
      if case .begun = $0.renewal { $0.renewal = .slow }
    } ends: { _ in
      true
    }
  }

  /// The cause of failed renewals may have changed: the next request for each lease may start one, however many have failed.
  func endPauses() {
    state.withLock { state in
      for (hash, entry) in state.entries {
        guard case .none = entry.renewal else { continue }
        state.entries[hash]?.renewal = .none(until: Timestamp(milliseconds: 0))
        state.entries[hash]?.failures = 0
      }
    }
  }

  /// Forgets the credentials of leases until ``update(_:_:)``.
  ///
  /// - Parameter leases: the leases to put to sleep; nil for all.
  func sleep(_ leases: Set<String>? = nil) {
    state.withLock { state in
      for (hash, entry) in state.entries where leases?.contains(entry.id) ?? true { state.entries[hash]?.ready = nil }
    }
  }

  func lease(of tokenHash: [UInt8]) -> String? { state.withLock { $0.entries[tokenHash]?.id } }

  func isAsleep(_ id: String) -> Bool { state.withLock { $0.entries.values.contains { $0.id == id && $0.valid == nil } } }

  /// The leases that have no credentials to serve.
  var asleep: [String] {
    state.withLock { state in state.entries.values.filter { $0.valid == nil && !$0.isRevoked }.map(\.id) }
  }

  /// Serves a program nothing more. Its token is known until it ends, so that it is told why.
  ///
  /// - Returns: the number of requests it had.
  func revoke(_ id: String) -> Int {
    unlink(LeaseToken.path(tokenFolder, lease: id))
    var requests = 0
    change(id) {
      ($0.ready, $0.isRevoked) = (nil, true)
      requests = $0.requests
    } ends: { _ in
      true
    }
    return requests
  }

  /// Ends a lease, and closes the port with the last one.
  ///
  /// - Returns: the number of requests it had; nil if it had already ended.
  func close(_ id: String) -> Int? {
    unlink(LeaseToken.path(tokenFolder, lease: id))
    let (entry, server) = state.withLock { state -> (Entry?, LoopbackServer?) in
      guard let (hash, entry) = state.entries.first(where: { $0.value.id == id }) else { return (nil, nil) }
      state.entries[hash] = nil
      guard !state.entries.values.contains(where: { $0.port == entry.port }) else { return (entry, nil) }
      return (entry, state.servers.removeValue(forKey: entry.port))
    }
    for wait in entry?.waits ?? [] { wait.end() }
    // Releasing the last reference waits for the server's thread, which may need the lock.
    _ = server
    return entry?.requests
  }

  /// Closes the ports. The next agent takes over the programs that are still running.
  func closeAll() {
    let servers = state.withLock { state in
      defer { state = State() }
      return state.servers
    }
    _ = servers
  }

  /// Removes token files that are no longer valid.
  func removeTokenFiles(except leases: Set<String>) {
    for name in LeaseToken.names(in: tokenFolder) where !leases.contains(LeaseToken.lease(name)) {
      unlink(tokenFolder + "/" + name)
    }
  }

  private func makeServer(_ port: Int = 0) throws(AgentError) -> LoopbackServer {
    try LoopbackServer(limits: limits, port: port, rootToo: true, turnedAway: { [rejections] in rejections.record($0) }) {
      [weak self] request, port, hasWaited in
      self?.answer(request, port: port, hasWaited: hasWaited)
        ?? .now(Self.refusal(503, code: "Unavailable", text: "the vault is shutting down"))
    }
  }

  // MARK: answering, on the server's thread

  private func answer(_ request: LoopbackServer.Request, port: Int, hasWaited: Bool) -> LoopbackServer.Answer {
    let hash: [UInt8]
    do throws(EndpointRequest.Refusal) {
      hash = try EndpointRequest(request, port: port).tokenHash
    } catch {
      return .now(
        error.isHostile ? deny(error.status, error.text) : Self.refusal(error.status, code: error.code, text: error.text))
    }
    if let fence, let (lease, run) = state.withLock({ state in state.entries[hash].map { ($0.id, $0.run) } }),
      let why = fence.refusal(of: request, lease: lease, run: run)
    {
      return .now(Self.refusal(403, code: "AccessDenied", text: why))
    }
    guard let (entry, wait, begins) = find(hash, hasWaited) else { return .now(deny(403, "unknown token")) }
    if begins { events.report(.sessionDue(lease: entry.id)) }
    if let wait { return .later(wait) }
    return .now(answer(entry))
  }

  /// The lease of a token. If its session is due and may be renewed now, also the wait for the renewal; `begins` is true if this
  /// request is the first.
  private func find(_ hash: [UInt8], _ hasWaited: Bool) -> (entry: Entry, wait: LoopbackServer.Wait?, begins: Bool)? {
    let now = clock.now()
    return state.withLock { state -> (Entry, LoopbackServer.Wait?, Bool)? in
      // The look-up is by the hash of a random token, so its timing reveals nothing. The match is compared in constant time.
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
    if entry.isRevoked {
      return Self.refusal(403, code: "AccessDenied", text: "what this program was given was revoked; start it again")
    }
    guard let ready = entry.valid else {
      return Self.refusal(503, code: "Unavailable", text: "the vault is locked, or has no session for this program yet")
    }
    guard ready.expiresAt > clock.now() else {
      return Self.refusal(503, code: "Unavailable", text: "the session has expired and could not be renewed yet")
    }
    return ready.response
  }

  /// Rejects a request that no program of the vault's would make.
  private func deny(_ status: UInt32, _ text: String) -> LoopbackServer.Response {
    rejections.record(text)
    return Self.refusal(status, code: "AccessDenied", text: text)
  }

  private static func refusal(_ status: UInt32, code: String, text: String) -> LoopbackServer.Response {
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
