import AWSClient
import Synchronization
import TestSupport
import VaultModel
import VaultSecrets
import VaultStore

@testable import VaultAgent

/// A store with a key, on a clock that stands still, and what asks AWS through a transport of the test's own.
struct StoreStage {
  let folder = TemporaryDirectory()
  let clock = FakeClock()
  let events = AgentEvents()
  let store: VaultStore
  let issuer: CredentialIssuer

  static let me = Requester(
    user: "alice", uid: 1_000, pid: 42, program: "./run", executable: "/usr/bin/vault", directory: "/home/alice",
    parent: "/bin/sh",
    host: "laptop")

  init(profiles: [String], _ transport: any HTTPTransport) async throws {
    store = try await VaultStore(path: folder.file("vault.db"), clock: clock, host: Self.me)
    try await store.create(key: SecretBytes.random(count: 32), id: KeyID.random(), store: "passphrase", requester: Self.me)
    try await store.putProfiles(
      profiles.map { ($0, [], ProfileSummary(name: $0, kind: .assumeRole)) }, requester: Self.me)
    let clients = Clients(transport: transport, clock: clock)
    let rejections = RejectionMonitor(clock: clock, events: events)
    let ssoSessions = SSOSessions(
      store: store, clients: clients, clock: clock, redirect: OneTimeRedirect(clock: clock, rejections: rejections),
      rejections: rejections)
    issuer = CredentialIssuer(store: store, clients: clients, ssoSessions: ssoSessions, clock: clock)
  }
}

/// Answers every request by what a test makes of it.
final class AnsweringTransport: HTTPTransport {
  private let answer: @Sendable (HTTPRequest) -> String
  private let state = Mutex<[String]>([])
  /// What was asked, without queries.
  var asked: [String] { state.withLock { $0 } }

  init(_ answer: @escaping @Sendable (HTTPRequest) -> String) { self.answer = answer }

  func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
    state.withLock { $0.append(request.url) }
    return HTTPResponse(status: 200, headers: [], body: SecretBytes(answer(request)))
  }
}
