import VaultDatabase
import VaultModel

/// A row that leads to a secret and does not come from a watched file, with its MAC.
struct OwnRow {
  enum Key {
    case profile(String)
    case section(SectionKind, String)
    case followedFile(String)
    case setting(String)
    case link(CredentialsLink)
  }

  let key: Key
  let form: RowForm
  let code: [UInt8]?

  var fault: RowError {
    switch key {
    case .profile(let name): .section(.profile, name: name, isOwn: true)
    case .section(let kind, let name): .section(kind, name: name, isOwn: true)
    case .followedFile(let path): .followedFile(path)
    case .setting(let name): .setting(name)
    case .link(let link): .credentialsLink(path: link.path, section: link.section)
    }
  }
}

// Visits all of them: when the master key changes, when a set does not match, and once for a vault from before there were row MACs.
extension VaultStore {
  /// Calls `body` for each of the vault's own rows.
  func eachOwnRow(_ body: (OwnRow) throws -> Void) throws {
    let profiles = try database.statement("SELECT name FROM profile WHERE is_own = 1 AND removed_at IS NULL ORDER BY name")
      .begin().rows { $0.text(0) }
    for name in profiles { try section(.profile, name, body: body) }
    let sections = try database.statement("SELECT kind, name FROM shared_section WHERE is_own = 1 ORDER BY kind, name").begin()
      .rows { (SectionKind(rawValue: $0.text(0)), $0.text(1)) }
    for case (let kind?, let name) in sections { try section(kind, name, body: body) }
    for file in try watchedRows() {
      try body(OwnRow(key: .followedFile(file.file.path), form: RowForm(file.file, position: file.position), code: file.code))
    }
    let settings = try database.statement("SELECT name, value, mac FROM setting ORDER BY name").begin().rows {
      (name: $0.text(0), value: $0.text(1), code: $0.isNull(2) ? nil : $0.blob(2))
    }
    for setting in settings where Self.leads(setting.name) {
      try body(
        OwnRow(key: .setting(setting.name), form: RowForm(setting: setting.name, setting.value), code: setting.code))
    }
    for (link, code) in try linkRows() { try body(OwnRow(key: .link(link), form: RowForm(link), code: code)) }
  }

  private func section(_ kind: SectionKind, _ name: String, body: (OwnRow) throws -> Void) throws {
    guard let stored = try SettingRows.stored(kind, name, in: database), stored.isOwn else { return }
    try body(
      OwnRow(
        key: kind == .profile ? .profile(name) : .section(kind, name),
        form: RowForm(stored.section, isOwn: true, origin: stored.origin), code: stored.code))
  }

  /// Call within a transaction: sets a row's MAC.
  func bind(_ row: OwnRow, _ code: [UInt8]) throws {
    switch row.key {
    case .profile(let name):
      try database.statement("UPDATE profile SET mac = ? WHERE name = ?").begin().bind(code).bind(name).run()
    case .section(let kind, let name):
      try database.statement("UPDATE shared_section SET mac = ? WHERE kind = ? AND name = ?").begin().bind(code)
        .bind(kind.rawValue).bind(name).run()
    case .followedFile(let path):
      try database.statement("UPDATE followed_file SET mac = ? WHERE path = ?").begin().bind(code).bind(path).run()
    case .setting(let name):
      try database.statement("UPDATE setting SET mac = ? WHERE name = ?").begin().bind(code).bind(name).run()
    case .link(let link):
      try database.statement("UPDATE credentials_link SET mac = ? WHERE path = ? AND section = ?").begin().bind(code)
        .bind(link.path).bind(link.section).run()
    }
  }

  private func remove(_ row: OwnRow, _ requester: Requester) throws {
    switch row.key {
    case .profile(let name): try remove(name, trigger: .manual, requester)
    case .section(let kind, let name):
      try database.statement("DELETE FROM shared_section WHERE kind = ? AND name = ?").begin().bind(kind.rawValue).bind(name)
        .run()
    case .followedFile(let path):
      try database.statement("DELETE FROM followed_file WHERE path = ?").begin().bind(path).run()
    case .setting(let name): try database.statement("DELETE FROM setting WHERE name = ?").begin().bind(name).run()
    case .link(let link):
      try database.statement("DELETE FROM credentials_link WHERE path = ? AND section = ?").begin().bind(link.path)
        .bind(link.section).run()
    }
  }

  // MARK: all at once

  /// Adds MACs to the rows of a vault from before there were any, and reseals its secrets in its first epoch. An attacker may make
  /// the vault look like an older one, to get MACs for forged rows; these are then made in another epoch, in which none of its
  /// secrets opens.
  ///
  /// Rows from watched files are read from the files again.
  func beginRowMACs() throws {
    guard let old = cipher, let new = successor else { return }
    var isDone = false
    defer { if !isDone { cipher = old } }
    try change { store in
      _ = try store.resealRows(from: old, to: new, isStrict: false)
      try store.resealAuditKeys(from: old, to: new)
      try store.database.statement("UPDATE master_key SET key_check = ?, epoch = ? WHERE state = 'active'").begin()
        .bind(new.check).bind(new.epoch).run()
      let macs = RowMACs(key: new.rowKey, vaultId: store.vaultId)
      var count = 0
      try store.eachOwnRow { row in
        try store.bind(row, macs.code(row.form))
        count += 1
      }
      for lease in try store.leases() { try store.bind(lease, macs) }
      try store.forgetFileRows()
      var event = AuditEvent(action: .settingChanged, outcome: .success, trigger: .start, requester: store.agent)
      event.detail = "rows that lead to a secret are authenticated from now on: \(count) rows"
      store.cipher = new
      try store.bindRows(event)
    }
    isDone = true
    successor = nil
    trust = RowTrust()
  }

  /// Call within the transaction of a master key change: rows that are valid under the old key become valid under the new one, and
  /// no others.
  func rebindRows(from old: RowMACs, to new: RowMACs) throws {
    try eachOwnRow { row in if old.fits(row.code, row.form) { try bind(row, new.code(row.form)) } }
    let names = try database.statement("SELECT name FROM profile WHERE is_own = 0 AND removed_at IS NULL").begin().rows {
      (SectionKind.profile, $0.text(0))
    }
    let sections = try database.statement("SELECT kind, name FROM shared_section WHERE is_own = 0").begin().rows {
      (SectionKind(rawValue: $0.text(0)) ?? .services, $0.text(1))
    }
    for (kind, name) in names + sections {
      guard let stored = try SettingRows.stored(kind, name, in: database) else { continue }
      let form = RowForm(stored.section, isOwn: false, origin: stored.origin)
      guard old.fits(stored.code, form) else { continue }
      let key = kind == .profile ? OwnRow.Key.profile(name) : .section(kind, name)
      try bind(OwnRow(key: key, form: form, code: nil), new.code(form))
    }
    for lease in try leases() where old.fits(lease.code, lease.form) { try bind(lease, new) }
    for run in try automationRuns() where old.fits(run.code, run.form) { try bind(run, new) }
  }

  /// Continues with those of the vault's own rows that are valid, because a user accepts it; the others are removed.
  ///
  /// - Returns: false if all were valid.
  public func acceptRows(requester: Requester) throws -> Bool {
    var isFaulty = false
    do { _ = try authenticRows() } catch is RowError { isFaulty = true }
    let macs = try rowMACs()
    var wrong: [OwnRow] = []
    var kept = 0
    try eachOwnRow { row in if macs.fits(row.code, row.form) { kept += 1 } else { wrong.append(row) } }
    guard isFaulty || !wrong.isEmpty else { return false }
    try change { store in
      for row in wrong { try store.remove(row, requester) }
      try store.forgetFileRows()
      var event = AuditEvent(action: .auditAccepted, outcome: .success, trigger: .manual, requester: requester)
      event.detail =
        "\(kept) of the vault's own rows kept"
        + (wrong.isEmpty ? "" : "; removed: " + wrong.map(\.fault.what).joined(separator: ", "))
      try store.bindRows(event)
    }
    trust.version = nil
    return true
  }
}
