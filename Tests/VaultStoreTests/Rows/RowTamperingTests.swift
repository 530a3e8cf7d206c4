import TestSupport
import Testing
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

@Suite("Rows that lead to a secret, changed by another program")
struct RowTamperingTests {
  /// What says only how a row is shown or found, or is worked out from what is authenticated.
  static let free: Set<String> = [
    "profile.kind", "profile.role_arn", "profile.source", "profile.region", "profile.problem", "profile.digest",
    "profile.session_id",
    "profile.session_expires_at", "profile.session_renews_at", "profile.attention", "profile.sign_in", "profile.rotation",
    "credentials_link.created_at", "lease.opened_at",
  ]

  @Test("nothing is found where nothing was changed, also by another agent")
  func untouched() async throws {
    let rows = try await ClearRows()
    #expect(try await ClearRows.faults(of: rows.opened.store).isEmpty)
    #expect(try await ClearRows.faults(of: rows.changed(by: "")).isEmpty)
  }

  @Test(
    "a change of any column is found, save of those that lead nowhere",
    arguments: ["profile", "shared_section", "setting_line", "followed_file", "setting", "credentials_link", "lease", "row_set"])
  func columns(table: String) async throws {
    let rows = try await ClearRows()
    let database = try Database(path: rows.opened.path, access: .readOnly)
    let columns = try database.prepare("SELECT name, type FROM pragma_table_info(?)").begin().bind(table).rows {
      ($0.text(0), $0.text(1))
    }
    // The order of lines is among the attacks below.
    for (column, type) in columns where "\(table).\(column)" != "setting_line.id" {
      let value =
        switch column {
        case "is_own": "1 - is_own"
        case "removed_at": "1"
        case "section_id", "profile_id": "\(column) + 1"
        default: type == "INTEGER" ? "coalesce(\(column), 0) + 7" : "cast(coalesce(\(column), '') || 'x' AS \(type))"
        }
      // All rows of the table at once would hide one behind another's fault.
      let places: [String] =
        switch table {
        case "profile": ["name = 'mine'", "name = 'filed'"]
        case "shared_section": ["name = 'local'", "name = 'corp'"]
        case "setting_line":
          [
            "id = (SELECT min(id) FROM setting_line WHERE profile_id = (SELECT id FROM profile WHERE name = 'mine'))",
            "id = (SELECT max(id) FROM setting_line WHERE profile_id = (SELECT id FROM profile WHERE name = 'filed') AND nested = 'endpoint_url')",
            "id = (SELECT min(id) FROM setting_line WHERE section_id = (SELECT id FROM shared_section WHERE name = 'local'))",
          ]
        case "setting": ["name LIKE 'share-token.%'"]
        case "row_set": ["name = 'own'", "name = 'files'"]
        case "credentials_link": ["section = 'mine'", "section = 'narrow'"]
        case "lease": ["id = 'lse_1'", "id = 'lse_2'"]
        default: ["1"]
        }
      for place in places {
        // A line is a profile's or a section's.
        if table == "setting_line", column == (place.contains("section_id") ? "profile_id" : "section_id") { continue }
        let sql = "UPDATE \(table) SET \(column) = \(value) WHERE \(place)"
        let faults = try await ClearRows.faults(of: rows.changed(by: sql))
        #expect(faults.isEmpty == Self.free.contains("\(table).\(column)"), "\(sql): \(faults)")
      }
    }
  }

  private static let mine = "(SELECT id FROM profile WHERE name = 'mine')"
  private static let other = "(SELECT id FROM profile WHERE name = 'other')"
  private static let filed = "(SELECT id FROM profile WHERE name = 'filed')"
  private static let line = "INSERT INTO setting_line (profile_id, name, value, file, line) VALUES"

  private static let cases: [(sql: String, found: Set<String>)] = [
    ("\(line) (\(mine), 'endpoint_url', 'http://127.0.0.1:1', 'vault', 0)", ["mine"]),
    ("\(line) (\(filed), 'endpoint_url', 'http://127.0.0.1:1', '~/.aws/config', 4)", ["filed"]),
    (
      "UPDATE setting_line SET name = 'credential_process', value = '/tmp/x.sh' WHERE name = 'region' AND profile_id = \(mine)",
      ["mine"]
    ),
    ("DELETE FROM setting_line WHERE profile_id = \(mine)", ["mine"]),
    ("DELETE FROM setting_line WHERE profile_id = \(filed) AND nested = 'x'", ["filed"]),
    // Lines moved to another profile, and two that change places.
    ("UPDATE setting_line SET profile_id = \(other) WHERE profile_id = \(mine)", ["mine", "other"]),
    ("UPDATE setting_line SET id = -id", ["local", "filed", "second", "corp"]),
    (
      "UPDATE profile SET name = 'x' WHERE name = 'mine'; UPDATE profile SET name = 'mine' WHERE name = 'filed'; UPDATE profile SET name = 'filed' WHERE name = 'x'",
      ["mine", "filed"]
    ),
    // A profile of nobody's, without a code and with another's.
    (
      "UPDATE profile SET name = 'gone' WHERE name = 'second'; INSERT INTO profile (name, is_own, origin, digest) VALUES ('second', 1, 'vault', x'00')",
      ["gone", "second"]
    ),
    (
      "INSERT INTO profile (name, is_own, origin, digest, mac) SELECT 'new', 1, 'vault', x'00', mac FROM profile WHERE name = 'mine'",
      ["new"]
    ),
    // Taken away: another program's, a file's, or nobody's takes its name then.
    ("DELETE FROM profile WHERE name = 'mine'", ["set"]),
    ("UPDATE profile SET removed_at = 1 WHERE name = 'mine'", ["set"]),
    ("DELETE FROM shared_section WHERE name = 'local'", ["set"]),
    ("DELETE FROM followed_file", ["set"]),
    ("DELETE FROM credentials_link", ["set"]),
    ("DELETE FROM setting WHERE name LIKE 'share%'", ["set"]),
    ("DELETE FROM row_set", ["set"]),
    ("UPDATE profile SET is_own = 0 WHERE name = 'mine'", ["set"]),
    // What comes from a file is read from it again.
    ("DELETE FROM profile WHERE name = 'filed'", ["files", "filed is gone"]),
    ("DELETE FROM shared_section WHERE name = 'corp'", ["files", "corp is gone"]),
    ("UPDATE profile SET mac = NULL WHERE name = 'filed'", ["files", "filed"]),
    ("UPDATE followed_file SET mtime = 5", ["files"]),
    ("UPDATE profile SET is_own = 1 WHERE name = 'filed'", ["files", "filed"]),
    // Added: refused where it would be used.
    (
      "INSERT INTO followed_file (path, position, role, device, inode, size, mtime) VALUES ('/tmp/x', 9, 'config', 0, 0, 0, 0)",
      ["file", "files"]
    ),
    ("INSERT INTO credentials_link (path, section, profile, created_at) VALUES ('/tmp/x', 'mine', 'mine', 0)", ["link"]),
    ("UPDATE setting SET value = '/tmp' WHERE name = 'share-token.corp'", ["setting"]),
    ("UPDATE lease SET token_hash = zeroblob(32)", ["lease"]),
    ("UPDATE lease SET port = 5000", ["lease"]),
    ("UPDATE lease SET environment = 'AWS_ENDPOINT_URL=http://127.0.0.1:1'", ["lease"]),
    ("UPDATE lease SET mac = NULL", ["lease"]),
    ("UPDATE lease SET scope = NULL WHERE id = 'lse_2'", ["lease"]),
    ("UPDATE lease SET role = NULL WHERE id = 'lse_2'", ["lease"]),
    ("UPDATE lease SET scope = (SELECT scope FROM lease WHERE id = 'lse_2') WHERE id = 'lse_1'", ["lease"]),
    ("UPDATE credentials_link SET scope = NULL", ["link"]),
    ("UPDATE credentials_link SET scope = replace(scope, 'true', 'false')", ["link"]),
  ]

  @Test("the attacks find nobody who believes them, and what was changed is named", arguments: cases)
  func attacks(sql: String, found: Set<String>) async throws {
    let rows = try await ClearRows()
    let faults = try await ClearRows.faults(of: rows.changed(by: sql))
    #expect(faults == found)
  }

  @Test("an older row put back after a change is found: the vault's own by its set, a file's is read again")
  func replayed() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    try await store.checkpoint()
    let old = rows.opened.folder.file("old.db")
    try Tampering.copy(rows.opened.path, to: old)
    let region = Setting(name: "region", value: .text("eu-west-1"), origin: .vault)
    try await store.putProfiles([("mine", [region], ProfileSummary(name: "mine", kind: nil))], requester: OpenedStore.me)
    try await rows.observe(["filed", "second"], region: "eu-west-1")
    #expect(try await ClearRows.faults(of: rows.changed(by: "")).isEmpty)
    func back(_ name: String) -> String {
      """
      DELETE FROM setting_line WHERE profile_id = (SELECT id FROM profile WHERE name = '\(name)');
      INSERT INTO setting_line (profile_id, name, nested, value, file, line) SELECT profile_id, name, nested, value, file, line
      FROM old.setting_line WHERE profile_id = (SELECT id FROM old.profile WHERE name = '\(name)') ORDER BY id;
      UPDATE profile SET mac = (SELECT mac FROM old.profile WHERE name = '\(name)'),
      digest = (SELECT digest FROM old.profile WHERE name = '\(name)') WHERE name = '\(name)';
      """
    }
    let attach = "ATTACH '\(old)' AS old;"
    let sets = "DELETE FROM row_set; INSERT INTO row_set SELECT * FROM old.row_set;"
    #expect(try await ClearRows.faults(of: rows.changed(by: attach + back("mine"))) == ["set"])
    #expect(try await ClearRows.faults(of: rows.changed(by: attach + back("filed"))) == ["files"])
    // With the set as it was: its version is not the one that the log knows.
    #expect(try await ClearRows.faults(of: rows.changed(by: attach + back("mine") + back("filed") + sets)) == ["set"])
  }

  @Test("what was changed while the agent runs is seen at the next look, and what it writes itself is not taken for it")
  func running() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    #expect(try await ClearRows.faults(of: store).isEmpty)
    try rows.opened.tamper("DELETE FROM profile WHERE name = 'filed'")
    #expect(try await ClearRows.faults(of: store) == ["files", "filed is gone"])
    try await rows.observe(["filed", "second"], trigger: .start)
    #expect(try await ClearRows.faults(of: store).isEmpty)
    try rows.opened.tamper("UPDATE profile SET removed_at = 1 WHERE name = 'mine'")
    #expect(try await ClearRows.faults(of: store) == ["set"])
    await #expect(throws: RowError.self) { try await store.removeProfile("other", requester: OpenedStore.me) }
  }

  @Test("everything that the vault does leaves rows that are its own")
  func ownWork() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    let link = CredentialsLink(path: "/home/alice/.aws/credentials", section: "other", profile: "other")
    try await store.add(link, requester: OpenedStore.me)
    try await store.remove(link, requester: OpenedStore.me)
    try await store.removeProfile("other", requester: OpenedStore.me)
    let region = Setting(name: "region", value: .text("eu-west-1"), origin: .vault)
    try await store.putProfiles(
      ["other", "mine"].map { ($0, [region], ProfileSummary(name: $0, kind: nil)) }, requester: OpenedStore.me)
    try await store.setSetting("access-key.mine.left-over", "AKIA", requester: OpenedStore.me)
    try await store.setSetting("access-key.mine.left-over", nil, requester: OpenedStore.me)
    try await store.updateSummaries([ProfileSummary(name: "mine", kind: .keys, problem: "none")])
    try await store.setExporterCursor("journald", 3)
    try await rows.observe(["second", "third", "filed"])
    // A failed change leaves all as it was.
    await #expect(throws: StoreError.self) { try await store.removeProfile("nobody", requester: OpenedStore.me) }
    #expect(try await ClearRows.faults(of: store).isEmpty)
    #expect(try await ClearRows.faults(of: rows.changed(by: "")).isEmpty)
  }

  @Test("a locked vault takes in what its files say, and reads them again once it is unlocked; it changes nothing of its own")
  func locked() async throws {
    let rows = try await ClearRows()
    let store = rows.opened.store
    await store.lock()
    try await rows.observe(["filed", "third"], trigger: .start)
    let region = Setting(name: "region", value: .text("eu-west-1"), origin: .vault)
    await #expect(throws: StoreError.locked) {
      try await store.putProfiles([("mine", [region], ProfileSummary(name: "mine", kind: nil))], requester: OpenedStore.me)
    }
    await #expect(throws: StoreError.locked) { try await store.removeProfile("mine", requester: OpenedStore.me) }
    await #expect(throws: StoreError.locked) { try await store.setSetting("share-token.corp", nil, requester: OpenedStore.me) }
    try await store.setSetting("locked", "1", requester: OpenedStore.me)
    try await store.unlock(key: rows.opened.key, id: rows.opened.keyId)
    _ = try await store.authenticRows()
    #expect(await store.fileRows == .pending)
    try await rows.observe(["filed", "second"], trigger: .start)
    #expect(try await ClearRows.faults(of: store).isEmpty)
    // A file that nobody imported is not followed, whoever put it there while the vault was locked.
    await #expect(throws: RowError.followedFile("/tmp/x")) {
      try await store.importFiles(
        [WatchedFile(path: "/tmp/x", role: .config, home: nil, identity: FileIdentity(device: 0, inode: 0, size: 0, mtime: 0))],
        sections: [], summaries: [], keys: [], requester: OpenedStore.me, trigger: .start)
    }
  }
}
