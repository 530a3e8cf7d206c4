import VaultDatabase
import VaultModel

/// A program that is served on loopback, with what a later agent needs to continue.
public struct LeaseRecord: Sendable, Hashable {
  /// `lse_…`
  public var id: String
  /// 32 bytes. The token is random and as long, so its hash reveals nothing about it.
  public var tokenHash: [UInt8]
  public var port: Int
  public var process: ProcessIdentity
  public var profile: String
  public var roleARN: String?
  public var duration: SessionDuration?
  public var sessionName: RoleSessionName?
  public var reason: String?
  public var environment: [String: String]
  public var requester: Requester
  /// What its session is narrowed to.
  public var scope: SessionScope { didSet { scopeText = scope.stored } }
  /// The role that is assumed with the profile's credentials.
  public var role: RoleARN? { didSet { roleText = role?.text } }
  /// `run_…`, the run to which the program belongs.
  public var run: String?
  /// Both as the row has them, and as its MAC covers them.
  fileprivate var scopeText: String?
  fileprivate var roleText: String?
  /// Nil if it was not written with the vault's key.
  var code: [UInt8]?

  public init(
    id: String, tokenHash: [UInt8], port: Int, process: ProcessIdentity, profile: String, roleARN: String?,
    duration: SessionDuration?, sessionName: RoleSessionName?, reason: String?, environment: [String: String],
    requester: Requester, scope: SessionScope = .none, role: RoleARN? = nil,
    run: String? = nil
  ) {
    self.id = id
    self.tokenHash = tokenHash
    self.port = port
    self.process = process
    self.profile = profile
    self.roleARN = roleARN
    self.duration = duration
    self.sessionName = sessionName
    self.reason = reason
    self.environment = environment
    self.requester = requester
    self.scope = scope
    self.role = role
    self.run = run ?? requester.automation?.run
    (scopeText, roleText) = (scope.stored, role?.text)
  }
}

extension VaultStore {
  /// Leases whose end is not recorded yet.
  public func leases() throws -> [LeaseRecord] {
    try database.statement(
      """
      SELECT id, token_hash, port, lease.pid, lease.started, lease.boot, profile, role_arn, duration, session_name, reason, environment, user, uid, program, \
      executable, directory, parent, host, lease.mac, lease.scope, role, run, \
      automation_run.name, automation_run.pid FROM lease LEFT JOIN automation_run USING (run) ORDER BY opened_at, id
      """
    ).begin().rows { row in
      let pid = Int32(truncatingIfNeeded: row.int(3))
      var lease = LeaseRecord(
        id: row.text(0), tokenHash: row.blob(1), port: Int(row.int(2)),
        process: ProcessIdentity(pid: pid, started: row.int(4), boot: row.text(5)), profile: row.text(6),
        roleARN: row.optionalText(7), duration: row.optionalInt(8).flatMap { SessionDuration(seconds: Int($0), ofKeys: true) },
        sessionName: row.optionalText(9).flatMap { RoleSessionName($0) }, reason: row.optionalText(10),
        environment: Self.environment(row.text(11)),
        requester: Requester(
          user: row.text(12), uid: UInt32(truncatingIfNeeded: row.int(13)), pid: pid, program: row.text(14),
          executable: row.text(15), directory: row.text(16), parent: row.text(17), host: row.text(18)),
        scope: SessionScope(stored: row.optionalText(20)) ?? .none, role: row.optionalText(21).flatMap { RoleARN($0) },
        run: row.optionalText(22))
      // Without a row of its own, the run has ended, and gets nothing.
      lease.requester.automation = lease.run.map {
        AutomationRun(name: row.optionalText(23) ?? "", run: $0, rootPid: Int32(truncatingIfNeeded: row.optionalInt(24) ?? 0))
      }
      lease.scopeText = SessionScope.covered(row.optionalText(20))
      lease.roleText = row.optionalText(21)
      lease.code = row.isNull(19) ? nil : row.blob(19)
      return lease
    }
  }

  /// Records a program that is served from now on. Its delivery already has its row in the log.
  public func keep(_ lease: LeaseRecord) throws {
    try change(.process) { store in
      let who = lease.requester
      try store.database.statement(
        """
        INSERT INTO lease (id, token_hash, port, pid, started, boot, profile, role_arn, duration, session_name, reason, environment, \
        user, uid, program, executable, directory, parent, host, opened_at, scope, role, run, mac) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
      ).begin().bind(lease.id).bind(lease.tokenHash).bind(Int64(lease.port)).bind(Int64(lease.process.pid))
        .bind(lease.process.started).bind(lease.process.boot).bind(lease.profile).bind(lease.roleARN)
        .bind(lease.duration.map { Int64($0.seconds) }).bind(lease.sessionName?.text).bind(lease.reason)
        .bind(lease.environmentText).bind(who.user).bind(Int64(who.uid)).bind(who.program).bind(who.executable)
        .bind(who.directory).bind(who.parent).bind(who.host).bind(store.clock.now().milliseconds)
        .bind(lease.scope.stored).bind(lease.role?.text).bind(lease.run).bind(store.rowMACs().code(lease.form)).runOnce()
    }
  }

  /// Whether the vault itself was serving a program. The MAC is the row's present one: the first unlock of a vault from before there
  /// were MACs, and a change of the master key, write it after the record was read.
  ///
  /// - Throws: `StoreError.locked`; `RowError` if more than a lease was changed.
  public func vouches(for lease: LeaseRecord) throws -> Bool {
    let rows = try authenticRows()
    let code = try database.statement("SELECT mac FROM lease WHERE id = ? AND mac IS NOT NULL").begin().bind(lease.id)
      .first { $0.blob(0) }
    return rows.fits(code, lease.form)
  }

  /// Call within a transaction: sets a row's MAC.
  func bind(_ lease: LeaseRecord, _ macs: RowMACs) throws {
    try database.statement("UPDATE lease SET mac = ? WHERE id = ?").begin().bind(macs.code(lease.form)).bind(lease.id).run()
  }

  /// Removes a program that has ended, with the row that says so.
  public func endLease(_ id: String, event: AuditEvent) throws {
    try change { store in
      try store.database.statement("DELETE FROM lease WHERE id = ?").begin().bind(id).run()
      try store.append(event)
    }
  }

  /// Variables as stored in a column, without those that are secret (a proxy's password) or cannot be part of a line.
  static func text(of environment: [String: String]) -> String {
    environment.filter { !$0.value.contains("@") && !($0.key + $0.value).utf8.contains { $0 < 32 } }
      .map { "\($0.key)=\($0.value)" }.sorted().joined(separator: "\n")
  }

  /// Reads variables from such a column.
  static func environment(_ text: String) -> [String: String] {
    var variables: [String: String] = [:]
    for line in text.split(separator: "\n") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      variables[String(line[..<equals])] = String(line[line.index(after: equals)...])
    }
    return variables
  }
}

extension LeaseRecord {
  /// All its fields, as covered by the MAC.
  var form: RowForm {
    var form = RowForm("lease", [id, String(port), profile, roleARN, sessionName?.text, reason, environmentText, process.boot])
    form.add(tokenHash)
    for number in [Int64(process.pid), process.started, duration.map { Int64($0.seconds) }, Int64(requester.uid)] {
      form.add(number)
    }
    for text in [
      requester.user, requester.program, requester.executable, requester.directory, requester.parent, requester.host,
    ] { form.add(text) }
    form.add(optional: "scope", scopeText)
    form.add(optional: "role", roleText)
    form.add(optional: "run", run)
    return form
  }

  fileprivate var environmentText: String { VaultStore.text(of: environment) }
}
