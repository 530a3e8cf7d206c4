import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// `list`, `show`, `sessions` and `audit`: the vault's data, read from the database without the agent.
enum ReportCommands {
  static let formats = [OptionSpec("format", value: "FORMAT", kind: .words(["table", "json", "csv"]), "table, json or csv")]

  static let all = [
    Command(
      "list", topic: .sessions,
      summary: "list profiles and the state of their sessions",
      examples: [
        Example("vault list", "every profile and its session"),
        Example("vault list --format json", "the same for a program"),
      ],
      options: formats + [OptionSpec("names", "print names only, one per line"), Pager.option, Table.wideOption],
      run: ListReport.run),
    Command(
      "show", arguments: [.profile], topic: .setUp,
      summary: "show a profile: its settings, where each comes from, its role chain",
      examples: [
        Example("vault show app-dev", "where each setting of app-dev comes from"),
        Example("vault show app-dev --format json", "the same for a program"),
      ], options: formats + [Table.wideOption],
      run: ShowReport.run),
    Command(
      "sessions", arguments: [ArgumentSpec("PROFILE", kind: .profile, isOptional: true)], topic: .sessions,
      summary: "list sessions, past and present",
      examples: [
        Example("vault sessions", "the sessions that are valid now"),
        Example("vault sessions app-dev --all", "every session that app-dev has had"),
      ],
      options: formats + [OptionSpec("all", "include ended sessions"), Pager.option, Table.wideOption], run: SessionsReport.run),
    Command(
      "audit", topic: .audit,
      summary: "show the audit log",
      examples: [
        Example("vault audit --since yesterday", "what happened since yesterday"),
        Example("vault audit --profile app-dev --outcome refused", "what AWS refused app-dev"),
        Example("vault audit --follow", "keep printing new rows"),
      ], options: AuditReport.options, run: AuditReport.run),
    AuditExport.command, StatsReport.command, HTMLReport.command, ReconcileCommand.command, ShipCommand.command,
    EnrollCommand.command,
  ]

  /// The reader, after the agent has taken in changes in the watched files.
  ///
  /// The agent is asked only if a file has changed since the vault last read it; otherwise a report costs no round trip.
  static func reader(_ paths: VaultPaths, following: Bool = true) throws -> VaultReader {
    let reader = try VaultReader(path: paths.database)
    guard following, try reader.watchedFilesChanged() else { return reader }
    do {
      _ = try AgentClient(paths: paths).ask(.refresh)
    } catch {
      // The report still shows the vault's previous state.
      Diagnostics.notice("a watched file has changed and cannot be imported: \(Failure(error).message)")
      return reader
    }
    return try VaultReader(path: paths.database)
  }

  /// A time as the format requires: local time on a terminal, ISO 8601 in a pipe.
  static func time(_ moment: Timestamp?, now: Timestamp) -> String {
    guard let moment else { return "-" }
    return Terminal.outputIsTerminal ? TimeText.local(moment, now: now) : moment.iso8601
  }
}
