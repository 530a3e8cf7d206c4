import VaultDatabase
import VaultModel
import VaultSecrets

/// A key that a watched file holds in plain text.
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

/// The changes made by an import.
public struct ImportSummary: Sendable {
  public var added: [String] = []
  public var changed: [String] = []
  public var removed: [String] = []
  public var unchanged = 0
  /// Vault-managed profiles, which a file's section of the same name does not change.
  public var shadowed: [String] = []
  public var keysChanged: [String] = []
  /// Sections that profiles refer to (`services x`, `sso-session y`) and that were added, removed or changed: they decide where
  /// secrets are sent.
  public var sectionsChanged: [String] = []
  /// The generation of the rows after the import.
  public var generation: UInt64 = 0

  var isNothing: Bool {
    added.isEmpty && changed.isEmpty && removed.isEmpty && keysChanged.isEmpty && sectionsChanged.isEmpty
  }
}

extension VaultStore {
  /// Imports the sections of the watched files as profiles, in one transaction.
  ///
  /// A profile that is in none of them any more is marked as removed. What the vault manages itself stays unchanged. Keys are
  /// sealed if they are new or changed; a key whose plain text is gone from the files stays. While the vault is locked, imported
  /// rows get no MACs, and are read from the files again after the unlock.
  /// - Parameters:
  ///   - sections: all sections of the files except the unchanged ones; `summaries` has one for each profile among them.
  ///   - yielding: vault-managed profiles that give way to a file's of the same name.
  ///   - fault: what another program changed: every row is written again, even if it seems unchanged.
  /// - Throws: `RowError` for a file that nobody has imported; `RowsMoved` if the unchanged rows are no longer known.
  public func importFiles(
    _ files: [WatchedFile], sections: [ConfigSection], summaries: [ProfileSummary], keys: [ImportedKey],
    unchanged: UnchangedSections? = nil, yielding: Set<String> = [], requester: Requester, trigger: AuditTrigger,
    after fault: RowError? = nil
  ) throws -> ImportSummary {
    let macs = isUnlocked ? try authenticRows() : nil
    let isForced = fault != nil || (macs != nil && trust.files == .changed)
    if let unchanged {
      guard !isForced, macs != nil, trust.files == .asWritten, unchanged.generation == rowGeneration else { throw RowsMoved() }
    }
    return try change { store in
      if isForced {
        var event = AuditEvent(action: .databaseChanged, outcome: .success, trigger: trigger, requester: requester)
        event.error = fault?.message ?? Self.changedFileRows
        event.detail = "read again from " + files.map(\.path).joined(separator: ", ")
        try store.append(event)
      }
      var summary = try store.importRows(
        sections, summaries: summaries, keys: keys, unchanged: unchanged, yielding: yielding, isOwn: false, trigger: trigger,
        requester: requester, macs: macs,
        isForced: isForced)
      try ShadowedRows.keep(summary.shadowed, of: sections, in: store.database)
      let isLonger = try store.observe(files, macs, mayAdd: trigger == .manual)
      let event =
        summary.isNothing && !isLonger
        ? nil : store.event(summary, files: files.map(\.path), trigger: trigger, requester: requester)
      if macs == nil {
        try store.forgetFileRows()
        if let event { try store.append(event) }
      } else {
        store.trust.files = .asWritten
        try store.bindRows(event)
      }
      summary.generation = store.rowGeneration
      return summary
    }
  }

  /// Records the state of the files when they were read.
  ///
  /// - Returns: whether a file was added.
  private func observe(_ files: [WatchedFile], _ macs: RowMACs?, mayAdd: Bool) throws -> Bool {
    guard let macs else {
      for file in files {
        try database.statement("UPDATE followed_file SET device = ?, inode = ?, size = ?, mtime = ? WHERE path = ?").begin()
          .bind(file.identity.device).bind(file.identity.inode).bind(file.identity.size).bind(file.identity.mtime).bind(file.path)
          .run()
        guard database.changes == 1 else { throw StoreError.locked }
      }
      return false
    }
    let known = Set(try watchedRows(by: macs).map(\.file.path))
    let new = files.first { !known.contains($0.path) }
    if let new, !mayAdd { throw RowError.followedFile(new.path) }
    try database.statement("DELETE FROM followed_file").begin().run()
    let insert = try database.statement(
      "INSERT INTO followed_file (path, position, role, home, device, inode, size, mtime, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    for (position, file) in files.enumerated() {
      try insert.begin().bind(file.path).bind(Int64(position)).bind(file.role.rawValue).bind(file.home).bind(file.identity.device)
        .bind(file.identity.inode).bind(file.identity.size).bind(file.identity.mtime)
        .bind(macs.code(RowForm(file, position: Int64(position)))).run()
    }
    return new != nil
  }

  /// Imports sections as vault-managed ones, for `import --once`.
  public func importOwn(sections: [ConfigSection], summaries: [ProfileSummary], keys: [ImportedKey], requester: Requester) throws
    -> ImportSummary
  {
    let macs = try authenticRows()
    return try change { store in
      let summary = try store.importRows(
        sections, summaries: summaries, keys: keys, isOwn: true, trigger: .manual, requester: requester, macs: macs)
      try store.bindRows(summary.isNothing ? nil : store.event(summary, files: [], trigger: .manual, requester: requester))
      return summary
    }
  }

  private func event(_ summary: ImportSummary, files: [String], trigger: AuditTrigger, requester: Requester) -> AuditEvent {
    var event = AuditEvent(action: .profilesImported, outcome: .success, trigger: trigger, requester: requester)
    event.detail =
      "\(summary.added.count) added, \(summary.changed.count) changed, \(summary.removed.count) removed"
      + (summary.sectionsChanged.isEmpty ? "" : "; " + summary.sectionsChanged.joined(separator: ", "))
      + (files.isEmpty ? "" : " from " + files.joined(separator: ", "))
    return event
  }

  private func importRows(
    _ sections: [ConfigSection], summaries: [ProfileSummary], keys: [ImportedKey],
    unchanged: UnchangedSections? = nil, yielding: Set<String> = [], isOwn: Bool, trigger: AuditTrigger, requester: Requester,
    macs: RowMACs?,
    isForced: Bool = false
  ) throws -> ImportSummary {
    var outcome = ImportSummary()
    let own = try ownProfileNames()
    var gone: Set<String>
    if let unchanged {
      gone = Set(unchanged.gone.filter { $0.kind == .profile }.map(\.name)).subtracting(own)
      outcome.unchanged = unchanged.keys.count { $0.kind == .profile }
    } else {
      gone = Set(
        try database.statement("SELECT name FROM profile WHERE is_own = 0 AND removed_at IS NULL").begin().rows { $0.text(0) })
    }
    let byName = Dictionary(summaries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for section in sections where section.kind == .profile {
      gone.remove(section.name)
      if own.contains(section.name), !isOwn, !yielding.contains(section.name) {
        outcome.shadowed.append(section.name)
        continue
      }
      let origin = (isOwn ? nil : Self.origin(of: section)) ?? SettingOrigin.vault.file
      let summary = byName[section.name] ?? ProfileSummary(name: section.name, kind: nil)
      switch try write(section, summary: summary, isOwn: isOwn, origin: origin, macs, isForced: isForced) {
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
    outcome.sectionsChanged = try replaceShared(
      sections.filter { $0.kind != .profile }, unchanged: unchanged, isOwn: isOwn, macs)
    outcome.keysChanged = try importRows(keys, trigger: trigger, requester: requester)
    return outcome
  }

  /// Seals the keys that the vault does not hold yet in this form.
  private func importRows(_ keys: [ImportedKey], trigger: AuditTrigger, requester: Requester) throws -> [String] {
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
