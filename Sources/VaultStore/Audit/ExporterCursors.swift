import VaultDatabase
import VaultModel

// What live copies of the log need: the rows behind one, and how far each copy is.
extension VaultStore {
  /// The next rows behind one, oldest first.
  public func auditRows(after sequence: Int64, most: Int) throws -> [AuditRecord] {
    try database.prepare("SELECT \(AuditRows.columns) FROM audit_event WHERE sequence > ? ORDER BY sequence LIMIT ?").begin()
      .bind(sequence).bind(Int64(most)).rows(AuditRows.read)
  }

  /// The last row that a sink has; nil for one that never was.
  public func exporterCursor(_ name: String) throws -> Int64? {
    try setting("sink." + name).flatMap { Int64($0) }
  }

  /// Does not wait for the disk: after a power cut some rows are sent again.
  public func setExporterCursor(_ name: String, _ sequence: Int64) throws {
    try change(.process) { try $0.keep("sink." + name, String(sequence)) }
  }

  /// Holds the settings of the agent's files against those that it had before, and logs each that is another one now.
  ///
  /// - Parameters:
  ///   - values: names, values, and what the value is where nobody ever set one.
  ///   - requester: who changed them, or the agent, which finds them changed at its start.
  public func recordSettings(
    _ values: [(name: String, value: String, standard: String)], requester: Requester, trigger: AuditTrigger
  ) throws {
    let changed = try values.compactMap { setting -> (name: String, value: String, before: String)? in
      let before = try self.setting("config." + setting.name) ?? setting.standard
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

  /// Within a transaction: keeps a value that is not worth a row of its own.
  private func keep(_ name: String, _ value: String) throws {
    try database.statement(
      "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    ).begin().bind(name).bind(value).run()
  }
}
