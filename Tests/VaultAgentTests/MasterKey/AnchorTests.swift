import Synchronization
import TestSupport
import Testing
import VaultKeys
import VaultModel
import VaultSecrets

@testable import VaultAgent

/// A key store that counts the heads it is given.
private final class CountingStore: KeyStore {
  let kind = KeyStoreKind.passphrase
  private let checkpoints = Mutex<[String]>([])
  var count: Int { checkpoints.withLock { $0.count } }

  func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes { throw .keyMissing(id) }
  func write(_ key: SecretBytes, as id: KeyID) async throws(KeyStoreError) {}
  func remove(_ id: KeyID) async throws(KeyStoreError) {}
  func list() async throws(KeyStoreError) -> [KeyStoreItem] { [] }
  func readCheckpoint() async throws(KeyStoreError) -> String? { checkpoints.withLock { $0.last } }
  func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError) { checkpoints.withLock { $0.append(line) } }
}

@Suite struct AnchorTests {
  @Test("heads of deliveries are gathered for a minute; what was minted or changed is in the key store ten seconds later")
  func gathered() async throws {
    let stage = try await StoreStage(profiles: ["a"], AnsweringTransport { _ in "" })
    let keys = CountingStore()
    let masterKeys = MasterKeyService(store: stage.store, defaultStore: .passphrase, clock: stage.clock, events: stage.events) {
      _ in
      keys
    }
    try await stage.store.resumeAudit(anchoredCheckpoint: nil, requester: StoreStage.me)
    func pass(_ seconds: Int64, _ count: Int) async {
      while stage.clock.sleeping == 0 { await Task.yield() }
      stage.clock.advance(seconds: seconds)
      let limit = ContinuousClock.now + .seconds(10)
      while keys.count < count, ContinuousClock.now < limit { await Task.yield() }
    }
    masterKeys.recordRows(isDelivery: true, clock: stage.clock)
    await pass(10, 1)
    try #require(keys.count == 1)
    // One a second: the next head is due a minute after the last.
    for _ in 0..<59 {
      masterKeys.recordRows(isDelivery: true, clock: stage.clock)
      await pass(1, 1)
    }
    #expect(keys.count == 1)
    await pass(1, 2)
    #expect(keys.count == 2)
    masterKeys.recordRows(isDelivery: true, clock: stage.clock)
    masterKeys.recordRows(isDelivery: false, clock: stage.clock)
    while stage.clock.sleeping < 2 { await Task.yield() }
    await pass(10, 3)
    #expect(keys.count == 3)
  }
}
