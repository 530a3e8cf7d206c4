import VaultDatabase
import VaultModel

/// The statistics of a team's rows, one after another, in any order.
public struct ShippedMarks {
  public var names = AuditNames()
  public var logins = NameTable()
  private var actions = NameTable()
  private var kinds: [AuditStatRow.Kind] = []
  private var user: [UInt8] = []
  /// Rows dated after they were received.
  public private(set) var ahead: Int64 = 0

  public init() {}

  /// Lends a row's statistics, its time as far as it is plausible, and its user as `alice (laptop_1)`, as two logins may name the
  /// same user. An intent gives nothing, since its outcome counts.
  public mutating func consume(
    _ line: AuditRowView,
    _ body: (_ mark: AuditStatRow, _ login: Int, _ time: Int64, _ user: UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    guard let origin = line.origin, !line.isText(.outcome, "intent") else { return }
    var time = line.number(.time)
    if origin.isAhead(time) {
      ahead += 1
      time = origin.receivedAt
    }
    user.removeAll(keepingCapacity: true)
    line.withBytes(.user) { user.append(contentsOf: $0 ?? UnsafeRawBufferPointer(start: nil, count: 0)) }
    user.append(contentsOf: " (".utf8)
    user.append(contentsOf: origin.login)
    user.append(contentsOf: origin.isEnrolled ? ")".utf8 : ", not enrolled)".utf8)
    let action = Self.number(line, .action, in: &actions) ?? 0
    if action == kinds.count { kinds.append(AuditStatRow.Kind(AuditAction(rawValue: line.text(.action)))) }
    let isFailure = !line.isText(.outcome, "success")
    let mark = AuditStatRow(
      time: Timestamp(stored: time), kind: kinds[action], isFailure: isFailure, isRotation: line.isText(.trigger, "rotation"),
      profile: Self.number(line, .profile, in: &names.profiles), role: Self.number(line, .roleARN, in: &names.roles),
      user: user.withUnsafeBytes { names.users.number(of: $0, upTo: NameTable.maxTeamNames) },
      program: Self.number(line, .program, in: &names.programs) ?? 0, run: run(of: line),
      error: isFailure ? Self.number(line, .error, in: &names.errors) : nil)
    let login = logins.number(of: origin.login, upTo: NameTable.maxTeamNames)
    try user.withUnsafeBytes { try body(mark, login, time, $0) }
  }

  private mutating func run(of line: AuditRowView) -> Int? {
    guard var text = line.optionalText(.run) else { return nil }
    text += " " + line.text(.automation)
    return text.withUTF8 { names.runs.number(of: UnsafeRawBufferPointer($0), upTo: NameTable.maxTeamNames) }
  }

  private static func number(_ line: AuditRowView, _ field: AuditField, in table: inout NameTable) -> Int? {
    var number: Int?
    line.withBytes(field) { if let bytes = $0 { number = table.number(of: bytes, upTo: NameTable.maxTeamNames) } }
    return number
  }
}

/// The source of a report's figures: a vault's own log, or a team's.
public protocol ReportSource {
  /// Visits the rows that match a filter; called once, and before anything except the span.
  func forEachAuditMark(_ filter: AuditFilter, names: inout AuditNames, _ body: (AuditStatRow) throws -> Void) throws
  func auditSpan() throws -> (first: Timestamp, last: Timestamp)?
  func rotationHealth(_ filter: AuditFilter) throws -> [RotationHealth]
  func sessionSpans(_ filter: AuditFilter, maximum: Int) throws -> [SessionSpan]
  func profileUses() throws -> [ProfileUse]
  /// How often a session was delivered; nil if there is no such session.
  func deliveries(ofSession id: String) throws -> Int64?
}

extension VaultReader: ReportSource {}
