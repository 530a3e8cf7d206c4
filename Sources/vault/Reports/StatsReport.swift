import VaultBytes
import VaultAudit
import VaultModel

/// `vault audit stats`: the log in numbers.
enum StatsReport {
  static let command = Command(
    "audit stats", topic: .audit,
    summary: "summarize the audit log: who, what, when, failures, renewals",
    examples: [
      Example("vault audit stats", "the whole log in numbers"),
      Example("vault audit stats --since 7d --format json", "the last week, for a program"),
    ],
    options: AuditReport.filters + TeamSource.options + [
      OptionSpec("format", value: "FORMAT", kind: .words(["table", "json"]), "table or json"), Pager.option,
      Table.wideOption,
    ],
    run: run
  )

  /// The row limit of a table for a user; JSON has all rows.
  private static let maximum = 15

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let now = SystemClock().now()
    let filter = try AuditReport.filter(arguments, now: now)
    let reader = try TeamSource.figures(arguments, filter: filter, paths: paths)
    let statistics = try AuditStatistics(reader, filter)
    let rotation = try reader.rotationHealth(filter)
    var output = Output(isPaged: Pager.isWanted(arguments, format))
    if format == .json {
      var writer = JSONWriter()
      json(statistics, rotation: rotation, to: &writer)
      output.write(bytes: writer.consume())
      output.write("\n")
    } else if statistics.rows == 0 {
      Diagnostics.notice("no matching rows in the audit log")
    } else {
      tables(statistics, rotation: rotation, isWide: arguments.has(Table.wideOption.name), now: now, to: &output)
    }
    output.flush()
  }

  private static func tables(
    _ statistics: AuditStatistics, rotation: [RotationHealth], isWide: Bool, now: Timestamp, to output: inout Output
  ) {
    func table(_ name: String, _ columns: [Column], rows: [[String]], maximum: Int = StatsReport.maximum) {
      Self.table(name, columns, isWide: isWide, rows: rows, maximum: maximum, to: &output)
    }
    let counted: [Column] = [.whole("CALLS"), .whole("HANDED OUT", rank: 1), .whole("FAILED")]
    let span = [statistics.first, statistics.last].map { ReportCommands.time($0, now: now) }
    if Terminal.outputIsTerminal {
      output.line("\(statistics.rows) rows, \(span[0]) to \(span[1])")
    } else {
      output.line(["rows", String(statistics.rows), span[0], span[1]].joined(separator: "\t"))
    }
    for (name, groups) in [
      ("profile", statistics.profiles), ("role", statistics.roles), ("user", statistics.users), ("program", statistics.programs),
      ("login", statistics.logins),
    ] {
      let rows = groups.map { [$0.name] + counts($0.tally) + [ReportCommands.time($0.tally.last, now: now)] }
      table(name, [.name(name.uppercased())] + counted + [.whole("LAST", rank: 2)], rows: rows)
    }
    let runs = statistics.runs.map { [$0.name, $0.id] + counts($0.tally) + [ReportCommands.time($0.tally.last, now: now)] }
    table("run", [.name("AUTOMATION"), .whole("RUN")] + counted + [.whole("LAST", rank: 2)], rows: runs)
    table("hour", [.whole("HOUR (UTC)")] + counted + [.whole("", rank: 2)], rows: hours(statistics.hours), maximum: 24)
    let causes = statistics.causes.map { [$0.name, String($0.tally.failures), ReportCommands.time($0.tally.last, now: now)] }
    table("cause", [.text("FAILED BECAUSE"), .whole("TIMES"), .whole("LAST", rank: 1)], rows: causes)
    let renewals = rotation.map { health in
      [health.profile]
        + [health.onTime, health.late, health.onRequest, health.failed, health.ended, health.endedUnused].map { String($0) }
    }
    table(
      "rotation",
      [
        .name("RENEWED"), .whole("ON TIME"), .whole("LATE"), .whole("ON REQUEST", rank: 2), .whole("FAILED"),
        .whole("ENDED", rank: 1), .whole("ENDED UNUSED", rank: 3),
      ], rows: renewals)
  }

  /// One of the tables. A pipe shows no headings, so there the table's name is each line's first cell, and nothing is omitted.
  private static func table(
    _ name: String, _ columns: [Column], isWide: Bool, rows: [[String]], maximum: Int, to output: inout Output
  ) {
    guard !rows.isEmpty else { return }
    let isTerminal = Terminal.outputIsTerminal
    var table = Table(columns, isWide: isWide)
    for row in isTerminal ? rows.prefix(maximum) : rows[...] { table.add((isTerminal ? [] : [name]) + row) }
    if isTerminal { output.line("") }
    table.write(to: &output)
    if isTerminal, rows.count > maximum { output.line("and \(rows.count - maximum) more; --format json has all") }
  }

  private static func counts(_ tally: Tally) -> [String] { [tally.calls, tally.deliveries, tally.failures].map { String($0) } }

  /// A row for each hour with activity, with a bar on a terminal.
  private static func hours(_ hours: [Tally]) -> [[String]] {
    let maximum = hours.map { $0.calls + $0.deliveries }.max() ?? 0
    // Beside the numbers.
    let width = min(30, max(8, Terminal.width - 44))
    return hours.enumerated().compactMap { hour, tally in
      let count = tally.calls + tally.deliveries
      guard count + tally.failures > 0 else { return nil }
      let bar = Terminal.outputIsTerminal ? [String(repeating: "█", count: max(1, count * width / max(1, maximum)))] : []
      return [hour < 10 ? "0\(hour)" : "\(hour)"] + counts(tally) + bar
    }
  }

  private static func json(_ statistics: AuditStatistics, rotation: [RotationHealth], to writer: inout JSONWriter) {
    writer.object { writer in
      writer.field("rows", statistics.rows)
      writer.field("from", statistics.first?.iso8601)
      writer.field("to", statistics.last?.iso8601)
      list("profiles", statistics.profiles, to: &writer)
      list("roles", statistics.roles, to: &writer)
      list("users", statistics.users, to: &writer)
      list("programs", statistics.programs, to: &writer)
      if !statistics.logins.isEmpty { list("logins", statistics.logins, to: &writer) }
      writer.key("automation")
      writer.array { writer in
        for (id, name, tally) in statistics.runs {
          writer.newLine()
          writer.object { writer in
            writer.field("name", name)
            writer.field("run", id)
            counts(tally, &writer)
            writer.field("lastAt", tally.last?.iso8601)
          }
        }
      }
      writer.key("hours")
      writer.array { writer in
        for (hour, tally) in statistics.hours.enumerated() {
          writer.newLine()
          writer.object { writer in
            writer.field("hour", hour)
            counts(tally, &writer)
          }
        }
      }
      writer.key("failures")
      writer.array { writer in
        for (cause, tally) in statistics.causes {
          writer.newLine()
          writer.object { writer in
            writer.field("cause", cause)
            writer.field("count", tally.failures)
            writer.field("lastAt", tally.last?.iso8601)
          }
        }
      }
      writer.key("rotation")
      writer.array { writer in for health in rotation { one(health, &writer) } }
    }
  }

  private static func list(_ key: String, _ groups: [AuditStatistics.Named], to writer: inout JSONWriter) {
    writer.key(key)
    writer.array { writer in
      for (name, tally) in groups {
        writer.newLine()
        writer.object { writer in
          writer.field("name", name)
          counts(tally, &writer)
          writer.field("lastAt", tally.last?.iso8601)
        }
      }
    }
  }

  private static func counts(_ tally: Tally, _ writer: inout JSONWriter) {
    writer.field("calls", tally.calls)
    writer.field("deliveries", tally.deliveries)
    writer.field("failures", tally.failures)
  }

  private static func one(_ health: RotationHealth, _ writer: inout JSONWriter) {
    writer.newLine()
    writer.object { writer in
      writer.field("profile", health.profile)
      writer.field("onTime", health.onTime)
      writer.field("late", health.late)
      writer.field("onRequest", health.onRequest)
      writer.field("failed", health.failed)
      writer.field("ended", health.ended)
      writer.field("endedUnused", health.endedUnused)
    }
  }
}
