import VaultAudit
import VaultModel

/// The whole team's rows that match a filter, as stored on the server.
struct TeamRows {
  let filter: AuditFilter
  var login: String?
  var vault: String?
  /// Whether the rows are for sums: their order does not matter, and intents are not wanted.
  var isForSums = false

  /// Lends each canonical row with its hash and origin.
  ///
  /// Rows come in order of time, oldest first, or in reverse if the filter says so. A row that is dated after it was received is
  /// sorted by the time of receipt, so that it displaces no other row from a page.
  func forEach(
    on server: Server,
    _ body: (_ form: UnsafeRawBufferPointer, _ hash: UnsafeRawBufferPointer, _ origin: RowOrigin) throws -> Void
  ) throws {
    guard try (filter.automation == nil && filter.run == nil) || server.eventColumns().hasAutomation else {
      throw Failure(
        "the server's tables are from an earlier version, which has no column for automation runs: --automation and --run find nothing there",
        hint: "their owner updates them: `vault audit ship --print-schema | psql --single-transaction -v ON_ERROR_STOP=1 URL`",
        exitStatus: .configuration)
    }
    let query = query
    // The index by time is already in order, and millions of rows must not be sorted on the server's disk.
    if !isForSums { try server.run("SET enable_sort = off") }
    // The query is short, but compiling it takes a quarter of a second.
    try server.run("SET jit = off")
    try server.forEachRow(query.sql, query.values) { row in
      try row.withBytes(0) { hash in
        guard let hash, hash.count == 32, let received = try row.number(2), let enrolled = row.bytes(5)?.first else {
          throw ServerError.senseless
        }
        try row.withBytes(1) { form in
          try row.withBytes(3) { vault in
            try row.withBytes(4) { login in
              guard let form, let vault, let login, form.count <= CanonicalRowFields.maxLength else {
                throw ServerError.senseless
              }
              try body(
                form, hash,
                RowOrigin(
                  vault: vault, login: login, receivedAt: received / 1_000 + EventColumns.epoch, isEnrolled: enrolled == 1))
            }
          }
        }
      }
    }
  }

  /// The times of the first and the last row of the log, regardless of the filter.
  static func span(on server: Server) throws -> (first: Timestamp, last: Timestamp)? {
    var span: (first: Timestamp, last: Timestamp)?
    try server.forEachRow(
      """
      SELECT min(least(e."time", e.received_at)), max(least(e."time", e.received_at)) FROM vault_audit.audit_event e WHERE e.form IS NOT NULL
      """
    ) { row in
      guard let first = try row.number(0), let last = try row.number(1) else { return }
      span = (
        Timestamp(milliseconds: first / 1_000 + EventColumns.epoch), Timestamp(milliseconds: last / 1_000 + EventColumns.epoch)
      )
    }
    return span
  }

  /// The query. Search values are bound parameters; the text is assembled from fixed pieces.
  var query: (sql: String, values: [ServerValue]) {
    var conditions = ["e.form IS NOT NULL"]
    var values: [ServerValue] = []
    func want(_ left: String, _ value: ServerValue?) {
      guard let value else { return }
      values.append(value)
      conditions.append("\(left) $\(values.count)")
    }
    // In the form in which the columns store texts.
    func text(_ text: String?) -> ServerValue? {
      guard var text else { return nil }
      return text.withUTF8 { EventColumns.withText(UnsafeRawBufferPointer($0)) { .text(String(decoding: $0, as: UTF8.self)) } }
    }
    want("e.profile =", text(filter.profile))
    want("e.outcome =", text(filter.outcome?.rawValue))
    want("e.action =", text(filter.action?.rawValue))
    want("e.user_name =", text(filter.user))
    want("e.session_id =", text(filter.session))
    want("e.automation =", text(filter.automation))
    want("e.run =", text(filter.run))
    want("e.vault_id =", vault.map { .text($0) })
    want("v.shipper =", login.map { .text($0) })
    want("\(Self.when) >=", filter.since.map { .time($0) })
    want("\(Self.when) <", filter.until.map { .time($0) })
    if let role = filter.role {
      if role.hasPrefix("arn:") {
        want("e.role_arn =", text(role))
      } else {
        values.append(.text("/" + role))
        conditions.append("right(e.role_arn, length($\(values.count))) = $\(values.count)")
      }
    }
    if let program = filter.program {
      want("(e.program =", text(program))
      conditions[conditions.count - 1] += " OR right(e.program, length($\(values.count)) + 1) = '/' || $\(values.count))"
    }
    if isForSums {
      conditions.append("e.outcome <> 'intent'")
    } else if filter.outcome != .intent {
      conditions.append(
        """
        (e.outcome <> 'intent' OR NOT EXISTS \
        (SELECT 1 FROM vault_audit.audit_event o WHERE o.vault_id = e.vault_id AND o.intent_id = e.id))
        """)
    }
    let order = { (direction: String) in
      " ORDER BY \(Self.when)\(direction), e.vault_id\(direction), e.sequence\(direction)"
    }
    var sql = """
      SELECT e.hash, \(EventColumns.form) AS form, e.received_at, left(e.vault_id, 100) AS vault, \
      left(coalesce(v.shipper, '?'), 100) AS login, coalesce(n.login = v.shipper, false) AS enrolled, e."time", e.vault_id, e.sequence FROM vault_audit.audit_event e \
      LEFT JOIN vault_audit.audit_vault v ON v.vault_id = e.vault_id LEFT JOIN vault_audit.audit_enrolment n ON n.vault_id = e.vault_id WHERE \

      """
    sql += conditions.joined(separator: " AND ")
    if let limit = filter.limit {
      values.append(.number(Int64(limit)))
      sql += order(" DESC") + " LIMIT $\(values.count)"
      if !filter.reverse { sql = "SELECT * FROM (\(sql)) e" + order("") }
    } else if !isForSums {
      sql += order(filter.reverse ? " DESC" : "")
    }
    return (sql, values)
  }

  /// The time of a row, but not later than its receipt; the server has an index on it.
  private static let when: StaticString = "least(e.\"time\", e.received_at)"
}
