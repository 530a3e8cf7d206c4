import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultWire

/// Writes one row of an export.
protocol AuditLineWriter {
  /// Writes the text before the first row.
  func begin(_ exporter: inout ByteBuffer)
  mutating func write(_ line: AuditRowView, to exporter: inout ByteBuffer)
  /// Writes the text after the last row.
  func end(_ exporter: inout ByteBuffer)
}

extension AuditLineWriter {
  func begin(_ exporter: inout ByteBuffer) {}
  func end(_ exporter: inout ByteBuffer) {}
}

/// `vault audit export`: the log for other programs, one row at a time, whatever its length.
enum AuditExport {
  static let command = Command(
    "audit export", topic: .audit,
    summary: "export the audit log, or part of it, for other programs",
    examples: [
      Example("vault audit export --format jsonl -o audit.jsonl", "the whole log"),
      Example("vault audit export --format csv --since 30d", "the last 30 days, for a spreadsheet"),
    ],
    options: AuditReport.filters + TeamSource.options + [
      OptionSpec("limit", short: "n", value: "N", kind: .number, "the newest N rows"), OptionSpec("reverse", "newest first"),
      OptionSpec(
        "format", value: "FORMAT", kind: .words(["jsonl", "csv", "ocsf", "cef"]),
        "jsonl, csv, ocsf (OCSF \(ExportOCSF.version), one JSON object per line) or cef"),
      OptionSpec(
        "whole",
        "with jsonl: every row of the time range up to a signed checkpoint, so that `vault audit verify FILE` can prove that none is missing"
      ),
      OptionSpec(
        "output", short: "o", value: "FILE", kind: .file, "write to FILE atomically (mode 0600) instead of standard output"),
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = arguments["format"]
    guard let format, ["jsonl", "csv", "ocsf", "cef"].contains(format) else {
      throw Failure(
        format.map { "--format: unknown format \"\($0)\"" } ?? "missing option: --format",
        hint: "--format jsonl, csv, ocsf or cef",
        exitStatus: .usage)
    }
    var filter = try AuditReport.filter(arguments, now: SystemClock().now())
    let head = arguments.has("whole") ? try bound(&filter, arguments: arguments, paths: paths) : nil
    let isTeam = arguments["from"] != nil
    switch format {
    case "jsonl": try export(arguments, filter: filter, paths: paths, writer: json(paths, isTeam: isTeam, end: head))
    case "csv": try export(arguments, filter: filter, paths: paths, writer: ExportCSV(isTeam: isTeam))
    case "ocsf": try export(arguments, filter: filter, paths: paths, writer: ExportOCSF())
    default: try export(arguments, filter: filter, paths: paths, writer: ExportCEF())
    }
  }

  /// JSON Lines that prove themselves, unless they are a team's.
  ///
  /// - Parameter end: the checkpoint that ends the file.
  static func json(_ paths: VaultPaths, isTeam: Bool, end: AuditCheckpoint? = nil) throws -> ExportJSON {
    if isTeam { return ExportJSON() }
    let reader = try VaultReader(path: paths.database)
    return try ExportJSON(vaultId: reader.vaultId(), checkpoints: reader.auditCheckpoints() + (end.map { [$0] } ?? []))
  }

  /// Restricts the filter to a part of the log without gaps.
  ///
  /// - Returns: the checkpoint that ends the file; nil if the part ends before now, or no agent can sign it.
  private static func bound(_ filter: inout AuditFilter, arguments: Arguments, paths: VaultPaths) throws -> AuditCheckpoint? {
    let others = (AuditReport.filters.map(\.name).filter { $0 != "since" && $0 != "until" } + ["limit", "from"]).filter {
      arguments[$0] != nil
    }
    guard arguments["format"] == "jsonl", others.isEmpty, !arguments.has("reverse") else {
      throw Failure(
        "--whole exports every row of a period as JSON Lines", hint: "combine it only with --since and --until",
        exitStatus: .usage)
    }
    filter.includesIntents = true
    guard filter.until == nil else { return nil }
    do {
      if let reply = try AgentClient(paths: paths).askRunning(.auditCheckpoint(refresh: true)),
        let head = reply.line.flatMap({ AuditCheckpoint(line: $0) })
      {
        filter.upTo = head.sequence
        return head
      }
      Diagnostics.notice("the end of the export is not signed: no agent is running (`vault agent start`)")
    } catch {
      Diagnostics.notice("the end of the export is not signed: \(Failure(error).message)")
    }
    return nil
  }

  private static func export(_ arguments: Arguments, filter: AuditFilter, paths: VaultPaths, writer: some AuditLineWriter)
    throws
  {
    guard let path = arguments["output"] else { return try write(arguments, filter: filter, paths: paths, writer: writer, to: 1) }
    let file = try NewFile(path)
    try write(arguments, filter: filter, paths: paths, writer: writer, to: file.descriptor)
    try file.putInPlace()
  }

  /// Writes an export of this machine's log, or of a team's.
  static func write(
    _ arguments: Arguments, filter: AuditFilter, paths: VaultPaths, writer given: some AuditLineWriter, to descriptor: Int32 = 1
  ) throws {
    var writer = given
    var exporter = ByteSink(descriptor: descriptor)
    writer.begin(&exporter.bytes)
    func add(_ line: AuditRowView) throws {
      writer.write(line, to: &exporter.bytes)
      try exporter.flush(above: ByteSink.piece)
    }
    if try !TeamSource.forEachLine(arguments, filter: filter, paths: paths, add) {
      try VaultReader(path: paths.database).forEachAuditLine(filter, add)
    }
    writer.end(&exporter.bytes)
    try exporter.flush()
  }
}

extension ByteBuffer {
  /// Appends `true` or `false`.
  mutating func append(flag: Bool) { append(flag ? "true" : "false") }
}
