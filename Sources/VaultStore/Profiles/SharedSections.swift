import VaultDatabase
import VaultModel

// Sections that profiles refer to: `sso-session` and `services`.
extension VaultStore {
  private struct Known {
    let id: Int64
    let kind: String
    let name: String
    let isOwn: Bool
    var title: String { "\(kind) \(name)" }
  }

  /// Stores sections of the watched files, or vault-managed ones, which a file's section of the same name does not change.
  ///
  /// - Parameters:
  ///   - unchanged: those that are not among the sections, and stay; nil if the sections are complete.
  ///   - macs: nil while the vault is locked.
  /// - Returns: those that were added, removed or changed in content.
  func replaceShared(_ sections: [ConfigSection], unchanged: UnchangedSections?, isOwn: Bool, _ macs: RowMACs?) throws
    -> [String]
  {
    let known = try database.statement("SELECT id, kind, name, is_own FROM shared_section ORDER BY kind, name").begin().rows {
      Known(id: $0.int(0), kind: $0.text(1), name: $0.text(2), isOwn: $0.int(3) != 0)
    }
    let byTitle = Dictionary(known.map { ($0.title, $0) }, uniquingKeysWith: { first, _ in first })
    var seen: Set<String> = []
    var changed: [String] = []
    for section in sections {
      let title = "\(section.kind.rawValue) \(section.name)"
      let code = macs?.code(RowForm(section, isOwn: isOwn, origin: nil))
      guard seen.insert(title).inserted else { continue }
      if let before = byTitle[title] {
        if before.isOwn, !isOwn { continue }
        let stored = try SettingRows.stored(section.kind, section.name, in: database)
        let settings = stored?.section.settings ?? []
        if before.isOwn == isOwn, settings == section.settings, code == nil || stored?.code == code { continue }
        try delete(before)
        if before.isOwn != isOwn || !Self.saysTheSame(settings, section.settings) { changed.append(title) }
      } else {
        changed.append(title)
      }
      try database.statement("INSERT INTO shared_section (kind, name, is_own, mac) VALUES (?, ?, ?, ?)")
        .begin().bind(section.kind.rawValue).bind(section.name).bind(isOwn ? 1 : 0).bind(code).run()
      try insert(section.settings, profile: nil, section: database.lastInsertRow)
    }
    if !isOwn {
      for gone in known where !gone.isOwn && !seen.contains(gone.title) {
        if let unchanged, let kind = SectionKind(rawValue: gone.kind), !unchanged.gone.contains(SectionKey(kind, gone.name)) {
          continue
        }
        try delete(gone)
        changed.append(gone.title)
      }
    }
    return changed
  }

  private func delete(_ section: Known) throws {
    try database.statement("DELETE FROM shared_section WHERE id = ?").begin().bind(section.id).run()
  }

  /// Adds or changes a vault-managed section, and logs it.
  public func putSection(_ section: ConfigSection, requester: Requester) throws {
    let macs = try authenticRows()
    try change { store in
      let isKnown = try SettingRows.section(section.kind, section.name, in: store.database) != nil
      _ = try store.replaceShared([section], unchanged: nil, isOwn: true, macs)
      var event = AuditEvent(
        action: isKnown ? .profileChanged : .profileAdded, outcome: .success, trigger: .manual, requester: requester)
      event.detail = "\(section.kind.rawValue) \(section.name)"
      try store.bindRows(event)
    }
  }

  /// Removes a vault-managed section, and logs it.
  public func removeSection(_ kind: SectionKind, _ name: String, requester: Requester) throws {
    _ = try authenticRows()
    try change { store in
      try store.database.statement("DELETE FROM shared_section WHERE kind = ? AND name = ? AND is_own = 1").begin()
        .bind(kind.rawValue).bind(name).run()
      guard store.database.changes == 1 else { return }
      var event = AuditEvent(action: .profileRemoved, outcome: .success, trigger: .manual, requester: requester)
      event.detail = "\(kind.rawValue) \(name)"
      try store.bindRows(event)
    }
  }

  /// Whether they differ at most in their lines.
  private static func saysTheSame(_ one: [Setting], _ other: [Setting]) -> Bool {
    one.elementsEqual(other) { $0.name == $1.name && $0.value == $1.value }
  }
}
