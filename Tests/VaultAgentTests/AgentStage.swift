import AWSClient
import Synchronization
import TestSupport
import VaultDatabase
import VaultKeys
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

@testable import VaultAgent

/// The agent's parts on a real store, over a network, a key store, a clock and a person that do as a test says.
///
/// Two profiles: `base`, an access key, and `app`, a role over it.
struct AgentStage {
  let folder = TemporaryDirectory()
  let clock = FakeClock()
  let keys = CountingKeyStore()
  let events = AgentEvents()
  let aws: FakeAWS
  let store: VaultStore
  let masterKeys: MasterKeyService
  let catalog: ProfileCatalog
  let clients: Clients
  let endpoint: CredentialEndpoint
  let redirect: OneTimeRedirect
  let ssoSessions: SSOSessions
  let issuer: CredentialIssuer
  let broker: Broker
  let trees: AutomationTrees

  static let me = StoreStage.me
  static let role = "arn:aws:iam::123456789012:role/dev"

  init() async throws {
    let (clock, keys, events) = (clock, keys, events)
    aws = FakeAWS(clock: clock)
    store = try await VaultStore(path: folder.file("vault.db"), clock: clock, host: Self.me) {
      events.report(.store($0))
    }
    masterKeys = MasterKeyService(store: store, defaultStore: .passphrase, clock: clock, events: events) { _ in keys }
    try await masterKeys.ensureUnlocked(for: NonInteractivePrompter(), requester: Self.me)
    catalog = ProfileCatalog(
      store: store, masterKeys: masterKeys, reader: try VaultReader(path: folder.file("vault.db"), isBrief: false),
      defaultSessionName: RoleSessionName(cleaning: "alice@laptop"), clock: clock)
    clients = Clients(transport: aws, clock: clock)
    endpoint = CredentialEndpoint(clock: clock, events: events, tokenFolder: folder.path)
    redirect = OneTimeRedirect(clock: clock, rejections: endpoint.rejections)
    ssoSessions = SSOSessions(
      store: store, clients: clients, clock: clock, redirect: redirect, rejections: endpoint.rejections)
    issuer = CredentialIssuer(store: store, clients: clients, ssoSessions: ssoSessions, clock: clock)
    trees = AutomationTrees(store: store, loop: store.executor.loop, agent: Self.me, clock: clock)
    broker = Broker(
      store: store, catalog: catalog, masterKeys: masterKeys,
      gatekeeper: Gatekeeper(
        rules: LiveGuardRules([folder.file("config")], home: nil),
        trees: trees,
        approvals: Approvals(channels: [], clock: clock, onExit: { _, _ in }, record: { [store] in try await store.record($0) }),
        store: store, catalog: catalog, clock: clock, client: "/usr/bin/vault"),
      issuer: issuer, endpoint: endpoint, loop: store.executor.loop,
      events: events,
      files: CredentialFiles(clock: clock), agent: Self.me, clock: clock)
    let key = Credential(
      accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: SecretBytes("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
      sessionToken: nil, expiresAt: nil)
    try await catalog.addAccessKey("base", key, mfaSerial: nil, replace: false, requester: Self.me)
    try await put("app", ["role_arn=\(Self.role)", "source_profile=base", "region=eu-west-1"])
  }

  func put(_ profile: String, _ settings: [String]) async throws {
    try await catalog.put(
      [ProfileChange { ($0.name, $0.set) = (profile, settings) }], requester: Self.me,
      prompter: NonInteractivePrompter())
  }

  /// What a program that asks for a profile is given.
  func issue(_ profile: String = "app", prompter: any Prompter = NonInteractivePrompter()) async throws -> Credential {
    try await broker.issue(CredentialRequest(rotating: profile), to: Self.me, prompter: prompter).credential
  }

  func plan(_ profile: String) async throws -> CredentialPlan {
    try await catalog.plan(
      for: profile, duration: nil, sessionName: nil, environment: [:], prompter: NonInteractivePrompter(), requester: Self.me)
  }

  /// The log's rows of an action.
  func rows(_ action: AuditAction) async throws -> [AuditRecord] {
    try await store.auditRows(after: 0, maximum: 10_000).filter { $0.event.action == action }
  }
}

/// AWS: numbers the credentials that it issues, unless it is to refuse or cannot be reached.
final class FakeAWS: HTTPTransport {
  enum Fault: Sendable {
    case unreachable
    /// The error code of an answer.
    case refused(String)
  }
  private struct State {
    var asked: [(url: String, body: String)] = []
    var faults: [Fault] = []
    var always: Fault?
  }
  private static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
  private let clock: FakeClock
  private let state = Mutex(State())

  init(clock: FakeClock) { self.clock = clock }

  var asked: [(url: String, body: String)] { state.withLock { $0.asked } }

  /// What meets the next calls, one each.
  func fail(next faults: Fault?...) { state.withLock { $0.faults = faults.compactMap { $0 } } }
  /// What meets every call from now on.
  func fail(always fault: Fault?) { state.withLock { $0.always = fault } }

  func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
    let body = request.body.withBytes { String(decoding: $0, as: UTF8.self) }
    let (number, fault) = state.withLock { state in
      state.asked.append((request.url, body))
      return (state.asked.count, state.faults.isEmpty ? state.always : state.faults.removeFirst())
    }
    // Others that ask meanwhile come to wait for the same answer.
    for _ in 0..<1_000 { await Task.yield() }
    switch fault {
    case .unreachable: throw .tls(host: "sts", why: "no certificate")
    case .refused(let code):
      return response(
        403, "<ErrorResponse><Error><Code>\(code)</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>")
    case nil: break
    }
    if request.url.hasPrefix("https://oidc.") {
      return response(200, #"{"accessToken":"token-\#(number)","expiresIn":28800,"refreshToken":"refresh-\#(number)"}"#)
    }
    let fields = body.split(separator: "&")
    let arn = fields.first { $0.hasPrefix("RoleArn=") }.map { String($0.dropFirst(8)) } ?? ""
    var name = fields.first { $0.hasPrefix("RoleSessionName=") }.map { String($0.dropFirst(16)) } ?? ""
    for (code, character) in [("%40", "@"), ("%2B", "+"), ("%3D", "="), ("%2C", ",")] { name.replace(code, with: character) }
    let role = arn.split(separator: "%2F").last.map(String.init) ?? "dev"
    let action = body.contains("Action=GetSessionToken") ? "GetSessionToken" : "AssumeRole"
    return response(
      200,
      """
      <\(action)Response><\(action)Result>
      <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/\(role)/\(name)</Arn></AssumedRoleUser>
      <Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPL\(number % 10)</AccessKeyId><SecretAccessKey>\(Self.secret)</SecretAccessKey>
      <SessionToken>IQoJb3JpZ2luX2VjEXAMPLETOKEN</SessionToken><Expiration>\(clock.now().adding(seconds: 3_600).iso8601)</Expiration></Credentials>
      </\(action)Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></\(action)Response>
      """)
  }

  private func response(_ status: Int, _ body: String) -> HTTPResponse {
    HTTPResponse(status: status, headers: [], body: SecretBytes(body))
  }
}

/// A person who gives prepared answers, in order, and then none.
final class ScriptedPrompter: Prompter {
  private struct NoAnswer: Error {}
  private let state: Mutex<(answers: [String], questions: [String])>
  var questions: [String] { state.withLock { $0.questions } }

  init(_ answers: String...) { state = Mutex((answers, [])) }

  func ask(_ question: Question) async throws -> SecretBytes {
    let answer = state.withLock { state in
      state.questions.append(question.text)
      return state.answers.isEmpty ? nil : state.answers.removeFirst()
    }
    guard let answer else { throw NoAnswer() }
    return SecretBytes(answer)
  }

  func notice(_ text: String) {}
  func progress(_ text: String) {}
  func show(_ page: Page) {}
}

/// A key store in memory that counts how often it is read.
final class CountingKeyStore: KeyStore {
  let kind = KeyStoreKind.passphrase
  private let inner = EphemeralKeyStore(hasOwnFolder: true)
  private let count = Mutex(0)
  var reads: Int { count.withLock { $0 } }

  func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes {
    count.withLock { $0 += 1 }
    for _ in 0..<1_000 { await Task.yield() }
    return try await inner.read(id)
  }
  func write(_ key: SecretBytes, as id: KeyID) async throws(KeyStoreError) { try await inner.write(key, as: id) }
  func remove(_ id: KeyID) async throws(KeyStoreError) { try await inner.remove(id) }
  func list() async throws(KeyStoreError) -> [KeyStoreItem] { try await inner.list() }
  func readCheckpoint() async throws(KeyStoreError) -> String? { try await inner.readCheckpoint() }
  func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError) {
    try await inner.writeCheckpoint(line, mayAsk: mayAsk)
  }
}
