import AWSConfig
import Glibc
import VaultAudit
import VaultBytes
import VaultDatabase
import VaultModel

/// `vault holders`: which living processes, and which files, hold keys that AWS still accepts.
enum HoldersReport {
  static let command = Command(
    "holders", arguments: [ArgumentSpec("PROFILE", kind: .profile, isOptional: true)], topic: .sessions,
    summary: "show which running programs hold which keys",
    note: """
      An access key ID may stand in place of PROFILE. Keys that were replaced, forgotten or revoked are shown until they expire.
      Shown is who was given the keys: a program hands them on to those that it starts. Those that outlive it are shown as "inherited"
      if they were started with AWS_ACCESS_KEY_ID.
      """,
    examples: [
      Example("vault holders", "who holds keys, and until when"),
      Example("vault holders app-dev --format json", "who holds those of app-dev, for a program"),
    ], options: ReportCommands.formats + [Pager.option, Table.wideOption], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let word = try arguments.single("PROFILE", required: false)
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json, .csv])
    let reader = try ReportCommands.reader(paths, following: false)
    let now = SystemClock().now()
    let holders = try find(word, reader, at: now)
    var output = Output(isPaged: Pager.isWanted(arguments, format))
    switch format {
    case .json, .jsonl:
      var writer = JSONWriter()
      writer.array { writer in
        for holder in holders {
          writer.newLine()
          writer.object { object(&$0, holder) }
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    case .csv:
      output.line("profile,accessKeyId,sessionId,pid,startedAt,program,executable,via,since,expiresAt,endReason,automation,run")
      for holder in holders {
        output.line(
          csvRow([
            holder.profile, holder.accessKeyId, holder.session?.id ?? "", holder.process.map { String($0.pid) } ?? "",
            holder.process?.startedAt.iso8601 ?? "", holder.program, holder.process?.executable ?? "", holder.way.rawValue,
            holder.since.iso8601, holder.expiresAt?.iso8601 ?? "", holder.session?.endReason?.rawValue ?? "",
            holder.automation?.name ?? "", holder.automation?.run ?? "",
          ]))
      }
    case .table:
      var table = Table(
        [
          .whole("PID"), .name("PROGRAM"), .name("PROFILE"), .whole("ACCESS KEY ID", rank: 3), .whole("VIA", rank: 2),
          .whole("SINCE", rank: 4), .whole("UNTIL"), .whole("IN THE VAULT", rank: 1), .name("AUTOMATION", rank: 5),
        ], isWide: arguments.has(Table.wideOption.name))
      for holder in holders {
        table.add([
          holder.process.map { String($0.pid) } ?? "-", holder.program, holder.profile, holder.accessKeyId, holder.way.rawValue,
          ReportCommands.time(holder.since, now: now), ReportCommands.time(holder.expiresAt, now: now),
          holder.session?.endReason?.rawValue ?? "current", holder.automation?.name ?? "-",
        ])
      }
      table.write(to: &output)
      if table.isEmpty { Diagnostics.notice("no running program is known to hold a key") }
    }
    output.flush()
  }

  /// - Parameter word: a profile, or an access key ID.
  private static func find(_ word: String?, _ reader: VaultReader, at now: Timestamp) throws -> [Holder] {
    var sessions = try reader.unexpiredSessions(at: now)
    var keys = try reader.keyDeliveries()
    var links = try reader.linkedSections()
    if let word, ["ASIA", "AKIA"].contains(String(word.prefix(4))), AccessKeyForm.isId(word.utf8),
      try !reader.profileNames().contains(word)
    {
      sessions.removeAll { $0.accessKeyId != word }
      keys.removeAll { $0.row.event.accessKeyId != word }
      guard !sessions.isEmpty || !keys.isEmpty else {
        throw Failure("the vault has issued no key \(word) that is still valid", exitStatus: .noInput)
      }
    } else if let word {
      try ShowReport.requireProfile(word, reader)
      sessions.removeAll { $0.profile != word }
      keys.removeAll { $0.row.event.profile != word }
      links.removeAll { $0.profile != word }
    }
    var known: [Int32: LivingProcess?] = [:]
    let holders = Holders(user: geteuid()) { pid in
      if let found = known[pid] { return found }
      let found = LivingProcess(pid, at: now)
      known[pid] = .some(found)
      return found
    }
    let deliveries = try sessions.flatMap { try reader.deliveries(of: $0) } + keys
    warn(of: deliveries)
    let given = try holders.holders(of: deliveries, served: try reader.leasedProcesses()) { session, process in
      try reader.firstDelivery(
        of: session, to: process.pid, since: process.startedAt.adding(milliseconds: -Holders.tolerance))
    }
    let heirs = holders.heirs(among: ProcessFiles.all().sorted(), of: deliveries, besides: given) { pid in
      let values = ProcessFiles.environment(of: pid, ["AWS_ACCESS_KEY_ID", AgentVariables.run])
      return (values[0], values[1])
    }
    return given + heirs
      + Holders.files(links, sessions: sessions) { path, section in (try? EditedFile(path: path).accessKeyId(in: section)) ?? nil
      }
  }

  /// A process outside the agent's PID namespace has no ID there (unix(7), `SO_PEERCRED`).
  private static func warn(of deliveries: [LiveDelivery]) {
    let outside = deliveries.count { $0.row.event.requester.pid == 0 }
    guard outside > 0 else { return }
    Diagnostics.notice(
      (outside == 1
        ? "1 delivery went to a program in another PID namespace: whether it still runs"
        : "\(outside) deliveries went to programs in another PID namespace: whether they still run") + " cannot be seen here")
  }

  private static func object(_ writer: inout JSONWriter, _ holder: Holder) {
    writer.field("profile", holder.profile)
    writer.field("accessKeyId", holder.accessKeyId)
    writer.field("sessionId", holder.session?.id)
    writer.field("pid", holder.process.map { Int64($0.pid) })
    writer.field("startedAt", holder.process?.startedAt.iso8601)
    writer.field("program", holder.program)
    writer.field("executable", holder.process?.executable)
    writer.field("parents", holder.parents)
    writer.field("via", holder.way.rawValue)
    writer.field("since", holder.since.iso8601)
    writer.field("expiresAt", holder.expiresAt?.iso8601)
    writer.field("endReason", holder.session?.endReason?.rawValue)
    writer.key("automation")
    if let run = holder.automation {
      writer.object {
        $0.field("name", run.name)
        $0.field("run", run.run)
        $0.field("rootPid", Int64(run.rootPid))
      }
    } else {
      writer.null()
    }
  }
}

extension JSONWriter {
  /// The processes above one, the nearest first.
  mutating func field(_ name: String, _ chain: [Ancestor]) {
    key(name)
    array { writer in
      for ancestor in chain {
        writer.object {
          $0.field("pid", Int64(ancestor.pid))
          $0.field("executable", ancestor.executable)
        }
      }
    }
  }
}
