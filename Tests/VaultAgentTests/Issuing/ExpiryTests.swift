import AWSClient
import TestSupport
import Testing
import VaultDatabase
import VaultKeys
import VaultModel
import VaultSecrets
import VaultStore

@testable import VaultAgent

@Suite struct ExpiryTests {
  private func broker(_ stage: StoreStage) throws -> Broker {
    let masterKeys = MasterKeyService(store: stage.store, defaultStore: .ephemeral, clock: stage.clock, events: stage.events) {
      _ in
      EphemeralKeyStore(hasOwnFolder: true)
    }
    let catalog = ProfileCatalog(
      store: stage.store, masterKeys: masterKeys, reader: try VaultReader(path: stage.folder.file("vault.db"), isBrief: false),
      defaultSessionName: RoleSessionName(cleaning: "alice@laptop"), clock: stage.clock)
    return Broker(
      store: stage.store, catalog: catalog, masterKeys: masterKeys,
      gatekeeper: Gatekeeper(
        rules: LiveGuardRules([], home: nil),
        trees: AutomationTrees(
          store: stage.store, loop: stage.store.executor.loop, agent: StoreStage.me, clock: stage.clock),
        approvals: Approvals(channels: [], clock: stage.clock, onExit: { _, _ in }, record: { _ in }),
        store: stage.store, catalog: catalog, clock: stage.clock, client: ""),
      issuer: stage.issuer,
      endpoint: CredentialEndpoint(clock: stage.clock, events: stage.events, tokenFolder: stage.folder.path),
      loop: stage.store.executor.loop, events: stage.events,
      files: CredentialFiles(clock: stage.clock), agent: StoreStage.me, clock: stage.clock)
  }

  private func issue(_ profile: String, life: Int64, _ stage: StoreStage) async throws -> SessionRecord {
    let event = AuditEvent(
      action: .assumeRole, outcome: .success, trigger: .exec, profile: profile, requester: StoreStage.me)
    let now = stage.clock.now()
    let session = SessionRecord(
      id: Identifier.make("ses"), profile: profile, kind: .role, fingerprint: "f", roleARN: nil, roleSessionName: nil,
      sourceIdentity: nil, accessKeyId: "ASIAIOSFODNN7EXAMPLE", issuedAt: now, expiresAt: now.adding(seconds: life))
    let secret = SecretBytes("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    try await stage.store.complete(
      try await stage.store.begin(event), session: session,
      credential: Credential(
        accessKeyId: session.accessKeyId, secretAccessKey: secret, sessionToken: secret, expiresAt: session.expiresAt),
      event: event)
    return session
  }

  private func secrets(_ stage: StoreStage) throws -> Int64? {
    try Database(path: stage.folder.file("vault.db"), access: .readOnly)
      .prepare("SELECT count(*) FROM secret WHERE owner_table = 'session'").begin().first { $0.int(0) }
  }

  @Test("a session's sealed secret goes when its time is over: at a start, and then each time without anybody asking")
  func expiry() async throws {
    let stage = try await StoreStage(profiles: ["a", "b", "c"], AnsweringTransport { _ in "" })
    for (profile, life) in [("a", 900), ("b", 1_800), ("c", 3_600)] as [(String, Int64)] {
      _ = try await issue(profile, life: life, stage)
    }
    stage.clock.advance(seconds: 1_000)
    let broker = try broker(stage)
    await broker.endExpired()
    #expect(try secrets(stage) == 2)
    for (step, left) in [(900, 1), (1_800, 0)] as [(Int64, Int64)] {
      while stage.clock.sleeping == 0 { await Task.yield() }
      stage.clock.advance(seconds: step)
      while try secrets(stage) != left { await Task.yield() }
    }
    let rows = try VaultReader(path: stage.folder.file("vault.db"), isBrief: false).sessions(profile: "b", includingEnded: true)
    #expect(rows.map(\.endReason) == [.expired])
  }

  @Test("what was used and is over is picked up by the next agent, and followed by its successor")
  func pickedUp() async throws {
    let stage = try await StoreStage(profiles: ["a", "b"], AnsweringTransport { _ in "" })
    let used = try await issue("a", life: 900, stage)
    _ = try await issue("b", life: 900, stage)
    let event = AuditEvent(action: .deliver, outcome: .success, trigger: .exec, profile: "a", requester: StoreStage.me)
    _ = try await stage.store.deliver(
      profile: "a", fingerprint: "f", freshness: .alive(at: stage.clock.now()), event: event)
    let before = stage.clock.now()
    stage.clock.advance(seconds: 1_000)
    #expect(try await stage.store.endExpired(requester: StoreStage.me) == 2)
    #expect(try await stage.store.sessionsToKeep(usedSince: before.adding(seconds: -1)).map(\.id) == [used.id])
    let next = try await issue("a", life: 900, stage)
    let rows = try VaultReader(path: stage.folder.file("vault.db"), isBrief: false).sessions(profile: "a", includingEnded: true)
    #expect(rows.first { $0.id == used.id }?.replacedBy == next.id)
    #expect(rows.first { $0.id == next.id }?.lastUsedAt == before)
  }
}
