import VaultModel

/// The query for a filter. Names and values are bound; the text is put together of fixed pieces.
struct AuditQuery {
  enum Value {
    case text(String)
    case number(Int64)

    func bind(to statement: Statement) throws {
      switch self {
      case .text(let text): try statement.bind(text)
      case .number(let number): try statement.bind(number)
      }
    }
  }

  static let isNoSettledIntent: StaticString =
    "outcome <> 'intent' OR NOT EXISTS (SELECT 1 FROM audit_event o WHERE o.intent_id = audit_event.id)"

  private(set) var sql: String
  /// What stands behind WHERE; empty where every row is wanted.
  let condition: String
  /// Those of the condition, then the limit.
  private(set) var values: [Value] = []
  /// Where a scan by sequence may begin, and the value for it: the first row of a time on, by the index of times, which is a few rows where
  /// the log has millions. Nil where no beginning is asked for.
  let scanStart: (condition: String, value: Value)?
  /// A limit is taken from the newest, so that the rows come the other way round.
  let isNewestFirst: Bool

  init(_ filter: AuditFilter) {
    var conditions: [String] = []
    var values: [Value] = []
    func want(_ condition: String, _ value: Value?) {
      guard let value else { return }
      conditions.append(condition)
      values.append(value)
    }
    want("profile = ?", filter.profile.map { .text($0) })
    want("outcome = ?", filter.outcome.map { .text($0.rawValue) })
    want("action = ?", filter.action.map { .text($0.rawValue) })
    want("user = ?", filter.user.map { .text($0) })
    want("session_id = ?", filter.session.map { .text($0) })
    want("time >= ?", filter.since.map { .number($0.milliseconds) })
    want("time < ?", filter.until.map { .number($0.milliseconds) })
    want("sequence > ?", filter.after.map { .number($0) })
    want("sequence <= ?", filter.upTo.map { .number($0) })
    // What makes the partial indexes fit: only few rows are no successes.
    if let outcome = filter.outcome, outcome != .success { conditions.append("outcome <> 'success'") }
    if let role = filter.role {
      if role.hasPrefix("arn:") {
        want("role_arn = ?", .text(role))
      } else {
        let place = values.count + 1
        // From one role to the next along the index: a log of a million rows has a few hundred of them.
        want(
          """
          role_arn IN (WITH RECURSIVE roles (arn) AS (SELECT min(role_arn) FROM audit_event WHERE role_arn IS NOT NULL UNION ALL \
          SELECT (SELECT min(role_arn) FROM audit_event WHERE role_arn > arn) FROM roles WHERE arn IS NOT NULL) \
          SELECT arn FROM roles WHERE substr(arn, -length(?\(place))) = ?\(place))
          """, .text("/" + role))
      }
    }
    if filter.outcome != .intent, !filter.includesIntents {
      conditions.append("(\(Self.isNoSettledIntent))")
    }
    scanStart = filter.since.map {
      (
        "sequence >= (SELECT min(sequence) FROM audit_event INDEXED BY audit_event_time WHERE time >= ?)",
        .number($0.milliseconds)
      )
    }
    isNewestFirst = filter.limit != nil || filter.reverse
    condition = conditions.joined(separator: " AND ")
    sql = "SELECT \(AuditRows.columns) FROM audit_event"
    if !condition.isEmpty { sql += " WHERE " + condition }
    // With nothing but a time to go by, the order of time, which is that of the rows but where the clock was put back.
    let isByTime =
      (filter.since != nil || filter.until != nil) && values.count == (filter.since == nil || filter.until == nil ? 1 : 2)
    let direction = isNewestFirst ? " DESC" : ""
    sql += isByTime ? " ORDER BY time\(direction), sequence\(direction)" : " ORDER BY sequence\(direction)"
    if let limit = filter.limit {
      sql += " LIMIT ?"
      values.append(.number(Int64(limit)))
    }
    self.values = values
  }
}
