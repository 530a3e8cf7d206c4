import Glibc
import VaultDatabase
import VaultModel

/// Writes one row of an export.
protocol AuditLineWriter {
  /// What stands before the first row.
  func begin(_ sink: inout ByteSink)
  mutating func write(_ line: AuditLine, to sink: inout ByteSink)
}

extension AuditLineWriter {
  func begin(_ sink: inout ByteSink) {}
}

/// `vault audit export`: the log for other programs, a row at a time, however long it is.
enum AuditExport {
  static let command = Command(
    "audit export", "--format FORMAT", "the audit log, or a part of it, for other programs",
    options: AuditReport.filters + [
      TeamSource.option,
      Option("limit", short: "n", value: "N", "the newest N rows"), Option("reverse", "newest first"),
      Option("format", value: "FORMAT", "jsonl, csv, ocsf (OCSF \(ExportOCSF.version), a JSON object a line) or cef"),
      Option("output", short: "o", value: "FILE", "write there, whole or not at all, mode 0600, and not to standard output"),
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = arguments["format"]
    let filter = try AuditReport.filter(arguments, now: SystemClock().now())
    guard let format, ["jsonl", "csv", "ocsf", "cef"].contains(format) else {
      throw Failure(
        format.map { "no format \"\($0)\"" } ?? "export in which format?", hint: "--format jsonl, csv, ocsf or cef",
        exitStatus: .usage)
    }
    let reader = try TeamSource.reader(arguments, filter, paths)
    switch format {
    case "jsonl": try export(reader, filter, ExportJSON(), to: arguments["output"])
    case "csv": try export(reader, filter, ExportCSV(), to: arguments["output"])
    case "ocsf": try export(reader, filter, ExportOCSF(), to: arguments["output"])
    default: try export(reader, filter, ExportCEF(), to: arguments["output"])
    }
  }

  private static func export(_ reader: VaultReader, _ filter: AuditFilter, _ writer: some AuditLineWriter, to path: String?)
    throws
  {
    guard let path else { return try copy(reader, filter, writer, 1) }
    let file = try NewFile(path)
    try copy(reader, filter, writer, file.descriptor)
    try file.putInPlace()
  }

  private static func copy(_ reader: VaultReader, _ filter: AuditFilter, _ writer: some AuditLineWriter, _ descriptor: Int32)
    throws
  {
    var writer = writer
    var sink = ByteSink(descriptor: descriptor)
    writer.begin(&sink)
    try reader.forEachAuditLine(filter) { line in
      writer.write(line, to: &sink)
      if let failure = sink.failure { throw failure }
    }
    sink.flush()
    if let failure = sink.failure { throw failure }
  }
}
