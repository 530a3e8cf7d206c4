import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultSecrets

/// Serves credentials to programs by the container credentials protocol, on loopback (AWS SDKs and Tools Reference Guide, "Container
/// credential provider"). Each program has a token of its own, which is worth nothing once the program has ended.
///
/// What is served lies ready: a request costs a look-up. The port is closed while nobody has a lease.
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

  private struct Entry {
    let id: String
    let port: Int
    /// Lies ready: the answer of every request until the next session. Nil while the vault is locked, or the agent has only just begun.
    var ready: (response: LoopbackServer.Response, expiresAt: Timestamp)?
    var requests = 0
  }
  private struct State {
    /// By the hash of the token: what is compared is never the token itself.
    var entries: [[UInt8]: Entry] = [:]
    /// By their ports: one, unless that of programs from before the agent's start could not be had at once.
    var servers: [Int: LoopbackServer] = [:]
  }
  private let state = Mutex(State())
  /// Who was turned away.
  let refusals: Refusals
  private let clock: any WallClock
  private let limits = LoopbackServer.Limits(connections: 512, idle: 10, memory: 16 * 1_024)

  private let tokenFolder: String

  /// - Parameter tokenFolder: for tokens in files; in memory (`XDG_RUNTIME_DIR`), and ours alone.
  init(clock: any WallClock, tokenFolder: String) {
    self.clock = clock
    refusals = Refusals(clock: clock)
    self.tokenFolder = tokenFolder
  }

  var count: Int { state.withLock { $0.entries.count } }

  /// Opens a lease; with the first one the port.
  func open(_ credential: Credential, inFile: Bool = false) throws -> Lease {
    let token = SecretBytes.random(count: 32).withBytes { base64URL($0) }
    let hash = token.withBytes { Self.hash($0) }
    let id = Identifier.make("lse")
    let ready = (Self.response(credential), credential.expiresAt ?? clock.now())
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

  /// Puts new credentials in the place of those that a lease serves.
  func update(_ id: String, _ credential: Credential) {
    let response = Self.response(credential)
    state.withLock { state in
      for (hash, entry) in state.entries where entry.id == id {
        state.entries[hash]?.ready = (response, credential.expiresAt ?? entry.ready?.expiresAt ?? clock.now())
      }
    }
  }

  /// Forgets what the leases serve, until each is given something again.
  func sleep() {
    state.withLock { state in for hash in state.entries.keys { state.entries[hash]?.ready = nil } }
  }

  /// The leases that have nothing to serve.
  var asleep: [String] { state.withLock { state in state.entries.values.filter { $0.ready == nil }.map(\.id) } }

  /// Ends a lease; with the last one the port is closed.
  ///
  /// - Returns: how many requests it had; nil where it had ended.
  func close(_ id: String) -> Int? {
    unlink(LeaseToken.path(tokenFolder, lease: id))
    let (requests, server) = state.withLock { state -> (Int?, LoopbackServer?) in
      guard let (hash, entry) = state.entries.first(where: { $0.value.id == id }) else { return (nil, nil) }
      state.entries[hash] = nil
      guard !state.entries.values.contains(where: { $0.port == entry.port }) else { return (entry.requests, nil) }
      return (entry.requests, state.servers.removeValue(forKey: entry.port))
    }
    // The last reference: it waits for its thread, which may want the lock.
    _ = server
    return requests
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
    try LoopbackServer(limits: limits, port: port, ownUserOnly: true, turnedAway: { [refusals] in refusals.note(user: $0) }) {
      [weak self] request, port in
      self?.answer(request, port) ?? Self.refusal(503, "Unavailable", "the vault is closing")
    }
  }

  // MARK: answering, on the server's thread

  private func answer(_ request: LoopbackServer.Request, _ port: Int) -> LoopbackServer.Response {
    guard request.path == Self.path, !request.hasQuery else { return Self.refusal(404, "NotFound", "nothing is here") }
    guard request.method == "GET" else { return Self.refusal(405, "MethodNotAllowed", "only GET is taken") }
    var headers = Headers()
    request.forEachHeader { headers.take($0, $1) }
    // A name that some page made point here (DNS rebinding), and whatever a browser sends, is nobody who has a token.
    guard headers.hosts == 1, headers.host == "127.0.0.1:\(port)" else { return deny(403, "wrong host") }
    guard !headers.isBrowser else { return deny(403, "no browser is served") }
    guard !headers.hasBody else { return Self.refusal(400, "BadRequest", "no body is taken") }
    guard headers.tokens == 1 else { return deny(401, "one token is needed") }
    let hash = headers.tokenHash
    let now = clock.now()
    let found = state.withLock { state -> Entry? in
      // Every entry is looked at, each in constant time.
      var match: [UInt8]?
      for known in state.entries.keys where Self.areEqual(known, hash) { match = known }
      guard let match else { return nil }
      state.entries[match]?.requests += 1
      return state.entries[match]
    }
    guard let found else { return deny(403, "unknown token") }
    guard let ready = found.ready else {
      return Self.refusal(503, "Unavailable", "the vault is locked, or has no session for this program yet")
    }
    guard ready.expiresAt > now else {
      return Self.refusal(503, "Unavailable", "the session is over and could not be renewed yet")
    }
    return ready.response
  }

  /// What of a request's headers decides.
  private struct Headers {
    var hosts = 0
    var host = ""
    var tokens = 0
    var tokenHash: [UInt8] = []
    var isBrowser = false
    var hasBody = false

    mutating func take(_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>) {
      if strcasecmp(name, "host") == 0 {
        hosts += 1
        host = String(cString: value)
      } else if strcasecmp(name, "authorization") == 0 {
        tokens += 1
        tokenHash = CredentialEndpoint.hash(UnsafeRawBufferPointer(start: value, count: strlen(value)))
      } else if strcasecmp(name, "origin") == 0 || strcasecmp(name, "referer") == 0 || strncasecmp(name, "sec-fetch-", 10) == 0
        || strncasecmp(name, "access-control-", 15) == 0
      {
        isBrowser = true
      } else if strcasecmp(name, "transfer-encoding") == 0 || (strcasecmp(name, "content-length") == 0 && strcmp(value, "0") != 0)
      {
        hasBody = true
      }
    }
  }

  /// Turns a request away that no program of ours would make.
  private func deny(_ status: UInt32, _ text: String) -> LoopbackServer.Response {
    refusals.note(text)
    return Self.refusal(status, "AccessDenied", text)
  }

  private static func refusal(_ status: UInt32, _ code: String, _ text: String) -> LoopbackServer.Response {
    LoopbackServer.Response(
      status: status, type: "application/json", body: SecretBytes(#"{"code":"\#(code)","message":"\#(text)"}"#))
  }

  fileprivate static func hash(_ token: UnsafeRawBufferPointer) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
      blake2b256(token, into: UnsafeMutableRawBufferPointer(digest))
      count = 32
    }
  }

  private static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.withUnsafeBytes { one in other.withUnsafeBytes { constantTimeEqual(one, $0) } }
  }

  private static func response(_ credential: Credential) -> LoopbackServer.Response {
    LoopbackServer.Response(status: 200, type: "application/json", body: document(credential))
  }

  /// `{"AccessKeyId","SecretAccessKey","Token","Expiration"}`: none of them needs escaping, since only plain ASCII is taken from AWS.
  private static func document(_ credential: Credential) -> SecretBytes {
    var pieces: [SecretBytes] = [
      SecretBytes(#"{"AccessKeyId":"\#(credential.accessKeyId)","SecretAccessKey":""#), credential.secretAccessKey,
    ]
    if let token = credential.sessionToken { pieces += [SecretBytes(#"","Token":""#), token] }
    pieces.append(SecretBytes((credential.expiresAt.map { #"","Expiration":"\#($0.iso8601)"# } ?? "") + #""}"#))
    return SecretBytes(count: pieces.reduce(0) { $0 + $1.count }) { form in
      var offset = 0
      for piece in pieces {
        piece.withBytes { UnsafeMutableRawBufferPointer(rebasing: form[offset..<offset + $0.count]).copyMemory(from: $0) }
        offset += piece.count
      }
    }
  }
}
