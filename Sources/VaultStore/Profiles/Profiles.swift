import VaultDatabase
import VaultModel
import VaultSecrets

// Profiles and the sections they refer to, as rows.
extension VaultStore {
  /// The watched files.
  ///
  /// - Throws: `RowError` for one that another program added; a locked vault trusts the rows until it is unlocked.
  public func watchedFiles() throws -> [WatchedFile] {
    guard isUnlocked else { return try FollowedRows.all(in: database) }
    return try watchedRows(by: authenticRows()).map(\.file)
  }

  typealias FollowedRow = (file: WatchedFile, position: Int64, code: [UInt8]?)

  func watchedRows() throws -> [FollowedRow] {
    let macs = try database.statement("SELECT position, mac FROM followed_file ORDER BY position").begin().rows {
      (position: $0.int(0), code: $0.isNull(1) ? nil : $0.blob(1))
    }
    return zip(try FollowedRows.all(in: database), macs).map { ($0, $1.position, $1.code) }
  }

  func watchedRows(by macs: RowMACs) throws -> [FollowedRow] {
    let rows = try watchedRows()
    for row in rows where !macs.fits(row.code, RowForm(row.file, position: row.position)) {
      throw RowError.followedFile(row.file.path)
    }
    return rows
  }

  /// The names of the vault-managed profiles.
  public func ownProfileNames() throws -> Set<String> {
    Set(try database.statement("SELECT name FROM profile WHERE is_own = 1 AND removed_at IS NULL").begin().rows { $0.text(0) })
  }

  /// Every vault-managed section.
  public func ownSections() throws -> [ConfigSection] {
    let profiles = try database.statement("SELECT name FROM profile WHERE is_own = 1 AND removed_at IS NULL ORDER BY name")
      .begin().rows { $0.text(0) }
    let others = try database.statement("SELECT kind, name FROM shared_section WHERE is_own = 1 ORDER BY kind, name").begin().rows
    {
      (SectionKind(rawValue: $0.text(0)), $0.text(1))
    }
    var sections = try profiles.compactMap { try SettingRows.section(.profile, $0, in: database) }
    for case (let kind?, let name) in others {
      if let section = try SettingRows.section(kind, name, in: database) { sections.append(section) }
    }
    return sections
  }

  /// A profile to write to the vault.
  public typealias WrittenProfile = (name: String, settings: [Setting], summary: ProfileSummary)

  /// Adds or changes vault-managed profiles, all of them or none.
  public func putProfiles(_ profiles: [WrittenProfile], requester: Requester) throws {
    let macs = try authenticRows()
    try change { store in
      var events: [AuditEvent] = []
      for (name, settings, summary) in profiles {
        let outcome = try store.write(
          ConfigSection(kind: .profile, name: name, settings: settings), summary: summary, isOwn: true,
          origin: SettingOrigin.vault.file, macs)
        guard outcome == .added || outcome == .changed else { continue }
        var event = AuditEvent(
          action: outcome == .added ? .profileAdded : .profileChanged, outcome: .success, trigger: .manual, profile: name,
          requester: requester)
        event.roleARN = summary.roleARN
        events.append(event)
      }
      for event in events.dropLast() { try store.append(event) }
      if let last = events.last { try store.bindRows(last) }
    }
  }

  /// Marks a profile as removed, and forgets its sessions.
  ///
  /// - Throws: `StoreError.unknownProfile` if there is none.
  public func removeProfile(_ name: String, requester: Requester) throws {
    _ = try authenticRows()
    try change { store in
      try store.remove(name, trigger: .manual, requester)
      try store.bindRows(
        AuditEvent(action: .profileRemoved, outcome: .success, trigger: .manual, profile: name, requester: requester))
    }
  }

  func remove(_ name: String, trigger: AuditTrigger, _ requester: Requester) throws {
    claimIntents(of: name)
    for session in try liveSessions(of: name) {
      try end(session, as: .forgotten, action: .sessionForgotten, trigger: trigger, requester)
    }
    try database.statement("DELETE FROM setting_line WHERE profile_id = (SELECT id FROM profile WHERE name = ?)").begin().bind(
      name
    ).run()
    try database.statement("DELETE FROM iam_check WHERE profile_id = (SELECT id FROM profile WHERE name = ?)").begin().bind(name)
      .run()
    changeNames()
    try database.statement("UPDATE profile SET removed_at = ?, mac = NULL WHERE name = ? AND removed_at IS NULL").begin()
      .bind(clock.now().milliseconds).bind(name).run()
    guard database.changes == 1 else { throw StoreError.unknownProfile(name) }
  }

  /// Updates the summaries that `list` shows.
  public func updateSummaries(_ summaries: [ProfileSummary]) throws {
    guard !summaries.isEmpty else { return }
    try database.transaction {
      for summary in summaries { try write(summary) }
    }
  }

  private func write(_ summary: ProfileSummary) throws {
    try database.statement(
      "UPDATE profile SET kind = ?, role_arn = ?, source = ?, region = ?, problem = ?, sign_in = ?, rotation = ? WHERE name = ?"
    )
    .begin().bind(summary.kind?.rawValue).bind(summary.roleARN).bind(summary.source).bind(summary.region).bind(summary.problem)
    .bind(summary.signIn).bind(summary.rotation.rawValue).bind(summary.name).run()
  }

  enum WriteOutcome {
    case added, changed, unchanged
    /// The same content, in other lines of the file.
    case moved
  }

  /// Writes a profile's rows if they have changed; those of a vault-managed profile always, since the digest does not
  /// show a change of the rows beside it.
  ///
  /// - Parameters:
  ///   - macs: nil while the vault is locked.
  ///   - isForced: write them even if they seem unchanged.
  func write(
    _ section: ConfigSection, summary: ProfileSummary, isOwn: Bool, origin: String, _ macs: RowMACs?, isForced: Bool = false
  ) throws -> WriteOutcome {
    let digest = Self.digest(section.settings, summary)
    let code = macs?.code(RowForm(section, isOwn: isOwn, origin: origin))
    let known = try database.statement("SELECT id, digest, removed_at IS NOT NULL, is_own, mac FROM profile WHERE name = ?")
      .begin()
      .bind(section.name).first {
        (id: $0.int(0), digest: $0.blob(1), isRemoved: $0.int(2) != 0, isOwn: $0.int(3) != 0, code: $0.blob(4))
      }
    let isSame = known.map { !$0.isRemoved && $0.digest == digest && $0.isOwn == isOwn } ?? false
    if isSame, !isForced, !isOwn, code == nil || known?.code == code { return .unchanged }
    let id: Int64
    if known?.isRemoved != false { changeNames() }
    if let known {
      id = known.id
      try database.statement("UPDATE profile SET is_own = ?, origin = ?, digest = ?, mac = ?, removed_at = NULL WHERE id = ?")
        .begin().bind(isOwn ? 1 : 0).bind(origin).bind(digest).bind(code).bind(id).run()
      try database.statement("DELETE FROM setting_line WHERE profile_id = ?").begin().bind(id).run()
    } else {
      try database.statement("INSERT INTO profile (name, is_own, origin, digest, mac) VALUES (?, ?, ?, ?, ?)")
        .begin().bind(section.name).bind(isOwn ? 1 : 0).bind(origin).bind(digest).bind(code).run()
      id = database.lastInsertRow
    }
    try insert(section.settings, profile: id, section: nil)
    try write(summary)
    if isSame { return .unchanged }
    guard let known, !known.isRemoved else { return .added }
    return known.isOwn == isOwn && known.digest.starts(with: digest.prefix(Self.contentDigestLength)) ? .moved : .changed
  }

  func insert(_ settings: [Setting], profile: Int64?, section: Int64?) throws {
    let statement = try database.statement(
      "INSERT INTO setting_line (profile_id, section_id, name, nested, value, file, line) VALUES (?, ?, ?, ?, ?, ?, ?)")
    for setting in settings {
      for line in setting.lines {
        try statement.begin().bind(profile).bind(section).bind(setting.name).bind(line.nested).bind(line.value).bind(
          setting.origin.file
        )
        .bind(Int64(setting.origin.line)).run()
      }
    }
  }

  private static let contentDigestLength = 16

  /// 16 bytes for a profile's content, and 16 for its origins.
  private static func digest(_ settings: [Setting], _ summary: ProfileSummary) -> [UInt8] {
    var content: [UInt8] = []
    var places: [UInt8] = []
    func put(_ text: String?, _ bytes: inout [UInt8]) {
      bytes += String(text?.utf8.count ?? -1).utf8
      bytes.append(UInt8(ascii: ":"))
      if let text { bytes += text.utf8 }
    }
    for setting in settings {
      put(setting.origin.description, &places)
      for line in setting.lines {
        for text in [setting.name, line.nested, line.value] { put(text, &content) }
      }
    }
    for text in [
      summary.kind?.rawValue, summary.roleARN, summary.source, summary.region, summary.problem, summary.signIn,
      summary.rotation.rawValue,
    ] {
      put(text, &content)
    }
    return blake2b(content, length: contentDigestLength) + blake2b(places, length: 16)
  }
}
