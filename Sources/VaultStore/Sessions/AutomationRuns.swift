import VaultDatabase
import VaultModel

/// A process tree that acts by itself and has not ended, with what a later agent needs to go on narrowing it.
public struct AutomationRecord: Sendable, Hashable {
  public var run: AutomationRun
  public var root: ProcessIdentity
  /// The tree's own control group.
  public var cgroup: String?
  /// Nil if it cannot be read; such a tree gets nothing.
  public var scope: SessionScope?
  public var began: Timestamp
  /// The processes that adopt what loses its parents, from the first one of the machine down to the nearest above the root.
  public var adopters: [Int32]
  public var revoked: Timestamp?
  /// Nil until it is stored.
  var code: [UInt8]?

  public init(
    run: AutomationRun, root: ProcessIdentity, cgroup: String?, scope: SessionScope, began: Timestamp, adopters: [Int32]
  ) {
    self.run = run
    self.root = root
    self.cgroup = cgroup
    self.scope = scope
    self.began = began
    self.adopters = adopters
  }
}

extension VaultStore {
  /// The runs that have not ended.
  public func automationRuns() throws -> [AutomationRecord] {
    try database.statement(
      "SELECT run, name, pid, started, boot, cgroup, scope, began_at, revoked_at, mac, adopters FROM automation_run ORDER BY began_at, run"
    ).begin().rows { row in
      let pid = Int32(truncatingIfNeeded: row.int(2))
      var record = AutomationRecord(
        run: AutomationRun(name: row.text(1), run: row.text(0), rootPid: pid),
        root: ProcessIdentity(pid: pid, started: row.int(3), boot: row.text(4)), cgroup: row.optionalText(5), scope: .none,
        began: Timestamp(milliseconds: row.int(7)), adopters: row.text(10).split(separator: " ").compactMap { Int32($0) })
      record.scope = SessionScope(stored: row.optionalText(6))
      record.revoked = row.optionalInt(8).map { Timestamp(milliseconds: $0) }
      record.code = row.blob(9)
      return record
    }
  }

  /// Records a run that begins, with the row that says so.
  public func begin(_ record: AutomationRecord, event: AuditEvent) throws {
    try change { store in
      try store.database.statement(
        """
        INSERT INTO automation_run (run, name, pid, started, boot, cgroup, scope, began_at, adopters, mac)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
      ).begin().bind(record.run.run).bind(record.run.name).bind(Int64(record.root.pid)).bind(record.root.started)
        .bind(record.root.boot).bind(record.cgroup).bind(record.scope?.stored).bind(record.began.milliseconds)
        .bind(record.adopterText).bind(store.rowMACs().code(record.form)).runOnce()
      try store.append(event)
    }
  }

  /// Removes a run whose processes have all ended.
  public func endRun(_ run: String) throws {
    try change(.process) { store in
      try store.database.statement("DELETE FROM automation_run WHERE run = ?").begin().bind(run).run()
    }
  }

  /// A run gets nothing from now on. While the vault is locked, its row loses its MAC's meaning, and an agent that finds it so gives
  /// the run nothing either.
  public func revokeRun(_ run: String) throws {
    try change { store in
      guard var record = try store.automationRuns().first(where: { $0.run.run == run }), record.revoked == nil else { return }
      record.revoked = store.clock.now()
      try store.database.statement("UPDATE automation_run SET revoked_at = ? WHERE run = ?").begin()
        .bind(record.revoked?.milliseconds).bind(run).run()
      if let macs = try? store.rowMACs() { try store.bind(record, macs) }
    }
  }

  /// Whether the vault itself began a run, and with this scope.
  ///
  /// - Throws: `StoreError.locked`.
  public func vouches(for record: AutomationRecord) throws -> Bool {
    let rows = try rowMACs()
    return try automationRuns().contains { $0.run.run == record.run.run && rows.fits($0.code, record.form) }
  }

  /// Call within a transaction: sets a row's MAC.
  func bind(_ record: AutomationRecord, _ macs: RowMACs) throws {
    try database.statement("UPDATE automation_run SET mac = ? WHERE run = ?").begin().bind(macs.code(record.form))
      .bind(record.run.run).run()
  }
}

extension AutomationRecord {
  var adopterText: String { adopters.map(String.init).joined(separator: " ") }

  /// All its fields, as covered by the MAC.
  var form: RowForm {
    var form = RowForm("automation_run", [run.run, run.name, root.boot, cgroup, scope?.stored, adopterText])
    for number in [Int64(root.pid), root.started, began.milliseconds, revoked?.milliseconds] { form.add(number) }
    return form
  }
}
