import Glibc
import VaultAudit
import VaultDatabase
import VaultModel

/// What is taken back.
public enum RevocationTarget: Sendable, Hashable {
  /// The sessions of a profile.
  case profile(String)
  /// One session, by its ID or its access key ID.
  case session(String)
  /// What was delivered to the runs of this name.
  case automation(String)
  /// What was delivered to a process.
  ///
  /// - Parameter since: when it started; what a process of the same number was given before is not its own.
  case process(Int32, since: Timestamp?)
  case all

  /// As the log says it.
  public var text: String {
    switch self {
    case .profile(let name): "profile \(name)"
    case .session(let id): "session \(id)"
    case .automation(let name): "automation \(name)"
    case .process(let pid, _): "process \(pid)"
    case .all: "everything"
    }
  }
}

extension VaultStore {
  /// The live sessions that a revocation ends.
  public func sessions(of target: RevocationTarget) throws -> [SessionRecord] {
    switch target {
    case .all: return try liveSessions()
    case .profile(let name): return try liveSessions(of: name)
    case .session(let id): return try liveSessions().filter { $0.id == id || $0.accessKeyId == id }
    case .automation(let name):
      return try liveSessions().filter { try wasDelivered($0, "automation = ?2") { try $0.bind(name) } }
    case .process(let pid, let start):
      return try liveSessions().filter {
        try wasDelivered($0, "pid = ?2 AND time >= ?3") { try $0.bind(Int64(pid)).bind(start?.milliseconds ?? 0) }
          || wasPassedOn($0, to: pid, since: start)
      }
    }
  }

  /// Ends the live sessions of a role that AWS has begun to refuse: a program that asks gets a new one.
  ///
  /// - Parameters:
  ///   - names: the role session names that are refused; none for all.
  ///   - runs: of these, the runs whose sessions are refused; none for all.
  public func forgetRefused(role: String, names: [String], runs: [String], requester: Requester) throws {
    let refused = try liveSessions().filter { session in
      guard session.kind == .role, session.roleARN == role else { return false }
      guard !names.isEmpty else { return true }
      guard let name = session.roleSessionName, names.contains(name) else { return false }
      return try runs.isEmpty || run(of: session).map { runs.contains($0) } ?? false
    }
    guard !refused.isEmpty else { return }
    try change { store in
      for session in refused {
        try store.end(
          session, as: .forgotten, action: .sessionForgotten, trigger: .manual, requester, detail: "AWS refuses it from now on")
      }
    }
  }

  /// The run that a session's tag names.
  private func run(of session: SessionRecord) throws -> String? {
    try database.statement(
      #"SELECT json_extract(scope, '$.tags."vault:run"') FROM session WHERE id = ? AND json_valid(scope)"#
    ).begin().bind(session.id).first { $0.optionalText(0) } ?? nil
  }

  /// Whether a row of a session's deliveries fulfils a condition. Live sessions are few, and found by their index; rows that no index
  /// has yet are the newest.
  private func wasDelivered(_ session: SessionRecord, _ condition: String, bind: (Statement) throws -> Void) throws -> Bool {
    let columns = "SELECT 1 FROM audit_event WHERE session_id = ?1 AND action = 'Deliver' AND \(condition)"
    let statement = try database.prepare(
      "\(columns) AND pending IS NULL UNION ALL \(columns) AND \(AuditQuery.isPending) LIMIT 1"
    ).begin().bind(session.id)
    try bind(statement)
    return try statement.first { _ in true } ?? false
  }

  /// Whether a session was delivered to a process through one that it had started for that and that has ended, such as `vault
  /// credentials`.
  private func wasPassedOn(_ session: SessionRecord, to pid: Int32, since start: Timestamp?) throws -> Bool {
    let columns = """
      SELECT parents FROM audit_event WHERE session_id = ?1 AND action = 'Deliver' AND trigger IN ('env', 'credentials') \
      AND time >= ?2 AND instr(parents, ?3) > 0
      """
    let statement = try database.prepare(
      "\(columns) AND pending IS NULL UNION \(columns) AND \(AuditQuery.isPending)"
    ).begin().bind(session.id).bind(start?.milliseconds ?? 0).bind("\"pid\":\(pid)}")
    return try statement.rows { row in
      var chain: [Ancestor] = []
      row.withBytes(0) { chain = $0.flatMap { Ancestor.chain($0) } ?? [] }
      return chain
    }.contains { chain in
      // The nearest that still runs took it.
      chain.first { $0.pid == pid || kill($0.pid, 0) == 0 }?.pid == pid
    }
  }

  /// Ends sessions for good, and destroys their secrets: nothing hands them out or stores the results of calls in progress for them.
  /// They are handed out no more even if that cannot be recorded.
  ///
  /// - Parameters:
  ///   - coming: the sessions that requests under way may bring.
  ///   - reason: what the person said.
  /// - Returns: the sessions.
  public func revoke(
    _ target: RevocationTarget, coming: Set<ForgottenSession> = [], requester: Requester, reason: String?
  ) throws -> [SessionRecord] {
    var live = try sessions(of: target)
    for one in coming where !live.contains(where: { $0.profile == one.profile && $0.fingerprint == one.fingerprint }) {
      if let session = try liveSession(profile: one.profile, fingerprint: one.fingerprint) { live.append(session) }
    }
    switch target {
    case .all: claimIntents(of: nil)
    case .profile(let name): claimIntents(of: name)
    default: for profile in Set(live.map(\.profile) + coming.map(\.profile)) { claimIntents(of: profile) }
    }
    withdrawals.withdraw(live, at: clock.now())
    try change { store in
      for session in live {
        try store.end(session, as: .revoked, action: .revoked, trigger: .manual, requester, detail: target.text, because: reason)
      }
      guard live.isEmpty else { return }
      // Programs, runs and links are taken back even where no session is left; the row says by whom.
      var event = AuditEvent(action: .revoked, outcome: .success, trigger: .manual, requester: requester)
      if case .profile(let name) = target { event.profile = name }
      event.detail = target.text
      event.reason = reason
      try store.append(event)
    }
    return live
  }
}
