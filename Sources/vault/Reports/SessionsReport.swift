import VaultAudit
import VaultBytes
import VaultDatabase
import VaultModel

/// `vault sessions`: the issued sessions, their lifetimes, and what ended them.
enum SessionsReport {
  static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let profile = try arguments.single("PROFILE", required: false)
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json, .csv])
    let reader = try ReportCommands.reader(paths, following: false)
    if let profile { try ShowReport.requireProfile(profile, reader) }
    let now = SystemClock().now()
    let sessions = try reader.sessions(profile: profile, includingEnded: arguments.has("all") || profile != nil)
    var output = Output(isPaged: Pager.isWanted(arguments, format))
    switch format {
    case .json, .jsonl:
      var writer = JSONWriter()
      writer.array { writer in
        for session in sessions {
          writer.newLine()
          writer.object { object(&$0, session) }
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    case .csv:
      output.line(
        "id,profile,roleArn,roleSessionName,accessKeyId,issuedAt,expiresAt,endedAt,endReason,replacedBy,deliveries,scope")
      for session in sessions {
        output.line(
          csvRow([
            session.id, session.profile, session.roleARN ?? "", session.roleSessionName ?? "", session.accessKeyId,
            session.issuedAt.iso8601,
            session.expiresAt.iso8601, session.endedAt?.iso8601 ?? "", session.endReason?.rawValue ?? "",
            session.replacedBy ?? "",
            String(session.deliveries), session.scope ?? "",
          ]))
      }
    case .table:
      var table = Table(
        [
          .whole("SESSION", rank: 2), .name("PROFILE"), .whole("STATE"), .whole("ACCESS KEY ID", rank: 5),
          .whole("ISSUED", rank: 3), .whole("ENDS", rank: 1), .whole("HANDED OUT", rank: 4), .whole("SCOPE", rank: 2),
        ], isWide: arguments.has(Table.wideOption.name))
      for session in sessions {
        table.add([
          session.id, session.profile, session.endReason?.rawValue ?? session.state(at: now).rawValue, session.accessKeyId,
          ReportCommands.time(session.issuedAt, now: now), ReportCommands.time(session.endedAt ?? session.expiresAt, now: now),
          "\(session.deliveries)×", session.scope.map { scopeName($0) } ?? "-",
        ])
      }
      table.write(to: &output)
      if table.isEmpty {
        Diagnostics.notice(arguments.has("all") ? "no sessions yet" : "no current sessions; --all shows those that have ended")
      }
    }
    output.flush()
  }

  private static func object(_ writer: inout JSONWriter, _ session: SessionRecord) {
    writer.field("id", session.id)
    writer.field("profile", session.profile)
    writer.field("kind", session.kind.rawValue)
    writer.field("roleArn", session.roleARN)
    writer.field("roleSessionName", session.roleSessionName)
    writer.field("accessKeyId", session.accessKeyId)
    writer.field("issuedAt", session.issuedAt.iso8601)
    writer.field("expiresAt", session.expiresAt.iso8601)
    writer.field("endedAt", session.endedAt?.iso8601)
    writer.field("endReason", session.endReason?.rawValue)
    writer.field("replacedBy", session.replacedBy)
    writer.field("deliveries", session.deliveries)
    writer.key("scope")
    writer.value { buffer in
      guard var scope = session.scope else { return buffer.append("null") }
      // The database's text goes into the document as JSON only in the form that the audit log has.
      if var form = AuditColumn.canonicalJSON(scope) {
        form.withUTF8 { buffer.append(UnsafeRawBufferPointer($0)) }
      } else {
        scope.withUTF8 { buffer.append(json: UnsafeRawBufferPointer($0)) }
      }
    }
  }

  /// A scope in one word; the JSON has it whole.
  private static func scopeName(_ scope: String) -> String {
    if scope.contains(#""readOnly":true"#) { return "read-only" }
    return scope.contains(#""policyArns":[],"policyDigest":null"#) ? "tagged" : "narrowed"
  }
}
