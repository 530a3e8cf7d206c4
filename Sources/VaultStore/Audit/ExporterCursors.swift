import VaultAudit
import VaultDatabase
import VaultModel

// Support for live copies of the log: the rows after one, and the position of each copy.
extension VaultStore {
  /// The next rows after one, oldest first.
  public func auditRows(after sequence: Int64, maximum: Int) throws -> [AuditRecord] {
    try database.prepare("SELECT \(AuditRows.columns) FROM audit_event WHERE sequence > ? ORDER BY sequence LIMIT ?").begin()
      .bind(sequence).bind(Int64(maximum)).rows(AuditRows.read)
  }

  /// The last row that an exporter has; nil for a new one.
  public func exporterCursor(_ name: String) throws -> Int64? {
    try setting("sink." + name).flatMap { Int64($0) }
  }

  /// Does not wait for the disk: after a power cut some rows are sent again.
  public func setExporterCursor(_ name: String, _ sequence: Int64) throws {
    try change(.process) { try $0.keep("sink." + name, String(sequence)) }
  }

  /// Compares the settings of the agent's files with the previous ones, and logs each that has changed.
  ///
  /// - Parameters:
  ///   - values: names, values and default values.
  ///   - requester: who changed them, or the agent, if it finds them changed at its start.
  public func recordSettings(
    _ values: [(name: String, value: String, defaultValue: String)], requester: Requester, trigger: AuditTrigger
  ) throws {
    let changed = try values.compactMap { setting -> (name: String, value: String, before: String)? in
      let before = try self.setting("config." + setting.name) ?? setting.defaultValue
      return before == setting.value ? nil : (setting.name, setting.value, before)
    }
    guard !changed.isEmpty else { return }
    try change { store in
      for setting in changed {
        try store.keep("config." + setting.name, setting.value)
        let isTrust = OwnSetting.decidingTrust.contains(setting.name) || setting.name.hasPrefix("endpoint ")
        var event = AuditEvent(
          action: isTrust ? .endpointTrusted : .settingChanged, outcome: .success, trigger: trigger, requester: requester)
        event.detail = "\(setting.name) = \(setting.value), before \(setting.before)"
        try store.append(event)
      }
    }
  }

  /// Call within a transaction: keeps a value that needs no row of its own.
  private func keep(_ name: String, _ value: String) throws {
    try database.statement(
      "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    ).begin().bind(name).bind(value).run()
  }
}
