import VaultBytes
import VaultModel
import VaultWire

/// `vault approve`: answers the requests that wait for a person's agreement.
enum ApproveCommand {
  static let command = Command(
    "approve", arguments: [ArgumentSpec("ID", kind: .text, isOptional: true)], topic: .use,
    summary: "agree to a request that waits for a confirmation, or list those that wait",
    note: "Without an ID, what waits is listed.\n"
      + "Only a terminal other than that of the program that asks can answer.",
    examples: [
      Example("vault approve", "list what waits"),
      Example("vault approve k7q2mx", "agree to one request"),
      Example("vault approve k7q2mx --deny", "refuse it"),
    ], options: GuardCommand.formats + [OptionSpec("deny", "refuse the request"), Table.wideOption], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let isDenied = arguments.has("deny")
    guard let id = try arguments.single("ID", required: isDenied) else {
      return try list(format, isWide: arguments.has(Table.wideOption.name), paths)
    }
    let request = ApproveRequest { ($0.id, $0.deny) = (id, isDenied) }
    // An agent that is not there has nothing that waits.
    guard let answered = try AgentClient(paths: paths).askRunning(request) else {
      throw Failure(
        "no confirmation \"\(safeText(String(id.prefix(80))))\" waits for an answer", hint: "`vault approve` shows what waits",
        exitStatus: .noInput)
    }
    if format == .json {
      var output = Output()
      var writer = JSONWriter()
      object(answered, to: &writer)
      output.write(bytes: writer.consume())
      output.write("\n")
      return output.flush()
    }
    Diagnostics.notice(isDenied ? "denied:" : "allowed:")
    for line in answered.lines { Diagnostics.notice("  \(line.name): \(line.value)") }
  }

  private static func list(_ format: ReportFormat, isWide: Bool, _ paths: VaultPaths) throws {
    // The entries come one by one, on this thread.
    let waiting = Entries()
    var client = AgentClient(paths: paths)
    client.onEntry = { waiting.all.append(try $0.value()) }
    _ = try client.askRunning(.approvals)
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      writer.array { writer in
        for one in waiting.all {
          writer.newLine()
          object(one, to: &writer)
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    } else {
      let now = SystemClock().now()
      var table = Table(
        [
          .whole("ID"), .name("PROFILE"), .program("PROGRAM"), .text("STARTED BY", rank: 1), .name("DIRECTORY", rank: 2),
          .arn("ROLE", rank: 3), .text("SCOPE", rank: 1), .text("CREDENTIALS", rank: 2), .whole("DURATION", rank: 4),
          .text("REASON", rank: 2),
          .whole("HOLDS FOR", rank: 5), .whole("ENDS"),
        ], isWide: isWide)
      for one in waiting.all {
        func line(_ name: String) -> String { one.lines.first { $0.name == name }?.value ?? "-" }
        table.add([
          one.id, one.profile, one.program, line("started by"), one.directory, one.role ?? "-", line("scope"),
          line("credentials"), line("duration"),
          one.reason ?? "-", one.remembered.map { TimeText.length(seconds: Int64($0)) } ?? "once",
          TimeText.relative(one.expires, now: now),
        ])
      }
      if waiting.all.isEmpty { Diagnostics.notice("no request waits for a confirmation") }
      table.write(to: &output)
    }
    output.flush()
  }

  private final class Entries { var all: [WaitingApproval] = [] }

  private static func object(_ one: WaitingApproval, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.field("id", one.id)
      writer.field("profile", one.profile)
      writer.field("roleArn", one.role)
      writer.field("program", one.program)
      writer.field("executable", one.executable.isEmpty ? nil : one.executable)
      writer.field("pid", Int64(one.pid))
      writer.field("parents", one.parents)
      writer.field("directory", one.directory)
      writer.key("scope")
      if let scope = one.scope { writer.value { $0.append(string: scope) } } else { writer.null() }
      writer.field("credentials", one.credentials)
      writer.field("durationSeconds", one.duration)
      writer.field("reason", one.reason)
      writer.key("automation")
      if let run = one.run {
        writer.object {
          $0.field("name", one.automation)
          $0.field("run", run)
        }
      } else {
        writer.null()
      }
      writer.field("rememberedSeconds", one.remembered)
      writer.field("requests", one.requests)
      writer.field("askedAt", one.asked.iso8601)
      writer.field("expiresAt", one.expires.iso8601)
    }
  }
}
