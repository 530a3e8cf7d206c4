import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel

/// `vault audit reconcile`: events that AWS has and the vault does not, and vice versa.
enum ReconcileCommand {
  static let command = Command(
    "audit reconcile", arguments: [ArgumentSpec("FILE", kind: .file, isRepeated: true)], topic: .audit,
    summary: "compare the audit log with CloudTrail",
    examples: [
      Example("vault audit reconcile trail/*.json.gz", "compare with the files that CloudTrail delivered"),
      Example("vault audit reconcile trail.json --address 192.0.2.7", "allow for calls from that address"),
    ],
    options: [
      OptionSpec(
        "address", value: "IP,IP", "addresses that may use the sessions, in addition to those of the vault's own calls"),
      OptionSpec("format", value: "FORMAT", kind: .words(["table", "json"]), "table or json"),
      Table.wideOption,
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    guard !arguments.positional.isEmpty else {
      throw Failure("missing argument: FILE", hint: "vault audit reconcile trail/*.json.gz", exitStatus: .usage)
    }
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    for file in arguments.positional { try existingPath(file) }
    let addresses = Set((arguments["address"] ?? "").split(separator: ",").map { String($0) })
    let result = try Reconciliation(with: VaultReader(path: paths.database), addresses: addresses) { body in
      for file in arguments.positional { try CloudTrail.forEach(file, body) }
    }
    for file in result.absent {
      Diagnostics.notice(
        "archived rows are in \(file), which is missing: calls from that time look as if made outside the vault")
    }
    var output = Output()
    switch format {
    case .json, .jsonl, .csv: write(result, count: result.count, to: &output)
    case .table: show(result, isWide: arguments.has(Table.wideOption.name), &output)
    }
    output.flush()
    if result.more > 0 { Diagnostics.notice("\(result.more) more findings are not shown") }
    guard result.isClean else {
      throw Failure(
        "\(result.outside.count) calls outside the vault, \(result.unseen.count) that AWS did not see, "
          + "\(result.elsewhere.count) uses from elsewhere",
        hint: "for an address of yours, use --address; for a key that is used elsewhere, `vault access-key rotate`",
        exitStatus: .badData
      )
    }
    Diagnostics.notice("\(result.count) events: \(result.matched) calls match, \(result.others) belong to others")
  }

  private static func show(_ result: Reconciliation, isWide: Bool, _ output: inout Output) {
    guard !result.isClean else { return }
    var table = Table(
      [
        .whole("FINDING"), .whole("TIME"), .text("EVENT", least: 12), .whole("KEY", rank: 2),
        .arn("ROLE OR CALLER", rank: 1), .name("FROM", rank: 3), .whole("REQUEST", rank: 4),
      ], isWide: isWide)
    let now = SystemClock().now()
    for event in result.outside {
      table.add([
        "outside the vault", ReportCommands.time(event.time, now: now), event.name + (event.errorCode.map { " (\($0))" } ?? ""),
        event.callerKey ?? "-",
        event.roleARN ?? event.callerARN ?? "-",
        event.address ?? "-", event.requestId ?? "-",
      ])
    }
    for record in result.unseen {
      table.add([
        "not seen by AWS", ReportCommands.time(record.time, now: now), record.event.action.rawValue,
        record.event.accessKeyId ?? "-",
        record.event.roleARN ?? "-", record.event.requester.host, record.event.requestId ?? "-",
      ])
    }
    for event in result.elsewhere {
      table.add([
        "used elsewhere", ReportCommands.time(event.time, now: now), event.name, event.callerKey ?? "-", event.callerARN ?? "-",
        event.address ?? "-",
        event.requestId ?? "-",
      ])
    }
    table.write(to: &output)
  }

  private static func write(_ result: Reconciliation, count: Int, to output: inout Output) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("events", count)
      writer.field("matched", result.matched)
      writer.field("others", result.others)
      for (name, events) in [("outside", result.outside), ("elsewhere", result.elsewhere)] {
        writer.key(name)
        writer.array { writer in
          for event in events {
            writer.object {
              $0.field("time", event.time.iso8601)
              $0.field("eventName", event.name)
              $0.field("errorCode", event.errorCode)
              $0.field("accessKeyId", event.callerKey)
              $0.field("caller", event.callerARN)
              $0.field("roleArn", event.roleARN)
              $0.field("address", event.address)
              $0.field("requestId", event.requestId)
            }
          }
        }
      }
      writer.key("unseen")
      writer.array { writer in
        var rows = ExportJSON()
        for record in result.unseen { writer.value { rows.object(CopiedRow(record), to: &$0) } }
      }
    }
    output.write(bytes: writer.consume())
    output.write("\n")
  }
}
