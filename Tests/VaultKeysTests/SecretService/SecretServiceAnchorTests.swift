import TestSupport
import Testing

@testable import VaultKeys

extension VaultKeysTests {
  /// The head of the audit log in the keyring: what the agent writes without anybody having asked.
  @Suite("Secret Service: the head of the log")
  struct SecretServiceAnchorTests {
    private func store(_ session: KeyringSession) -> SecretServiceKeyStore {
      SecretServiceKeyStore(
        vaultId: "vlt_test", busAddress: session.busAddress, timeouts: .init(answer: 20, prompt: 20))
    }

    @Test("the head of the log is set in one item, over one connection, which a restarted service does not make stale")
    func anchoredCheckpoint() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = store(session)
      try await store.writeCheckpoint("head 0", mayAsk: false)
      let items = try session.items("application", "vault", kind: "audit-head")
      let before = try session.connections()
      for number in 1...5 {
        try await store.writeCheckpoint("head \(number)", mayAsk: false)
        #expect(try await store.readCheckpoint() == "head \(number)")
      }
      // The one more is that of the question.
      #expect(try session.connections() == before + 1)
      #expect(try session.items("application", "vault", kind: "audit-head") == items && items.count == 1)
      try session.start(password: "pw")
      try await store.writeCheckpoint("head 6", mayAsk: false)
      #expect(try await store.readCheckpoint() == "head 6")
    }

    @Test("writing the head asks nobody anything, whether or not it has an item already", arguments: [true, false])
    func anchorWhileLocked(hasItem: Bool) async throws {
      let session = try KeyringSession(.unlocked(password: "pw"), prompter: .silent)
      let store = store(session)
      if hasItem { try await store.writeCheckpoint("head 0", mayAsk: false) }
      try session.lock()
      let start = ContinuousClock.now
      await #expect(throws: KeyStoreError.locked(collection: "Login")) {
        try await store.writeCheckpoint("head 1", mayAsk: false)
      }
      #expect(ContinuousClock.now - start < .seconds(5))
      #expect(!session.wasAsked)
      try session.start(password: "pw")
      #expect(try await store.readCheckpoint() == (hasItem ? "head 0" : nil))
    }
  }
}
