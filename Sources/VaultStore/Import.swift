import VaultDatabase
import VaultModel
import VaultSecrets

/// A key that a followed file holds in plain text.
public struct ImportedKey: Sendable {
  public let profile: String
  public let credential: Credential
  /// The file, as shown.
  public let origin: String

  public init(profile: String, credential: Credential, origin: String) {
    self.profile = profile
    self.credential = credential
    self.origin = origin
  }
}

/// What an import changed.
public struct ImportSummary: Sendable {
  public var added: [String] = []
  public var changed: [String] = []
  public var removed: [String] = []
  public var unchanged = 0
  /// Profiles of the vault's own, which a file's section of the same name does not touch.
  public var shadowed: [String] = []
  public var keysChanged: [String] = []
  /// Sections that profiles refer to (`services x`, `sso-session y`) and that came, went or changed: they say where secrets are sent.
  public var sectionsChanged: [String] = []

  var isNothing: Bool {
    added.isEmpty && changed.isEmpty && removed.isEmpty && keysChanged.isEmpty && sectionsChanged.isEmpty
  }
}

extension VaultStore {
  /// Takes what the followed files say as what their profiles are, in one transaction.
  ///
  /// A profile that is in none of them any more is marked as removed. What the vault keeps itself is not touched. Keys are sealed where they are
  /// new or others; a key whose plain text has gone from the files stays.
  /// - Parameters:
  ///   - sections: all of the files' sections; `summaries` has one for each profile among them.
  ///   - yielding: profiles of the vault's own that give way to a file's of the same name.
  public func importFiles(
    _ files: [FollowedFile], sections: [ConfigSection], summaries: [ProfileSummary], keys: [ImportedKey],
    yielding: Set<String> = [], requester: Requester, trigger: AuditTrigger
  ) throws -> ImportSummary {
    try change { store in
      let summary = try store.take(sections, summaries, keys, yielding: yielding, isOwn: false, trigger, requester)
      try ShadowedRows.keep(summary.shadowed, of: sections, in: store.database)
      try store.database.statement("DELETE FROM followed_file").begin().run()
      let insert = try store.database.statement(
        "INSERT INTO followed_file (path, position, role, home, device, inode, size, mtime) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      for (position, file) in files.enumerated() {
        try insert.begin().bind(file.path).bind(Int64(position)).bind(file.role.rawValue).bind(file.home).bind(file.stamp.device)
          .bind(file.stamp.inode).bind(file.stamp.size).bind(file.stamp.mtime).run()
      }
      try store.log(summary, files: files.map(\.path), trigger, requester)
      return summary
    }
  }

  /// Takes sections in as the vault's own: what `import --once` does.
  public func importOwn(sections: [ConfigSection], summaries: [ProfileSummary], keys: [ImportedKey], requester: Requester) throws
    -> ImportSummary
  {
    try change { store in
      let summary = try store.take(sections, summaries, keys, isOwn: true, .manual, requester)
      try store.log(summary, files: [], .manual, requester)
      return summary
    }
  }

  private func log(_ summary: ImportSummary, files: [String], _ trigger: AuditTrigger, _ requester: Requester) throws {
    guard !summary.isNothing else { return }
    var event = AuditEvent(action: .profilesImported, outcome: .success, trigger: trigger, requester: requester)
    event.detail =
      "\(summary.added.count) added, \(summary.changed.count) changed, \(summary.removed.count) removed"
      + (summary.sectionsChanged.isEmpty ? "" : "; " + summary.sectionsChanged.joined(separator: ", "))
      + (files.isEmpty ? "" : " from " + files.joined(separator: ", "))
    try append(event)
  }

  private func take(
    _ sections: [ConfigSection], _ summaries: [ProfileSummary], _ keys: [ImportedKey],
    yielding: Set<String> = [], isOwn: Bool, _ trigger: AuditTrigger, _ requester: Requester
  ) throws -> ImportSummary {
    var outcome = ImportSummary()
    let own = Set(
      try database.statement("SELECT name FROM profile WHERE is_own = 1 AND removed_at IS NULL").begin().rows { $0.text(0) })
    var gone = Set(
      try database.statement("SELECT name FROM profile WHERE is_own = 0 AND removed_at IS NULL").begin().rows { $0.text(0) })
    let byName = Dictionary(summaries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for section in sections where section.kind == .profile {
      gone.remove(section.name)
      if own.contains(section.name), !isOwn, !yielding.contains(section.name) {
        outcome.shadowed.append(section.name)
        continue
      }
      let origin = isOwn ? SettingOrigin.vault.file : section.settings.first?.origin.file ?? SettingOrigin.vault.file
      let summary = byName[section.name] ?? ProfileSummary(name: section.name, kind: nil)
      switch try write(section, summary: summary, isOwn: isOwn, origin: origin) {
      case .added: outcome.added.append(section.name)
      case .changed: outcome.changed.append(section.name)
      case .unchanged, .moved: outcome.unchanged += 1
      }
    }
    if !isOwn {
      for name in gone.sorted() {
        try remove(name, trigger: trigger, requester)
        outcome.removed.append(name)
      }
    }
    outcome.sectionsChanged = try replaceShared(sections.filter { $0.kind != .profile }, isOwn: isOwn)
    outcome.keysChanged = try take(keys, trigger, requester)
    return outcome
  }

  /// Seals the keys that are not held yet as they are.
  private func take(_ keys: [ImportedKey], _ trigger: AuditTrigger, _ requester: Requester) throws -> [String] {
    var changed: [String] = []
    for key in keys {
      if let known = try openAccessKey(name: key.profile), known.accessKeyId == key.credential.accessKeyId,
        CredentialForm.join(known).equals(CredentialForm.join(key.credential))
      {
        continue
      }
      let serial = try accessKey(named: key.profile)?.mfaSerial
      try put(
        name: key.profile, accessKeyId: key.credential.accessKeyId, credential: key.credential, mfaSerial: serial,
        origin: key.origin,
        trigger: trigger, requester)
      changed.append(key.profile)
    }
    return changed
  }
}
