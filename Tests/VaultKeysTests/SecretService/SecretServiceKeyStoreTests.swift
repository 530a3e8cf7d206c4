import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import VaultKeys

extension VaultKeysTests {
  @Suite("Secret Service")
  struct SecretServiceKeyStoreTests {
    private let vault = "vlt_test"

    private func store(_ session: KeyringSession, vaultId: String? = nil) -> SecretServiceKeyStore {
      SecretServiceKeyStore(
        vaultId: vaultId ?? vault, busAddress: session.busAddress, timeouts: .init(answer: 20, prompt: 20))
    }

    @Test("a key that was written is read back, listed, and gone once removed")
    func roundTrip() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = store(session)
      #expect(try await store.list().isEmpty)
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      #expect(try await store.read(id).equals(key))
      #expect(try await store.list() == [KeyStoreItem(id: id, isLocked: false)])
      try await store.remove(id)
      await #expect(throws: KeyStoreError.keyMissing(id)) { try await store.read(id) }
      #expect(try await store.list().isEmpty)
      try await store.remove(id)
    }

    @Test("an item says whose key it is, holds 64 digits, and stands in the default collection")
    func itemForm() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store(session).write(key, as: id)
      let paths = try session.items("key-id", id.description)
      #expect(paths.count == 1 && paths[0].hasPrefix(KeyringSession.login + "/"))
      let item = try session.call(at: paths[0], "org.freedesktop.DBus.Properties.GetAll", "org.freedesktop.Secret.Item")
      for part in ["'vault master key (\(id))'", "'application': 'vault'", "'kind': 'master-key'", "'vault-id': '\(vault)'"] {
        #expect(item.contains(part))
      }
      // Read by a program that is not ours.
      let text = try session.run("secret-tool", ["lookup", "key-id", id.description])
      let digits = key.withBytes { $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
      #expect(text == digits)
    }

    @Test("a key that is there is never replaced, and the same key may be written again")
    func neverReplaced() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = store(session)
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      try await store.write(key, as: id)
      await #expect(throws: KeyStoreError.keyExists(id)) { try await store.write(.random(count: 32), as: id) }
      #expect(try await store.read(id).equals(key))
      #expect(try session.items("key-id", id.description).count == 1)
    }

    @Test("two vaults in one keyring do not see each other's keys")
    func vaultsApart() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let (mine, other) = (store(session, vaultId: "vlt_a"), store(session, vaultId: "vlt_b"))
      let (id, keyA, keyB) = (KeyID.random(), SecretBytes.random(count: 32), SecretBytes.random(count: 32))
      try await mine.write(keyA, as: id)
      #expect(try await other.list().isEmpty)
      await #expect(throws: KeyStoreError.keyMissing(id)) { try await other.read(id) }
      try await other.write(keyB, as: id)
      try await other.remove(id)
      #expect(try await mine.read(id).equals(keyA))
    }

    @Test("a keyring that was locked is locked, not empty, and serves again once unlocked")
    func locked() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = store(session)
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      for _ in 1...3 {
        try session.lock()
        let refused = KeyStoreError.promptDismissed(collection: "Login")
        await #expect(throws: refused) { try await store.read(id) }
        await #expect(throws: refused) { try await store.write(.random(count: 32), as: .random()) }
        await #expect(throws: refused) { try await store.remove(id) }
        #expect(try await store.list() == [KeyStoreItem(id: id, isLocked: true)])
        // A key that was never there is not told as missing by a locked keyring either.
        await #expect(throws: refused) { try await store.read(.random()) }
        try session.start(password: "pw")
        #expect(try await store.read(id).equals(key))
      }
    }

    @Test("the same store reads the key after each of 50 kills of the daemon, and finds it locked in between")
    func restarts() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = store(session)
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      for round in 1...50 {
        try session.kill()
        if round % 5 == 0 {
          // The bus starts a daemon that knows no password.
          await #expect(throws: KeyStoreError.promptDismissed(collection: "Login")) { try await store.read(id) }
          #expect(try await store.list() == [KeyStoreItem(id: nil, isLocked: true)])
        }
        try session.start(password: "pw")
        #expect(try await store.read(id).equals(key), "round \(round)")
      }
      #expect(try session.items("application", "vault").count == 1)
    }

    @Test("killing the daemon during reads never makes a key look missing")
    func killedWhileReading() async throws {
      // Its keyring opens without a password, so that a daemon that the bus starts can serve.
      let session = try KeyringSession(.blankPassword)
      let store = store(session)
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      var served = 0
      for _ in 1...50 {
        async let reading = outcome(of: id, store)
        try session.kill()
        let outcome = await reading
        switch outcome {
        case .success(let read):
          #expect(read.equals(key))
          served += 1
        case .failure(.other), .failure(.noService), .failure(.locked): break
        case .failure(let error): Issue.record("\(error)")
        }
      }
      #expect(served > 0)
      #expect(try await store.read(id).equals(key))
    }

    @Test("a keyring with an empty password opens without a word, though it says that it is locked")
    func blankPassword() async throws {
      let session = try KeyringSession(.blankPassword)
      let store = store(session)
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      for _ in 1...3 {
        try session.kill()
        #expect(try session.isLocked())
        #expect(try await store.read(id).equals(key))
      }
    }

    @Test("a deleted item is a missing key")
    func itemGone() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = store(session)
      let id = KeyID.random()
      try await store.write(.random(count: 32), as: id)
      try session.delete(item: try #require(try session.items("key-id", id.description).first))
      await #expect(throws: KeyStoreError.keyMissing(id)) { try await store.read(id) }
    }

    @Test(
      "an item that holds no key is damaged",
      arguments: [
        "", "secret", String(repeating: "0", count: 63), String(repeating: "g", count: 64), String(repeating: "0", count: 65),
      ])
    func damagedItem(secret: String) async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let id = KeyID.random()
      try plant(secret, id, session, label: "a")
      await #expect(throws: KeyStoreError.damaged(id, path: nil, reason: "it is not 64 hexadecimal digits")) {
        try await store(session).read(id)
      }
    }

    @Test("two items under one name that differ are damaged, and two that are the same are one key")
    func twoItems() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      let store = store(session)
      try await store.write(key, as: id)
      // A copy, as a keyring that was merged with its own backup has it.
      let text = SecretHex.encoded(key).withBytes { String(decoding: $0, as: UTF8.self) }
      try plant(text, id, session, label: "b", "copy", "1")
      #expect(try session.items("key-id", id.description).count == 2)
      #expect(try await store.read(id).equals(key))
      try plant(String(repeating: "0", count: 64), id, session, label: "c", "copy", "2")
      await #expect(throws: KeyStoreError.damaged(id, path: nil, reason: "two items hold different keys")) {
        try await store.read(id)
      }
    }

    @Test("a key is not put in a collection that ends with the session, and one stored before is still found")
    func volatileDefault() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = store(session)
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      try session.call("org.freedesktop.Secret.Service.SetAlias", "default", "/org/freedesktop/secrets/collection/session")
      await #expect(throws: KeyStoreError.volatileCollection) { try await store.write(.random(count: 32), as: .random()) }
      #expect(try await store.read(id).equals(key))
    }

    @Test("without a default collection nothing is made, and nothing is called missing")
    func noDefault() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      try session.call(at: KeyringSession.login, "org.freedesktop.Secret.Collection.Delete")
      let before = try collections(session)
      let store = store(session)
      await #expect(throws: KeyStoreError.noDefaultCollection) { try await store.write(.random(count: 32), as: .random()) }
      await #expect(throws: KeyStoreError.noDefaultCollection) { try await store.read(.random()) }
      await #expect(throws: KeyStoreError.noDefaultCollection) { try await store.list() }
      #expect(try collections(session) == before)
    }

    @Test("a bus without a Secret Service says so")
    func noService() async throws {
      let session = try KeyringSession(.none)
      let store = store(session)
      await #expect(throws: KeyStoreError.noService) { try await store.read(.random()) }
      await #expect(throws: KeyStoreError.noService) { try await store.write(.random(count: 32), as: .random()) }
      await #expect(throws: KeyStoreError.noService) { try await store.list() }
    }

    @Test("no bus says so: none named, none there, no address, gone meanwhile")
    func noBus() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let survivor = store(session)
      try await survivor.write(.random(count: 32), as: .random())
      session.killBus()
      let stores = [
        SecretServiceKeyStore(vaultId: vault, busAddress: nil),
        SecretServiceKeyStore(vaultId: vault, busAddress: "unix:path=/nonexistent/bus"),
        SecretServiceKeyStore(vaultId: vault, busAddress: "nonsense"), survivor,
      ]
      for store in stores {
        let error = await #expect(throws: KeyStoreError.self) { try await store.list() }
        guard case .noSessionBus = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
        #expect(error?.exitStatus == .unavailable)
        #expect(error?.hint?.contains("VAULT_KEYSTORE=passphrase") == true)
      }
    }

    @Test("a service that hangs costs the deadline and no more, and serves again when it wakes")
    func frozenService() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = SecretServiceKeyStore(vaultId: vault, busAddress: session.busAddress, timeouts: .init(answer: 1, prompt: 1))
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      try session.freeze()
      let took = await ContinuousClock().measure {
        await #expect(throws: KeyStoreError.timedOut(seconds: 1)) { try await store.read(id) }
      }
      try session.thaw()
      // Without a deadline it would be D-Bus's own 25 seconds, or for ever.
      #expect(took < .seconds(15))
      #expect(try await store.read(id).equals(key))
    }

    @Test("a bus that hangs costs the deadline and no more")
    func frozenBus() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let store = SecretServiceKeyStore(vaultId: vault, busAddress: session.busAddress, timeouts: .init(answer: 1, prompt: 1))
      session.freezeBus()
      let took = await ContinuousClock().measure {
        await #expect(throws: KeyStoreError.timedOut(seconds: 1)) { try await store.list() }
      }
      session.thawBus()
      // Without a deadline it would be D-Bus's own 25 seconds, or for ever.
      #expect(took < .seconds(15))
    }

    @Test("a prompt that nobody answers is taken down after its own deadline")
    func silentPrompt() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"), prompter: .silent)
      let store = SecretServiceKeyStore(vaultId: vault, busAddress: session.busAddress, timeouts: .init(answer: 1, prompt: 2))
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      try session.lock()
      let took = await ContinuousClock().measure {
        await #expect(throws: KeyStoreError.promptUnanswered(seconds: 2)) { try await store.read(id) }
      }
      #expect(took >= .seconds(2) && took < .seconds(20))
      try session.start(password: "pw")
      #expect(try await store.read(id).equals(key))
    }

    @Test("a service that ends while its prompt is shown is not waited for")
    func serviceEndsDuringPrompt() async throws {
      let session = try KeyringSession(.unlocked(password: "pw"), prompter: .silent)
      let store = SecretServiceKeyStore(vaultId: vault, busAddress: session.busAddress, timeouts: .init(answer: 20, prompt: 300))
      let (id, key) = (KeyID.random(), SecretBytes.random(count: 32))
      try await store.write(key, as: id)
      try session.lock()
      let read = Task { try await store.read(id) }
      try session.waitUntilAsked()
      let killed = ContinuousClock.now
      try session.kill()
      await #expect(throws: KeyStoreError.other("the service exited while its prompt was open")) { try await read.value }
      #expect(ContinuousClock.now - killed < .seconds(60))
      try session.start(password: "pw")
      #expect(try await store.read(id).equals(key))
    }

    private func outcome(of id: KeyID, _ store: SecretServiceKeyStore) async -> Result<SecretBytes, KeyStoreError> {
      do throws(KeyStoreError) { return .success(try await store.read(id)) } catch { return .failure(error) }
    }

    private func plant(_ secret: String, _ id: KeyID, _ session: KeyringSession, label: String, _ more: String...) throws {
      try session.run(
        "secret-tool",
        [
          "store", "--label=\(label)", "application", "vault", "kind", "master-key", "vault-id", vault, "key-id", id.description,
          "xdg:schema", "vault.MasterKey",
        ] + more,
        input: secret)
    }

    private func collections(_ session: KeyringSession) throws -> String {
      try session.call("org.freedesktop.DBus.Properties.Get", "org.freedesktop.Secret.Service", "Collections")
    }
  }
}
