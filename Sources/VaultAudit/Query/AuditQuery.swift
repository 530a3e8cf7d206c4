import VaultDatabase
import VaultModel

/// The query for a filter. Names and values are bound; the SQL consists of fixed pieces.
package struct AuditQuery {
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

  /// The condition for rows that are not in the indexes yet: the newest ones, found from the end.
  package static let isPending = """
    pending IS NOT NULL AND sequence > coalesce((SELECT sequence FROM audit_event NOT INDEXED WHERE pending IS NULL \
    ORDER BY sequence DESC LIMIT 1), 0)
    """

  /// The WHERE conditions; empty for every row. If there are two, they select disjoint rows: the indexed ones and the others.
  private let parts: [String]
  /// The values of the conditions, by number, then the limit.
  private(set) var values: [Value] = []
  /// The order of ``select(_:)``.
  private let order: String
  let limit: String
  /// A limit selects the newest rows, so they come in reverse order.
  let isNewestFirst: Bool
  /// The possible start of a scan by sequence: the first row from a time on, found by the index of times, which reads a few
  /// rows where the log has millions. Nil without a start time.
  let scanStart: String?

  /// - Parameters:
  ///   - defers: whether the log has rows that are not indexed yet (`0007_deferred_indexes.sql`).
  ///   - schema: the version of the database.
  init(_ filter: AuditFilter, defers: Bool, schema: Int64) {
    var conditions: [String] = []
    var values: [Value] = []
    func want(_ condition: String, _ value: Value?) {
      guard let value else { return }
      values.append(value)
      conditions.append("\(condition) ?\(values.count)")
    }
    want("time >=", filter.since.map { .number($0.milliseconds) })
    scanStart = filter.since.map { _ in Self.first(since: "?1", defers: defers) }
    want("time <", filter.until.map { .number($0.milliseconds) })
    want("profile =", filter.profile.map { .text($0) })
    want("outcome =", filter.outcome.map { .text($0.rawValue) })
    want("action =", filter.action.map { .text($0.rawValue) })
    want("user =", filter.user.map { .text($0) })
    want("session_id =", filter.session.map { .text($0) })
    want("id =", filter.id.map { .text($0) })
    if let asked = Self.requester(filter, schema: schema, from: values.count + 1) {
      values += asked.values
      conditions.append(asked.condition)
    }
    want("sequence >", filter.after.map { .number($0) })
    want("sequence <=", filter.upTo.map { .number($0) })
    // Makes the partial indexes usable: few rows are not successes, or not deliveries.
    if let outcome = filter.outcome, outcome != .success { conditions.append("outcome <> 'success'") }
    if let action = filter.action, action != .deliver { conditions.append("action <> 'Deliver'") }
    var role: (indexed: String, pending: String)?
    if let wanted = filter.role {
      let isWhole = wanted.hasPrefix("arn:")
      values.append(.text(isWhole ? wanted : "/" + wanted))
      let place = "?\(values.count)"
      let end = "substr(role_arn, -length(\(place))) = \(place)"
      role = isWhole ? ("role_arn = \(place)", "role_arn = \(place)") : (Self.roles(endingWith: place, defers: defers), end)
    }
    if filter.outcome != .intent, !filter.includesIntents {
      conditions.append("(\(Self.isNoSettledIntent))")
    }
    // With only a time to filter by: in order of time, which is the order of the rows unless the clock was set back.
    let times = (filter.since == nil ? 0 : 1) + (filter.until == nil ? 0 : 1)
    let isByTime = times > 0 && values.count == times
    if defers, isByTime || role != nil || filter.profile != nil || filter.user != nil || filter.session != nil {
      parts = [
        (conditions + [role?.indexed, "pending IS NULL"].compactMap { $0 }).joined(separator: " AND "),
        (conditions + [role?.pending, Self.isPending].compactMap { $0 }).joined(separator: " AND "),
      ]
    } else {
      parts = [(conditions + [role?.indexed].compactMap { $0 }).joined(separator: " AND ")]
    }
    isNewestFirst = filter.limit != nil || filter.reverse
    let direction = isNewestFirst ? " DESC" : ""
    order = isByTime ? " ORDER BY time\(direction), sequence\(direction)" : " ORDER BY sequence\(direction)"
    if let limit = filter.limit {
      values.append(.number(Int64(limit)))
      self.limit = " LIMIT ?\(values.count)"
    } else {
      limit = ""
    }
    self.values = values
  }

  /// The condition on the process that asked, and its values; nil if the filter has none.
  ///
  /// The indexes of runs have every row at once.
  ///
  /// - Parameter first: the number of the first value.
  static func requester(_ filter: AuditFilter, schema: Int64, from first: Int) -> (condition: String, values: [Value])? {
    var conditions: [String] = []
    var values: [Value] = []
    func want(_ value: Value?, _ condition: (_ place: String) -> String) {
      guard let value else { return }
      conditions.append(condition("?\(first + values.count)"))
      values.append(value)
    }
    want(filter.program.map { .text($0) }) { "(program = \($0) OR substr(program, -length(\($0)) - 1) = '/' || \($0))" }
    want(filter.pid.map { .number(Int64($0)) }) { "pid = \($0)" }
    // A hint is in the same column, and has no run.
    want(filter.automation.map { .text($0) }) {
      "\(AuditTable.name("automation", at: schema)) = \($0) AND \(AuditTable.name("run", at: schema)) IS NOT NULL"
    }
    want(filter.run.map { .text($0) }) { "\(AuditTable.name("run", at: schema)) = \($0)" }
    return conditions.isEmpty ? nil : (conditions.joined(separator: " AND "), values)
  }

  /// The rows as ``VaultReader/auditRecords(_:)`` reads them.
  func select(_ columns: String) -> String { select(columns, order: order + limit) }
  /// The numbers of the newest rows within the limit.
  var newest: String { select("sequence", order: " ORDER BY sequence DESC" + limit) }

  /// - Parameters:
  ///   - columns: must include `sequence`.
  ///   - bound: a further condition besides the filter's.
  ///   - order: with the limit, if any. Each part has it, so that no more rows than that are sorted.
  func select(_ columns: String, bound: String? = nil, order: String) -> String {
    let selects = parts.map { part in
      let all = [bound, part.isEmpty ? nil : part].compactMap { $0 }
      return "SELECT \(columns) FROM audit_event" + (all.isEmpty ? "" : " WHERE " + all.joined(separator: " AND "))
    }
    guard selects.count > 1, order.contains(" LIMIT ") else { return selects.joined(separator: " UNION ALL ") + order }
    return selects.map { "SELECT * FROM (\($0)\(order))" }.joined(separator: " UNION ALL ") + order
  }

  /// Steps from one role to the next along the index: a log of a million rows has a few hundred roles.
  private static func roles(endingWith place: String, defers: Bool) -> String {
    let known = defers ? "role_arn IS NOT NULL AND pending IS NULL" : "role_arn IS NOT NULL"
    return """
      role_arn IN (WITH RECURSIVE roles (arn) AS (SELECT min(role_arn) FROM audit_event WHERE \(known) UNION ALL \
      SELECT (SELECT min(role_arn) FROM audit_event WHERE \(known) AND role_arn > arn) FROM roles WHERE arn IS NOT NULL) \
      SELECT arn FROM roles WHERE substr(arn, -length(\(place))) = \(place))
      """
  }

  /// A condition: the rows from the first one of a time on.
  ///
  /// - Parameter place: the position of the time among the values.
  static func first(since place: String, defers: Bool) -> String { "sequence >= (\(number(since: place, defers: defers)))" }

  /// The number of the first row from a time on; null if there is none.
  package static func number(since place: String, defers: Bool) -> String {
    let indexed = "SELECT min(sequence) AS s FROM audit_event INDEXED BY audit_event_time WHERE time >= \(place)"
    guard defers else { return indexed }
    return """
      SELECT min(s) FROM (\(indexed) AND pending IS NULL UNION ALL \
      SELECT min(sequence) FROM audit_event WHERE time >= \(place) AND \(isPending))
      """
  }
}

extension VaultReader {
  /// The conditions for the rows of `audit_event` that its indexes do not have yet, and for those of `audit_event a` that they have.
  var indexing: (pending: String, isIndexed: String) {
    defersIndexes ? (AuditQuery.isPending, "a.pending IS NULL") : ("0", "1")
  }
}
