import TestSupport
import Testing
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

extension VaultStore {
  /// Makes the vault what it was before rows had codes.
  fileprivate func makeUncoded(_ key: SecretBytes, _ id: KeyID) throws {
    guard let new = cipher else { throw StoreError.locked }
    let old = EnvelopeCipher(master: key, id: id)
    try change { store in
      _ = try store.resealRows(from: new, to: old)
      try store.resealAuditKeys(from: new, to: old)
      try store.database.prepare("UPDATE master_key SET key_check = ?, epoch = NULL").begin().bind(old.check).run()
      for table in ["profile", "shared_section", "followed_file", "setting", "credentials_link", "lease"] {
        try store.database.prepare("UPDATE " + table + " SET mac = NULL").begin().run()
      }
      try store.database.prepare("DELETE FROM row_set").begin().run()
    }
    lock()
    try unlock(key: key, id: id)
  }
}

@Suite("The first time that rows get codes")
struct RowEpochTests {
  @Test(
    "a vault from before has its own rows believed once, logged; what files said is read again; its secrets open; nothing is lost"
  )
  func once() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    try await rows.opened.issue("mine")
    try await store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await store.makeUncoded(rows.opened.key, rows.opened.keyId)
    // As an agent reads them when it starts, before the first unlock.
    let served = try await store.leases()
    #expect(try await ClearRows.faults(of: store) == ["files", "filed", "second", "corp"])
    for lease in served { #expect(try await store.vouches(for: lease)) }
    #expect(served.count == 2)
    try await rows.observe(["filed", "second"], trigger: .start)
    #expect(try await ClearRows.faults(of: store).isEmpty)
    #expect(try await rows.opened.deliver("mine")?.credential.secretAccessKey.equals(.init(OpenedStore.secret)) == true)
    var filter = AuditFilter()
    filter.action = .settingChanged
    let told = try rows.opened.reader().auditRecords(filter).compactMap(\.event.detail).filter {
      $0.contains("authenticated from now on")
    }
    #expect(told == ["rows that lead to a secret are authenticated from now on: 7 rows"])
    // Not again.
    #expect(try await ClearRows.faults(of: rows.changed(by: "UPDATE profile SET mac = NULL WHERE name = 'other'")) == ["set"])
    let again = try await rows.changed(by: "")
    try await again.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    #expect(try await ClearRows.faults(of: again).isEmpty)
  }

  @Test("whoever makes a vault look as it was before its first time gets no row believed")
  func again() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    try await store.makeUncoded(rows.opened.key, rows.opened.keyId)
    let check = try #require(try await store.texts("SELECT hex(key_check) FROM master_key").first)
    _ = try await store.authenticRows()
    try await rows.opened.issue("mine")
    let before =
      """
      UPDATE master_key SET key_check = x'\(check)', epoch = NULL; UPDATE profile SET mac = NULL; UPDATE shared_section SET mac = NULL;
      UPDATE followed_file SET mac = NULL; UPDATE setting SET mac = NULL; UPDATE credentials_link SET mac = NULL; DELETE FROM row_set;
      UPDATE setting_line SET value = 'http://127.0.0.1:1' WHERE name = 'region';
      """
    // The log's keys are sealed in the epoch that was taken away: nothing is believed, and nothing handed out.
    let back = try await rows.changed(by: before)
    await #expect(throws: SealError.self) { _ = try await back.authenticRows() }
    await #expect(throws: SealError.self) { try await rows.opened.deliver("mine", from: back) }
    #expect(try await back.texts("SELECT coalesce(epoch, 'none') FROM master_key") == ["none"])
  }

  @Test("with evidence in the log, a vault that was made to look so does not even go on with its log")
  func verification() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    try await store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await store.makeUncoded(rows.opened.key, rows.opened.keyId)
    let check = try #require(try await store.texts("SELECT hex(key_check) FROM master_key").first)
    _ = try await store.authenticRows()
    let back = try await rows.changed(by: "UPDATE master_key SET key_check = x'\(check)', epoch = NULL")
    await #expect(throws: SealError.self) { try await back.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me) }
  }

  @Test("rows from before the first key lead nowhere, whoever wrote them")
  func keyless() async throws {
    let opened = try await OpenedStore(profiles: [])
    try await opened.store.close()
    try opened.tamper(
      """
      PRAGMA foreign_keys = OFF; DELETE FROM audit_key; DELETE FROM audit_checkpoint; DELETE FROM master_key;
      INSERT INTO profile (id, name, is_own, origin, digest) VALUES (1, 'dev', 1, 'vault', x'00');
      INSERT INTO setting_line (profile_id, name, value, file, line) VALUES (1, 'credential_process', '/tmp/x.sh', 'vault', 0);
      INSERT INTO followed_file (path, position, role, device, inode, size, mtime) VALUES ('/tmp/x', 0, 'config', 0, 0, 0, 0);
      """)
    let store = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    try await store.create(key: .random(count: 32), id: .random(), store: "passphrase", requester: OpenedStore.me)
    let macs = try await store.authenticRows()
    let dev = try #require(try opened.reader().storedSection(.profile, "dev"))
    #expect(!macs.vouch(for: dev))
    await #expect(throws: RowError.followedFile("/tmp/x")) { try await store.watchedFiles() }
    #expect(try await store.acceptRows(requester: OpenedStore.me))
    #expect(try opened.reader().profileNames().isEmpty && opened.reader().watchedFiles().isEmpty)
    #expect(try await !store.acceptRows(requester: OpenedStore.me))
  }

  @Test("a new master key makes the codes anew, and none for what another program changed")
  func rotated() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    try rows.opened.tamper("UPDATE setting_line SET value = 'x' WHERE profile_id = (SELECT id FROM profile WHERE name = 'other')")
    let (key, id) = (SecretBytes.random(count: 32), KeyID.random())
    try await store.prepareKey(id, store: "passphrase")
    _ = try await store.reseal(with: key, id: id, requester: OpenedStore.me)
    #expect(try await ClearRows.faults(of: store) == ["other"])
    try await store.close()
    let again = try await VaultStore(path: rows.opened.path, clock: rows.opened.clock, host: OpenedStore.me)
    try await again.unlock(key: key, id: id)
    #expect(try await ClearRows.faults(of: again) == ["other"])
  }

  @Test(
    "a set that is not what it was is gone on with on a person's word: what is right stays, the rest is taken out, and the log says so"
  )
  func accepted() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    try rows.opened.tamper(
      """
      UPDATE profile SET removed_at = 1 WHERE name = 'mine'; UPDATE setting_line SET value = 'x' WHERE name = 'region' AND
      profile_id = (SELECT id FROM profile WHERE name = 'other')
      """)
    #expect(try await ClearRows.faults(of: store) == ["set"])
    #expect(try await store.acceptRows(requester: OpenedStore.me))
    _ = try await store.authenticRows()
    #expect(await store.fileRows == .pending)
    try await rows.observe(["filed", "second"], trigger: .start)
    #expect(try await ClearRows.faults(of: store) == ["mine is gone", "other is gone"])
    var filter = AuditFilter()
    filter.action = .auditAccepted
    let detail = try rows.opened.reader().auditRecords(filter).first?.event.detail
    #expect(detail == "5 of the vault's own rows kept; removed: profile \"other\"")
  }
}
