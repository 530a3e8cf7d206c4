import VaultDatabase
import VaultModel

/// The rows of the whole team that a filter wants, as the server has them.
enum TeamRows {
  /// Oldest first, in the order of time; lends each row's form and hash.
  static func forEach(
    _ filter: AuditFilter, on server: Server,
    _ body: (_ form: UnsafeRawBufferPointer, _ hash: UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let query = Query(filter)
    try server.forEachRow(query.sql, query.values) { row in
      try row.withBytes(0) { hash in
        guard let hash, hash.count == 32 else { throw ServerError.senseless }
        try row.withBytes(1) { form in
          guard let form, (AuditFormFields.shortest...AuditFormFields.longest).contains(form.count) else {
            throw ServerError.senseless
          }
          try body(form, hash)
        }
      }
    }
  }

  /// The query for a filter. What is looked for is bound; the text is put together of fixed pieces.
  struct Query {
    let sql: String
    let values: [ServerValue]

    init(_ filter: AuditFilter) {
      var conditions = ["e.form IS NOT NULL"]
      var values: [ServerValue] = []
      func want(_ left: String, _ value: ServerValue?) {
        guard let value else { return }
        values.append(value)
        conditions.append("\(left) $\(values.count)")
      }
      // As the columns have their texts.
      func text(_ text: String?) -> ServerValue? {
        guard var text else { return nil }
        return text.withUTF8 { EventColumns.withText(UnsafeRawBufferPointer($0)) { .text(String(decoding: $0, as: UTF8.self)) } }
      }
      want("e.profile =", text(filter.profile))
      want("e.outcome =", text(filter.outcome?.rawValue))
      want("e.action =", text(filter.action?.rawValue))
      want("e.user_name =", text(filter.user))
      want("e.session_id =", text(filter.session))
      want("e.\"time\" >=", filter.since.map { .time($0) })
      want("e.\"time\" <", filter.until.map { .time($0) })
      if let role = filter.role {
        if role.hasPrefix("arn:") {
          want("e.role_arn =", text(role))
        } else {
          values.append(.text("/" + role))
          conditions.append("right(e.role_arn, length($\(values.count))) = $\(values.count)")
        }
      }
      if filter.outcome != .intent {
        conditions.append(
          """
          (e.outcome <> 'intent' OR NOT EXISTS \
          (SELECT 1 FROM vault_audit.audit_event o WHERE o.vault_id = e.vault_id AND o.intent_id = e.id))
          """)
      }
      var sql = "SELECT e.hash, e.form, e.\"time\", e.vault_id, e.sequence FROM vault_audit.audit_event e WHERE "
      sql += conditions.joined(separator: " AND ")
      if let limit = filter.limit {
        values.append(.number(Int64(limit)))
        sql =
          "SELECT n.hash, n.form FROM (\(sql) ORDER BY e.\"time\" DESC, e.vault_id DESC, e.sequence DESC LIMIT $\(values.count)) n "
        sql += "ORDER BY n.\"time\", n.vault_id, n.sequence"
      } else {
        sql += " ORDER BY e.\"time\", e.vault_id, e.sequence"
      }
      self.sql = sql
      self.values = values
    }
  }
}
