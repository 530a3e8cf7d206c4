import Foundation
import Synchronization
import TestSupport
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

/// A store on a real file in a folder of its own, with a key, a profile and a clock that stands still.
final class OpenedStore: Sendable {
  let folder = TemporaryDirectory()
  let clock = FakeClock()
  let store: VaultStore
  let key: SecretBytes
  let keyId = KeyID.random()
  /// Transactions that added rows.
  let commits = Counter()

  final class Counter: Sendable {
    let value = Atomic(0)
  }

  static let me = Requester(
    user: "alice", uid: 1_000, pid: 42, program: "./run", executable: "/usr/bin/vault", directory: "/home/alice/app",
    parent: "/bin/sh",
    host: "laptop")
  static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
  static let token = "IQoJb3JpZ2luX2VjEXAMPLETOKENEXAMPLETOKEN"

  var path: String { folder.file("vault.db") }

  init(profiles: [String] = ["app-dev", "app-prod"]) async throws {
    key = SecretBytes.random(count: 32)
    store = try await VaultStore(path: folder.file("vault.db"), clock: clock, host: Self.me) { [commits] in
      if case .rowsAdded = $0 { commits.value.add(1, ordering: .relaxed) }
    }
    try await store.create(key: key, id: keyId, store: "passphrase", requester: Self.me)
    let region = Setting(name: "region", value: .text("us-east-1"), origin: .vault)
    try await store.putProfiles(
      profiles.map { ($0, [region], ProfileSummary(name: $0, kind: .assumeRole)) }, requester: Self.me)
  }

  /// The same file, opened again as a new agent would.
  func reopened() async throws -> VaultStore {
    let again = try await reopenedLocked()
    try await again.unlock(key: key, id: keyId)
    return again
  }

  func reopenedLocked() async throws -> VaultStore {
    try await store.close()
    return try await VaultStore(path: path, clock: clock, host: Self.me)
  }

  func event(_ action: AuditAction, _ outcome: AuditOutcome = .success, profile: String = "app-dev") -> AuditEvent {
    AuditEvent(action: action, outcome: outcome, trigger: .exec, profile: profile, requester: Self.me)
  }

  /// Issues a session as the broker does: intent, then everything at once.
  @discardableResult
  func issue(_ profile: String = "app-dev", fingerprint: String = "f", life: Int64 = 3_600, in store: VaultStore? = nil)
    async throws -> SessionRecord
  {
    let store = store ?? self.store
    let now = clock.now()
    let session = SessionRecord(
      id: Identifier.make("ses"), profile: profile, kind: .role, fingerprint: fingerprint,
      roleARN: "arn:aws:iam::123456789012:role/\(profile)",
      roleSessionName: "alice@laptop", sourceIdentity: nil, accessKeyId: "ASIA" + Identifier.make("x").suffix(16).uppercased(),
      issuedAt: now,
      expiresAt: now.adding(seconds: life))
    let intent = try await store.begin(event(.assumeRole, profile: profile))
    try await store.complete(
      intent, session: session, credential: credential(session.accessKeyId, expiresAt: session.expiresAt),
      event: event(.assumeRole, profile: profile))
    return session
  }

  func credential(_ id: String, expiresAt: Timestamp?) -> Credential {
    Credential(
      accessKeyId: id, secretAccessKey: SecretBytes(Self.secret), sessionToken: SecretBytes(Self.token), expiresAt: expiresAt)
  }

  func deliver(_ profile: String = "app-dev", fingerprint: String = "f", from store: VaultStore? = nil) async throws -> Delivery?
  {
    try await (store ?? self.store).deliver(
      profile: profile, fingerprint: fingerprint, freshness: .alive(at: clock.now()), event: event(.deliver, profile: profile))
  }

  /// Changes the file as somebody with an SQLite shell would.
  func tamper(_ sql: String) throws {
    let database = try Database(path: path, access: .readWrite)
    try database.execute(sql)
  }

  func reader() throws -> VaultReader { try VaultReader(path: path) }
}
