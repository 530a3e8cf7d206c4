import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// `list`, `show`, `sessions` and `audit`: the vault's data, read from the database without the agent.
enum ReportCommands {
  static let formats = [OptionSpec("format", value: "FORMAT", "table, json or csv")]

  static let all = [
    Command(
      "list", usage: "", summary: "list profiles and the state of their sessions",
      options: formats + [OptionSpec("names", "print names only, one per line"), Pager.option], run: ListReport.run),
    Command(
      "show", usage: "PROFILE", summary: "show a profile: its settings, where each comes from, its role chain", options: formats,
      run: ShowReport.run),
    Command(
      "sessions", usage: "[PROFILE]", summary: "list sessions, past and present",
      options: formats + [OptionSpec("all", "include ended sessions"), Pager.option], run: SessionsReport.run),
    Command("audit", usage: "", summary: "show the audit log", options: AuditReport.options, run: AuditReport.run),
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
