import TestSupport
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

extension VaultStore {
  var path: String { database.path }

  /// The first column of what a query finds.
  func texts(_ sql: String) throws -> [String] { try database.prepare(sql).begin().rows { $0.text(0) } }
}

/// A vault with a row of everything that leads to a secret, whose file is copied, changed as somebody with an SQLite shell would, and
/// opened again.
final class ClearRows: Sendable {
  let opened: OpenedStore
  static let config = SettingOrigin(file: "~/.aws/config", line: 3)

  init() async throws {
    opened = try await OpenedStore(profiles: ["mine", "other"])
    let store = opened.store
    _ = try await store.importOwn(
      sections: [Self.section(.services, "local", origin: .vault)], summaries: [], keys: [], requester: OpenedStore.me)
    try await observe(["filed", "second"])
    try await store.setSetting("share-token.corp", "/home/alice", requester: OpenedStore.me)
    try await store.add(
      CredentialsLink(path: "/home/alice/.aws/credentials", section: "mine", profile: "mine"), requester: OpenedStore.me)
    try await store.add(
      CredentialsLink(path: "/home/alice/.aws/credentials", section: "narrow", profile: "mine", scope: .readOnly),
      requester: OpenedStore.me)
    try await store.keep(
      LeaseRecord(
        id: "lse_1", tokenHash: Array(repeating: 7, count: 32), port: 4_000,
        process: ProcessIdentity(pid: 42, started: 99, boot: "b"), profile: "mine", roleARN: "arn:aws:iam::123456789012:role/x",
        duration: SessionDuration(seconds: 900), sessionName: RoleSessionName("alice"), reason: "why",
        environment: ["AWS_REGION": "eu-west-1", "HTTPS_PROXY": "http://p"], requester: OpenedStore.me))
    try await store.keep(
      LeaseRecord(
        id: "lse_2", tokenHash: Array(repeating: 8, count: 32), port: 4_000,
        process: ProcessIdentity(pid: 43, started: 99, boot: "b"), profile: "mine", roleARN: nil, duration: .default,
        sessionName: RoleSessionName("bob"), reason: nil, environment: ["AWS_REGION": "eu-west-1"], requester: OpenedStore.me,
        scope: .readOnly,
        role: RoleARN("arn:aws:iam::123456789012:role/y"), run: "run_1"))
  }

  /// A section with a plain setting and a nested one.
  static func section(_ kind: SectionKind, _ name: String, origin: SettingOrigin = config, region: String = "us-east-1")
    -> ConfigSection
  {
    let nested = SettingValue.nested([
      NestedSetting(name: "endpoint_url", value: "https://a.example"), NestedSetting(name: "x", value: "y"),
    ])
    return ConfigSection(
      kind: kind, name: name,
      settings: [
        Setting(name: "region", value: .text(region), origin: origin), Setting(name: "sts", value: nested, origin: origin),
        Setting(name: "s3", value: .nested([]), origin: origin),
      ])
  }

  /// Takes in a followed file with these profiles and a shared section.
  @discardableResult
  func observe(_ names: [String], region: String = "us-east-1", in store: VaultStore? = nil, trigger: AuditTrigger = .manual)
    async throws -> ImportSummary
  {
    try await (store ?? opened.store).importFiles(
      [
        WatchedFile(
          path: "/home/alice/.aws/config", role: .config, home: "/home/alice",
          identity: FileIdentity(device: 1, inode: 2, size: 3, mtime: 4))
      ],
      sections: names.map { Self.section(.profile, $0, region: region) } + [Self.section(.ssoSession, "corp", region: region)],
      summaries: names.map { ProfileSummary(name: $0, kind: .sso) }, keys: [], requester: OpenedStore.me, trigger: trigger)
  }

  /// A copy of the file, opened by another agent after `sql` was done to it.
  func changed(by sql: String, from path: String? = nil) async throws -> VaultStore {
    let copy = opened.folder.file(Identifier.make("db"))
    try await opened.store.checkpoint()
    try Tampering.copy(path ?? opened.path, to: copy)
    try Tampering.run("PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = OFF; " + sql, on: copy)
    return try await opened(copy)
  }

  func opened(_ path: String) async throws -> VaultStore {
    let store = try await VaultStore(path: path, clock: opened.clock, host: OpenedStore.me)
    try await store.unlock(key: opened.key, id: opened.keyId)
    return store
  }

  /// What is found not to be as the vault wrote it.
  static func faults(of store: VaultStore) async throws -> Set<String> {
    var faults: Set<String> = []
    let macs: RowMACs
    do { macs = try await store.authenticRows() } catch is RowError {
      return ["set"]
    } catch is DatabaseError {
      return ["unreadable"]
    }
    if await store.fileRows != .asWritten { faults.insert("files") }
    let reader = try VaultReader(path: await store.path)
    let profiles = Set(try reader.profileNames() + ["mine", "other", "filed", "second"])
    for (kind, name) in profiles.map({ (SectionKind.profile, $0) }) + [(.services, "local"), (.ssoSession, "corp")] {
      do {
        guard let stored = try reader.storedSection(kind, name) else { faults.insert("\(name) is gone"); continue }
        if !macs.vouch(for: stored) { faults.insert(name) }
      } catch { faults.insert(name) }
    }
    do { _ = try await store.watchedFiles() } catch { faults.insert("file") }
    for name in try await store.texts("SELECT name FROM setting") {
      do { _ = try await store.setting(name) } catch { faults.insert("setting") }
    }
    if try await !store.provenLinks().foreign.isEmpty { faults.insert("link") }
    for lease in try await store.leases() where try await !store.vouches(for: lease) { faults.insert("lease") }
    return faults
  }
}
