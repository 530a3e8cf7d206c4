import TestSupport
import Testing
import VaultDatabase
import VaultModel

@testable import VaultStore

/// What stands beside a sealed secret in the clear cannot be changed without the secret being refused.
@Suite struct BindingTests {
  @Test(
    "a session of which a column was changed that says what the secret is, or for how long, is refused",
    arguments: [
      "access_key_id = 'ASIAOTHEROTHEROTHER'", "role_arn = 'arn:aws:iam::123456789012:role/admin'", "role_arn = NULL",
      "kind = 'token'", "issued_at = issued_at - 1", "expires_at = expires_at + 3600000",
    ])
  func session(change: String) async throws {
    let opened = try await OpenedStore()
    let session = try await opened.issue()
    try opened.tamper("UPDATE session SET \(change)")
    await #expect(throws: SealError.notAuthentic(row: "session \(session.id)")) { try await opened.deliver() }
  }

  @Test("two sessions of one profile and role that were asked for differently cannot be exchanged")
  func fingerprints() async throws {
    let opened = try await OpenedStore()
    let narrow = try await opened.issue(fingerprint: "with a session policy")
    let wide = try await opened.issue(fingerprint: "without")
    try opened.tamper(
      """
      UPDATE session SET fingerprint = 'x' WHERE id = '\(narrow.id)';
      UPDATE session SET fingerprint = 'with a session policy' WHERE id = '\(wide.id)';
      UPDATE session SET fingerprint = 'without' WHERE id = '\(narrow.id)'
      """)
    await #expect(throws: SealError.notAuthentic(row: "session \(wide.id)")) {
      try await opened.deliver(fingerprint: "with a session policy")
    }
    await #expect(throws: SealError.notAuthentic(row: "session \(narrow.id)")) {
      try await opened.deliver(fingerprint: "without")
    }
  }

  @Test("a session moved to another profile is refused")
  func profile() async throws {
    let opened = try await OpenedStore()
    let session = try await opened.issue("app-dev")
    try opened.tamper("UPDATE session SET profile_id = (SELECT id FROM profile WHERE name = 'app-prod')")
    await #expect(throws: SealError.notAuthentic(row: "session \(session.id)")) { try await opened.deliver("app-prod") }
  }

  @Test(
    "an access key under another name, or with another id, is refused", arguments: ["name = 'bob'", "access_key_id = 'AKIAX'"])
  func accessKey(change: String) async throws {
    let opened = try await OpenedStore()
    try await opened.store.addAccessKey(
      name: "alice", credential: opened.credential("AKIAIOSFODNN7EXAMPLE", expiresAt: nil), mfaSerial: nil,
      requester: OpenedStore.me)
    try opened.tamper("UPDATE access_key SET \(change)")
    let record = try #require(try await opened.store.accessKeys().first)
    await #expect(throws: SealError.notAuthentic(row: "access_key \(record.id)")) {
      try await opened.store.openAccessKey(name: record.name)
    }
  }
}
