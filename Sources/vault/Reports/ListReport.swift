import Glibc
import VaultBytes
import VaultDatabase
import VaultModel

/// `vault list`: every profile, and the state of its session.
enum ListReport {
  static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    if arguments.has("names") { return try names(paths) }
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json, .csv])
    let reader = try ReportCommands.reader(paths)
    let now = SystemClock().now()
    let guards = Guards(decisions: GuardCommand.Decisions(GuardCommand.rules(paths), reader))
    var output = Output(isPaged: Pager.isWanted(arguments, format))
    var broken = 0
    switch format {
    case .json, .jsonl: try json(reader, guards, now: now, to: &output)
    case .csv: try csv(reader, now: now, to: &output)
    case .table where !Terminal.outputIsTerminal: try lines(reader, guards, now: now, to: &output)
    case .table: broken = try table(reader, guards, isWide: arguments.has(Table.wideOption.name), now: now, to: &output)
    }
    output.flush()
    guard format == .table else { return }
    if broken > 0 {
      Diagnostics.notice("\(broken) profile\(broken == 1 ? " is" : "s are") broken; `vault show PROFILE` says why")
    }
    for section in try reader.shadowedSections() { Diagnostics.notice(hidden(section)) }
  }

  static func hidden(_ section: ShadowedSection) -> String {
    "\(section.place): ignored in favor of the vault-managed profile \"\(section.profile)\""
  }

  /// Names only, for completion: reads one file or runs one query, nothing else.
  private static func names(_ paths: VaultPaths) throws {
    var output = Output()
    let names = try NamesFile.read(beside: paths.database) ?? VaultReader(path: paths.database).profileNameLines()[...]
    if names.allSatisfy({ $0 == 10 || ($0 >= 0x20 && $0 < 0x7F) }) {
      output.write(bytes: Array(names))
    } else {
      for name in names.split(separator: 10) { output.line(safeText(String(decoding: name, as: UTF8.self))) }
    }
    output.flush()
  }

  /// For a pipe: tab-separated cells, copied unchanged from the rows.
  private static func lines(_ reader: VaultReader, _ guards: Guards, now: Timestamp, to output: inout Output) throws {
    var line: [UInt8] = []
    var isEmpty = true
    var times = TimeCache()
    try reader.forEachProfileLine { row in
      isEmpty = false
      line.removeAll(keepingCapacity: true)
      row.append(.name, to: &line)
      line.append(9)
      if row.isEmpty(.kind) { line.append(contentsOf: without(kind: row).utf8) } else { row.append(.kind, to: &line) }
      line.append(9)
      line.append(contentsOf: row.state(at: now).rawValue.utf8)
      line.append(9)
      if let end = row.endsAt { times.append(end, to: &line) } else { line.append(UInt8(ascii: "-")) }
      line.append(9)
      if row.isEmpty(.role) { line.append(UInt8(ascii: "-")) } else { row.append(.role, to: &line) }
      line.append(9)
      row.append(.source, to: &line)
      if guards.hasRules, guards.apply(to: row.text(.name), role: row.isEmpty(.role) ? nil : row.text(.role)) {
        // Not one of the columns, so that those stay as they are.
        output.write(bytes: escaped(row, now, mark: "\tguarded"))
        return
      }
      line.append(10)
      output.write(bytes: isPlain(line) ? line : escaped(row, now))
    }
    if isEmpty { Diagnostics.notice("no profiles yet; `vault import` imports those of ~/.aws/config") }
  }

  /// Whether a line has five tabs, its end, and otherwise only characters that a terminal simply shows. A long line may be plain,
  /// but is not treated as such.
  private static func isPlain(_ line: [UInt8]) -> Bool {
    // The tabs are counted in a single byte.
    guard line.count < 256 else { return false }
    return line.withUnsafeBufferPointer { bytes in
      var (tabs, strange): (UInt8, UInt8) = (0, 0)
      // No branches or wider numbers, so that the compiler processes many bytes at a time.
      for byte in UnsafeBufferPointer(rebasing: bytes.dropLast()) {
        let isTab: UInt8 = byte == 9 ? 1 : 0
        tabs &+= isTab
        strange |= (byte &- 0x20 < 0x5F ? 0 : 1) &- isTab
      }
      return tabs == 5 && strange == 0
    }
  }

  /// The text shown as the kind of a profile that has none; its problem is in the role's column.
  private static func without(kind row: ProfileListRow) -> String { row.isEmpty(.role) ? "settings" : "broken" }

  private static func escaped(_ row: ProfileListRow, _ now: Timestamp, mark: String = "") -> [UInt8] {
    let cells = [
      row.text(.name), row.isEmpty(.kind) ? without(kind: row) : row.text(.kind), row.state(at: now).rawValue,
      row.endsAt?.iso8601 ?? "-",
      row.isEmpty(.role) ? "-" : row.text(.role), row.text(.source),
    ]
    return Array((cells.map(safeText).joined(separator: "\t") + mark + "\n").utf8)
  }

  /// - Returns: the number of profiles whose problem is not shown.
  private static func table(_ reader: VaultReader, _ guards: Guards, isWide: Bool, now: Timestamp, to output: inout Output) throws
    -> Int
  {
    var table = Table(
      [
        .name("PROFILE"), .whole("KIND", rank: 3), .whole("SESSION"), .whole("ENDS", rank: 1), .arn("ROLE", rank: 2),
        .name("FROM", rank: 4, least: 10),
      ] + (guards.hasRules ? [.whole("GUARD", rank: 1)] : []), isWide: isWide)
    var broken = 0
    let permissionSets = try reader.permissionSets()
    try reader.forEachProfile { row in
      // A problem is a sentence or two, for which a table has no room.
      if row.problem != nil, !isWide { broken += 1 }
      let ends = row.session.flatMap { $0.endedAt == nil ? TimeText.relative($0.expiresAt, now: now) : nil } ?? "-"
      table.add(
        [
          row.name, row.kind?.rawValue ?? (row.problem == nil ? "settings" : "broken"), state(row, now).rawValue, ends,
          row.roleARN ?? (row.kind == .sso ? permissionSets[row.name] : nil) ?? (isWide ? row.problem : nil) ?? "-",
          row.source ?? row.origin,
        ] + (guards.hasRules ? [guards.apply(to: row.name, role: row.roleARN) ? "guarded" : "-"] : []))
    }
    if table.isEmpty { Diagnostics.notice("no profiles yet; `vault import` imports those of ~/.aws/config") }
    table.write(to: &output)
    return broken
  }

  private static func csv(_ reader: VaultReader, now: Timestamp, to output: inout Output) throws {
    output.line("profile,kind,roleArn,source,region,origin,rotation,state,accessKeyId,issuedAt,expiresAt,lastUsedAt")
    try reader.forEachProfile { row in
      output.line(
        csvRow([
          row.name, row.kind?.rawValue ?? "", row.roleARN ?? "", row.source ?? "", row.region ?? "", row.origin,
          rotation(row, now),
          state(row, now).rawValue, row.session?.accessKeyId ?? "", row.session?.issuedAt.iso8601 ?? "",
          row.session?.expiresAt.iso8601 ?? "",
          row.session?.lastUsedAt?.iso8601 ?? "",
        ]))
    }
  }

  private static func json(_ reader: VaultReader, _ guards: Guards, now: Timestamp, to output: inout Output) throws {
    var writer = JSONWriter()
    let hidden = Dictionary(try reader.shadowedSections().map { ($0.profile, $0.place) }, uniquingKeysWith: { first, _ in first })
    try writer.array { writer in
      try reader.forEachProfile { row in
        writer.newLine()
        writer.object { writer in
          writer.field("profile", row.name)
          writer.field("kind", row.kind?.rawValue)
          writer.field("roleArn", row.roleARN)
          writer.field("source", row.source)
          writer.field("region", row.region)
          writer.field("origin", row.origin)
          writer.field("rotation", rotation(row, now))
          writer.field("guarded", guards.apply(to: row.name, role: row.roleARN))
          if let place = hidden[row.name] { writer.field("hides", place) }
          if let problem = row.problem { writer.field("problem", problem) }
          writer.key("session")
          session(row.session, now: now, to: &writer)
        }
      }
    }
    output.write(bytes: writer.consume())
    output.write("\n")
  }

  /// A session as `list` and `show` write it; null if there never was one.
  static func session(_ session: SessionRecord?, now: Timestamp, to writer: inout JSONWriter) {
    guard let session else { return writer.null() }
    writer.object { writer in
      writer.field("id", session.id)
      writer.field("state", session.state(at: now).rawValue)
      writer.field("accessKeyId", session.accessKeyId)
      writer.field("issuedAt", session.issuedAt.iso8601)
      writer.field("expiresAt", session.expiresAt.iso8601)
      writer.field("rotatesAt", session.renewsAt.iso8601)
      writer.field("remainingSeconds", session.endedAt == nil ? max(0, session.expiresAt.since(now) / 1_000) : 0)
      writer.field("lastUsedAt", session.lastUsedAt?.iso8601)
    }
  }

  private static func state(_ row: ProfileRow, _ now: Timestamp) -> SessionState { row.state(at: now) }

  /// Whether the agent renews the session on its own, as far as the vault's records show: not while it is stopped.
  private static func rotation(_ row: ProfileRow, _ now: Timestamp) -> String {
    if row.rotation == .off { return "off" }
    guard let session = row.session, session.endedAt == nil, row.pendingAction == nil else { return "idle" }
    let used = session.lastUsedAt.map { now.since($0) < RotationRule.default.idle * 1_000 } ?? false
    return row.rotation == .always || used ? "on" : "idle"
  }
}

/// Tells which profiles are guarded.
private struct Guards {
  let decisions: GuardCommand.Decisions

  var hasRules: Bool { !decisions.rules.isEmpty }

  /// - Parameter role: the role of its row, if it has one; the role of a permission set is looked up.
  func apply(to profile: String, role: String?) -> Bool {
    hasRules && decisions.decision(for: profile, role: role.flatMap { RoleARN($0)?.text }).isGuarded
  }
}
