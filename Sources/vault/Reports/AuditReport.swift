import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel

/// `vault audit`: shows the audit log.
enum AuditReport {
  /// The filters for rows; the same for every report on the log.
  static let filters = [
    OptionSpec("profile", value: "PROFILE", kind: .profile, "only this profile"),
    OptionSpec("role", value: "ARN", "only this role (its ARN or its name)"),
    OptionSpec(
      "outcome", value: "OUTCOME", kind: .words(AuditOutcome.allCases.map(\.rawValue)),
      "success, failure, refused, unknown or intent"),
    OptionSpec("action", value: "ACTION", kind: .words(AuditAction.allCases.map(\.rawValue)), "AssumeRole, Deliver, …"),
    OptionSpec("user", value: "USER", "only this user"),
    OptionSpec("session", value: "SESSION", kind: .session, "only this session (ses_…)"),
    OptionSpec("program", value: "PROGRAM", "only this program (its path or its name)"),
    OptionSpec("pid", value: "PID", kind: .number, "only this process"),
    OptionSpec("automation", value: "NAME", "only the runs of `exec --automation NAME`"),
    OptionSpec("run", value: "RUN", "only this run (run_…)"),
    OptionSpec("since", value: "TIME", kind: .time, "since this time (ISO 8601, or 2h, 3d, yesterday)"),
    OptionSpec("until", value: "TIME", kind: .time, "before this time"),
  ]
  static let options =
    filters + TeamSource.options + [
      OptionSpec("limit", short: "n", value: "N", kind: .number, "the newest N rows"), OptionSpec("reverse", "newest first"),
      OptionSpec("follow", short: "f", "keep printing new rows"),
      OptionSpec("format", value: "FORMAT", kind: .words(["table", "json", "jsonl", "csv"]), "table, json, jsonl or csv"),
      Pager.option, Table.wideOption,
    ]

  static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let follows = arguments.has("follow")
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json, .jsonl, .csv])
    guard !follows || format != .json else {
      throw Failure(
        "--format json cannot be combined with --follow, whose output never ends", hint: "use --format jsonl", exitStatus: .usage)
    }
    guard !follows || arguments["from"] == nil else {
      throw Failure("--follow works only with this machine's log", hint: "omit --from or --follow", exitStatus: .usage)
    }
    let now = SystemClock().now()
    var filter = try filter(arguments, now: now)
    let isTeam = arguments["from"] != nil
    if !follows {
      switch format {
      // As in the export.
      case .jsonl:
        return try AuditExport.write(arguments, filter: filter, paths: paths, writer: AuditExport.json(paths, isTeam: isTeam))
      case .csv: return try AuditExport.write(arguments, filter: filter, paths: paths, writer: ExportCSV(isTeam: isTeam))
      case .json: return try AuditExport.write(arguments, filter: filter, paths: paths, writer: JSONArray())
      case .table: break
      }
    }
    // Of the rows that follow; nil for a table.
    var lines: (any AuditLineWriter)? = format == .jsonl ? ExportJSON() : format == .csv ? ExportCSV(isTeam: false) : nil
    var output = Output(isPaged: !follows && Pager.isWanted(arguments, format))
    var records: [Shown] = []
    let fetched = try TeamSource.forEachLine(arguments, filter: filter, paths: paths) { line in
      if let record = AuditRecord(line) { records.append((record, TeamOrigin(line))) }
    }
    let reader = try fetched ? nil : VaultReader(path: paths.database)
    // Before the rows are read: rows written meanwhile are shown next.
    var last = try follows ? reader?.lastSequence() ?? 0 : 0
    if let reader { records = try reader.auditRecords(filter).map { ($0, nil) } }
    let hasRuns = records.contains { shownRun($0.record.event.requester) != nil }
    var table = Table(
      [
        .whole("TIME", usual: 12), .name("ACTION", least: 10), .whole("OUTCOME"), .name("PROFILE", rank: 1, least: 12),
        .name("USER", rank: isTeam ? 5 : 4, least: 8),
      ] + (isTeam ? [.name("LOGIN", rank: 3, least: 8)] : []) + [
        .program("PROGRAM", rank: isTeam ? 4 : 3), .whole("KEY", rank: 6, usual: 20), .text("DETAIL", rank: 2, least: 20),
      ] + (hasRuns ? [.name("AUTOMATION", rank: 6, least: 10)] : []), isWide: arguments.has(Table.wideOption.name))
    var bytes = ByteBuffer()
    lines?.begin(&bytes)
    output.write(bytes: bytes.withBytes { Array($0) })
    write(records, now: now, lines: &lines, hasRuns: hasRuns, table: &table, to: &output)
    if records.isEmpty, !follows, format == .table { Diagnostics.notice("no matching rows in the audit log") }
    output.flush()
    guard follows, let reader else { return }
    filter.limit = nil
    filter.reverse = false
    last = max(last, records.map(\.record.sequence).max() ?? 0)
    while true {
      usleep(250_000)
      filter.after = last
      let more = try reader.auditRecords(filter)
      write(more.map { ($0, nil) }, now: SystemClock().now(), lines: &lines, hasRuns: hasRuns, table: &table, to: &output)
      output.flush()
      last = more.last?.sequence ?? last
    }
  }

  static func filter(_ arguments: Arguments, now: Timestamp) throws(Failure) -> AuditFilter {
    var filter = AuditFilter()
    filter.profile = arguments["profile"]
    filter.role = arguments["role"]
    filter.user = arguments["user"]
    filter.session = arguments["session"]
    filter.program = arguments["program"]
    filter.automation = arguments["automation"]
    filter.run = arguments["run"]
    if let text = arguments["pid"] {
      guard let pid = Int32(text), pid > 0 else {
        throw Failure("--pid: \"\(text)\" is not the number of a process", exitStatus: .usage)
      }
      filter.pid = pid
    }
    filter.reverse = arguments.has("reverse")
    if let text = arguments["outcome"] {
      guard let outcome = AuditOutcome(rawValue: text) else {
        throw Failure(
          "unknown outcome: \"\(text)\"", hint: AuditOutcome.allCases.map(\.rawValue).joined(separator: ", "), exitStatus: .usage)
      }
      filter.outcome = outcome
    }
    if let text = arguments["action"] {
      guard let action = AuditAction.allCases.first(where: { $0.rawValue.lowercased() == text.lowercased() }) else {
        throw Failure(
          "unknown action: \"\(text)\"", hint: AuditAction.allCases.map(\.rawValue).joined(separator: ", "), exitStatus: .usage)
      }
      filter.action = action
    }
    filter.since = try moment("since", in: arguments, now: now)
    filter.until = try moment("until", in: arguments, now: now)
    if let text = arguments["limit"] {
      guard let limit = Int(text), limit > 0 else {
        throw Failure("--limit: \"\(text)\" is not a number of rows", exitStatus: .usage)
      }
      filter.limit = limit
    }
    return filter
  }

  private static func moment(_ name: String, in arguments: Arguments, now: Timestamp) throws(Failure) -> Timestamp? {
    guard let text = arguments[name] else { return nil }
    guard let moment = TimeText.moment(text, now: now) else {
      throw Failure(
        "--\(name): cannot read \"\(text)\" as a time", hint: "for example 2026-11-23T14:00:00Z, 2h, 3d or yesterday",
        exitStatus: .usage)
    }
    return moment
  }

  private typealias Shown = (record: AuditRecord, origin: TeamOrigin?)

  /// The name of a requester's run, or the variable by which it says that it is an agent.
  private static func shownRun(_ who: Requester) -> String? { who.automation?.name ?? who.hint.map { $0 + Requester.unproven } }

  private static func write(
    _ records: [Shown], now: Timestamp, lines: inout (any AuditLineWriter)?, hasRuns: Bool, table: inout Table,
    to output: inout Output
  ) {
    var bytes = ByteBuffer()
    for (record, origin) in records {
      if lines != nil {
        lines?.write(CopiedRow(record), to: &bytes)
        continue
      }
      let event = record.event
      // An impossible time is marked, and the row is sorted by when it was received.
      let time = ReportCommands.time(record.time, now: now) + (origin?.isAhead == true ? " (ahead)" : "")
      let login = origin.map { [$0.login + ($0.isEnrolled ? "" : " (not enrolled)")] } ?? []
      table.add(
        [time, event.action.rawValue, event.outcome.rawValue, event.profile ?? "-", event.requester.user] + login + [
          event.requester.shownProgram, event.accessKeyId ?? "-",
          event.error ?? event.detail ?? event.reason ?? event.roleARN ?? "-",
        ] + (hasRuns ? [shownRun(event.requester) ?? "-"] : []))
    }
    if lines == nil { table.write(to: &output) } else { output.write(bytes: bytes.withBytes { Array($0) }) }
  }
}
