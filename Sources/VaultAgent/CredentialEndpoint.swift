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
    let token: SecretBytes
    /// Where the token stands instead of in the program's environment: for a container, into which the file is mounted.
    var tokenFile: String?
  }

  private struct Entry {
    let id: String
    /// Lies ready; the answer of every request until the next session.
    var response: LoopbackServer.Response
    var expiresAt: Timestamp
    var requests = 0
  }
  private struct State {
    /// By the hash of the token: what is compared is never the token itself.
    var entries: [[UInt8]: Entry] = [:]
    var server: LoopbackServer?
  }
  private let state = Mutex(State())
  private let clock: any WallClock
  private let limits = LoopbackServer.Limits(connections: 512, idle: 10, memory: 16 * 1_024)

  private let tokenFolder: String

  /// - Parameter tokenFolder: for tokens in files; in memory (`XDG_RUNTIME_DIR`), and ours alone.
  init(clock: any WallClock, tokenFolder: String) {
    self.clock = clock
    self.tokenFolder = tokenFolder
    // What an agent that was killed left there opens nothing any more.
    for name in LeaseToken.names(in: tokenFolder) { unlink(tokenFolder + "/" + name) }
  }

  var count: Int { state.withLock { $0.entries.count } }

  /// Opens a lease; with the first one the port.
  func open(_ credential: Credential, inFile: Bool = false) throws -> Lease {
    let token = SecretBytes.random(count: 32).withBytes { base64URL($0) }
    let entry = Entry(
      id: Identifier.make("lse"), response: Self.response(credential), expiresAt: credential.expiresAt ?? clock.now())
    let file = inFile ? try LeaseToken.write(token, to: tokenFolder, lease: entry.id) : nil
    let port = try state.withLock { state in
      let server = try state.server ?? makeServer()
      state.server = server
      state.entries[token.withBytes { Self.hash($0) }] = entry
      return server.port
    }
    return Lease(id: entry.id, url: "http://127.0.0.1:\(port)\(Self.path)", token: token, tokenFile: file)
  }

  /// Puts new credentials in the place of those that a lease serves.
  func update(_ id: String, _ credential: Credential) {
    let response = Self.response(credential)
    state.withLock { state in
      for (hash, entry) in state.entries where entry.id == id {
        state.entries[hash]?.response = response
        state.entries[hash]?.expiresAt = credential.expiresAt ?? entry.expiresAt
      }
    }
  }

  /// Ends a lease; with the last one the port is closed.
  ///
  /// - Returns: how many requests it had; nil where it had ended.
  func close(_ id: String) -> Int? {
    unlink(LeaseToken.path(tokenFolder, lease: id))
    let (requests, server) = state.withLock { state -> (Int?, LoopbackServer?) in
      guard let found = state.entries.first(where: { $0.value.id == id }) else { return (nil, nil) }
      state.entries[found.key] = nil
      guard state.entries.isEmpty else { return (found.value.requests, nil) }
      defer { state.server = nil }
      return (found.value.requests, state.server)
    }
    // The last reference: it waits for its thread, which may want the lock.
    _ = server
    return requests
  }

  func closeAll() {
    let server = state.withLock { state in
      for entry in state.entries.values { unlink(LeaseToken.path(tokenFolder, lease: entry.id)) }
      defer { state = State() }
      return state.server
    }
    _ = server
  }

  private func makeServer() throws(AgentError) -> LoopbackServer {
    try LoopbackServer(limits: limits, ownUserOnly: true) { [weak self] request, port in
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
    guard headers.hosts == 1, headers.host == "127.0.0.1:\(port)" else { return Self.refusal(403, "AccessDenied", "wrong host") }
    guard !headers.isBrowser else { return Self.refusal(403, "AccessDenied", "no browser is served") }
    guard headers.tokens == 1 else { return Self.refusal(401, "AccessDenied", "one token is needed") }
    let hash = headers.tokenHash
    let now = clock.now()
    let found = state.withLock { state -> (response: LoopbackServer.Response, isAlive: Bool)? in
      // Every entry is looked at, each in constant time.
      var match: [UInt8]?
      for known in state.entries.keys where Self.areEqual(known, hash) { match = known }
      guard let match, let entry = state.entries[match] else { return nil }
      state.entries[match]?.requests += 1
      return (entry.response, entry.expiresAt > now)
    }
    guard let found else { return Self.refusal(403, "AccessDenied", "unknown token") }
    guard found.isAlive else { return Self.refusal(503, "Unavailable", "the session is over and could not be renewed yet") }
    return found.response
  }

  /// What of a request's headers decides.
  private struct Headers {
    var hosts = 0
    var host = ""
    var tokens = 0
    var tokenHash: [UInt8] = []
    var isBrowser = false

    mutating func take(_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>) {
      if strcasecmp(name, "host") == 0 {
        hosts += 1
        host = String(cString: value)
      } else if strcasecmp(name, "authorization") == 0 {
        tokens += 1
        tokenHash = CredentialEndpoint.hash(UnsafeRawBufferPointer(start: value, count: strlen(value)))
      } else if strcasecmp(name, "origin") == 0 || strcasecmp(name, "referer") == 0 || strncasecmp(name, "sec-fetch-", 10) == 0 {
        isBrowser = true
      }
    }
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
