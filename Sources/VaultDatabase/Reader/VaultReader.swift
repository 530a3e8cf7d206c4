import Glibc
import VaultModel

/// Reads the vault without write access: for reports, completion and the catalog.
///
/// Works while an agent runs, without one, and after one was killed. If there is no vault yet, every report is empty. Not for use
/// by two threads at once.
public final class VaultReader {
  package let database: Database?
  /// Whether it reads an archived part of a log.
  package let isArchive: Bool
  /// The version of the tables, which may be older than this program's.
  package let schema: Int64
  /// Whether the log has rows that are indexed later.
  package var defersIndexes: Bool { schema >= Schema.deferredIndexes }

  /// - Parameter isBrief: it reads much and ends soon, as a command does: pages are mapped rather than copied one by one, and count
  ///   as its memory.
  /// - Throws: `DatabaseError`, also if a newer vault wrote the file; refused, if others can enter its folder.
  public init(path: String, isBrief: Bool = true) throws {
    isArchive = false
    let folder = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
    guard try PrivateDirectory.check(String(folder)), try DatabaseFile.check(path) else {
      database = nil
      schema = 0
      return
    }
    let database = try Database(path: path, access: .readOnly)
    try database.execute(isBrief ? "PRAGMA mmap_size = 2147418112" : "PRAGMA cache_size = -128")
    try Schema.requireKnown(database)
    // A database whose creation was interrupted has no tables yet.
    schema = try Schema.currentVersion(database)
    self.database = schema == 0 ? nil : database
  }

  /// Reads over an open connection, including its uncommitted changes.
  package init(over database: Database, isArchive: Bool = false) throws {
    self.database = database
    self.isArchive = isArchive
    schema = try Schema.currentVersion(database)
  }

  private func rows<Row>(_ sql: StaticString, bind: (Statement) throws -> Void = { _ in }, read: (Statement) throws -> Row)
    throws -> [Row]
  {
    guard let database else { return [] }
    let statement = try database.statement(sql).begin()
    try bind(statement)
    return try statement.rows(read)
  }

  /// `vlt_…`; nil if there is no vault yet.
  public func vaultId() throws -> String? { try rows("SELECT id FROM vault") { $0.text(0) }.first }

  // MARK: profiles

  public func profileNames() throws -> [String] {
    try rows("SELECT name FROM profile WHERE removed_at IS NULL ORDER BY name") { $0.text(0) }
  }

  /// Every profile with the session to show for it, by name.
  public func forEachProfile(_ body: (ProfileRow) throws -> Void) throws {
    guard let database else { return }
    let statement = try database.statement(
      """
      SELECT p.name, p.kind, p.role_arn, p.source, p.region, p.problem, p.origin, p.attention, p.rotation, \
      s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, s.expires_at, \
      s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at \
      FROM profile p LEFT JOIN session s ON s.id = p.session_id WHERE p.removed_at IS NULL ORDER BY p.name
      """
    ).begin()
    while try statement.step() {
      let name = statement.text(0)
      try body(
        ProfileRow(
          name: name, kind: statement.optionalText(1).flatMap { ProfileKind(rawValue: $0) }, roleARN: statement.optionalText(2),
          source: statement.optionalText(3), region: statement.optionalText(4), problem: statement.optionalText(5),
          origin: statement.text(6), pendingAction: statement.optionalText(7).flatMap { SessionState(rawValue: $0) },
          rotation: RotationRule.Mode(rawValue: statement.text(8)) ?? .used,
          session: statement.isNull(9) ? nil : try SessionRows.read(statement, from: 9, profile: name)))
    }
  }

  /// The session that `list` shows for a profile.
  public func currentSession(of profile: String) throws -> SessionRecord? {
    try rows(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at FROM session s \
      WHERE s.id = (SELECT session_id FROM profile WHERE name = ?)
      """, bind: { try $0.bind(profile) }
    ) { try SessionRows.read($0, from: 0, profile: profile) }.first
  }

  /// When the live session expires that answers the same requests as a session: itself, or the one by which it was renewed; nil if
  /// there is none.
  public func end(ofSuccessorsOf id: String) throws -> Timestamp? {
    try rows(
      """
      SELECT live.expires_at FROM session s JOIN session live \
      ON live.profile_id = s.profile_id AND live.fingerprint = s.fingerprint AND live.ended_at IS NULL WHERE s.id = ?
      """, bind: { try $0.bind(id) }
    ) { Timestamp(milliseconds: $0.int(0)) }.first
  }

  /// The file of a profile, as shown; `vault` for a vault-managed one.
  public func origin(of profile: String) throws -> String? {
    try rows("SELECT origin FROM profile WHERE name = ?", bind: { try $0.bind(profile) }) { $0.text(0) }.first
  }

  /// The permission sets of profiles that name one, as `ROLE @ ACCOUNT`.
  public func permissionSets() throws -> [String: String] {
    let sets = try rows(
      """
      SELECT p.name, max(iif(s.name = 'sso_role_name', s.value, NULL)), max(iif(s.name = 'sso_account_id', s.value, NULL)) \
      FROM setting_line s JOIN profile p ON p.id = s.profile_id \
      WHERE s.nested IS NULL AND s.name IN ('sso_role_name', 'sso_account_id') AND p.removed_at IS NULL GROUP BY p.name
      """
    ) { row in (row.text(0), [row.optionalText(1), row.optionalText(2)].compactMap { $0 }.joined(separator: " @ ")) }
    return Dictionary(sets) { $1 }
  }

  /// Every profile as the plain cells of piped output, by name: name, kind, role or problem, source or origin; and the session's
  /// times.
  public func forEachProfileLine(_ body: (ProfileListRow) throws -> Void) throws {
    guard let database else { return }
    let statement = try database.statement(
      """
      SELECT name, kind, role_arn, problem, source, origin, session_expires_at, session_renews_at, attention \
      FROM profile WHERE removed_at IS NULL ORDER BY name
      """
    ).begin()
    let line = ProfileListRow(statement)
    while try statement.step() { try body(line) }
  }

  /// Every profile's name as stored, with a line break after each.
  public func profileNameLines() throws -> [UInt8] {
    guard let database else { return [] }
    let statement = try database.statement("SELECT name FROM profile WHERE removed_at IS NULL ORDER BY name").begin()
    var lines: [UInt8] = []
    lines.reserveCapacity(1 << 16)
    while try statement.step() {
      statement.append(0, to: &lines)
      lines.append(10)
    }
    return lines
  }

  /// A section with its settings; nil if there is none.
  public func section(_ kind: SectionKind, _ name: String) throws -> ConfigSection? {
    guard let database else { return nil }
    return try SettingRows.section(kind, name, in: database)
  }

  /// A section with its MAC. For the agent, whose tables are up to date.
  public func storedSection(_ kind: SectionKind, _ name: String) throws -> StoredSection? {
    guard let database else { return nil }
    return try SettingRows.stored(kind, name, in: database)
  }

  /// The settings by which profiles refer to other sections.
  public static let references = ["source_profile", "include_profile", "parent_profile", "sso_session", "services"]

  /// For each name that profiles refer to, of a profile or another section: the profiles that do so.
  public func referrers() throws -> [String: [String]] {
    guard let database else { return [:] }
    let statement = try database.statement(
      """
      SELECT s.value, p.name FROM setting_line s JOIN profile p ON p.id = s.profile_id WHERE s.nested IS NULL AND s.name IN \
      ('source_profile', 'include_profile', 'parent_profile', 'sso_session', 'services') AND p.removed_at IS NULL
      """
    ).begin()
    var found: [String: [String]] = [:]
    while try statement.step() { found[statement.text(0), default: []].append(statement.text(1)) }
    return found
  }

  /// The names of the sections of a kind.
  public func sectionNames(_ kind: SectionKind) throws -> [String] {
    try rows("SELECT name FROM shared_section WHERE kind = ? ORDER BY name", bind: { try $0.bind(kind.rawValue) }) { $0.text(0) }
  }

  // MARK: sign-ins

  public func signIns() throws -> [SignInRecord] {
    guard let database else { return [] }
    return try SignInRows.live(in: database)
  }

  /// Every sign-in: the `sso-session`s, and the start URLs that profiles have themselves.
  public func signInNames() throws -> [String] {
    try rows(
      """
      SELECT name FROM shared_section WHERE kind = 'sso-session' \
      UNION SELECT sign_in FROM profile WHERE sign_in IS NOT NULL AND removed_at IS NULL ORDER BY 1
      """
    ) { $0.text(0) }
  }

  public func profiles(ofSignIn name: String) throws -> [String] {
    try rows("SELECT name FROM profile WHERE sign_in = ? AND removed_at IS NULL ORDER BY name", bind: { try $0.bind(name) }) {
      $0.text(0)
    }
  }

  // MARK: sessions and keys

  public func sessions(profile: String?, includingEnded: Bool) throws -> [SessionRecord] {
    guard let database else { return [] }
    // A database from before there were scopes has no column for them.
    let scope = schema < 10 ? "NULL" : "s.scope"
    // Of one profile, by the index of its sessions, however many others there are.
    let which = profile == nil ? "" : "s.profile_id = (SELECT id FROM profile WHERE name = ?2) AND "
    let statement = try database.prepare(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at, p.name, \(scope) \
      FROM session s JOIN profile p ON p.id = s.profile_id WHERE \(which)(?1 OR s.ended_at IS NULL) ORDER BY s.issued_at, s.rowid
      """
    ).begin().bind(includingEnded ? 1 : 0)
    if let profile { try statement.bind(profile) }
    return try statement.rows { row in
      var session = try SessionRows.read(row, from: 0, profile: row.text(15))
      session.scope = row.optionalText(16)
      return session
    }
  }

  public func accessKeys() throws -> [AccessKeyRecord] {
    guard let database else { return [] }
    return try AccessKeyRows.all(in: database)
  }

  public func keyRecords() throws -> [KeyRecord] {
    guard let database else { return [] }
    return try KeyRows.all(in: database)
  }

  /// How many programs the agent serves on loopback, or served when it ended.
  public func servedPrograms() throws -> Int {
    Int(schema < 5 ? 0 : try rows("SELECT count(*) FROM lease") { $0.int(0) }.first ?? 0)
  }

  // MARK: watched files

  public func watchedFiles() throws -> [WatchedFile] {
    guard let database else { return [] }
    return try FollowedRows.all(in: database)
  }

  /// Whether one of them differs from what the vault last saw.
  public func watchedFilesChanged() throws -> Bool {
    try watchedFiles().contains { FileIdentity(path: $0.path) != $0.identity }
  }
}
