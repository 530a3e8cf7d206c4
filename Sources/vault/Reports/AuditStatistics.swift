import VaultAudit
import VaultModel

/// The totals of a group of rows.
struct Tally {
  var calls = 0
  var deliveries = 0
  var failures = 0
  var last: Timestamp?

  mutating func add(_ mark: AuditStatRow) {
    switch mark.kind {
    case .call: calls += 1
    case .delivery: deliveries += 1
    case .other: break
    }
    if mark.isFailure { failures += 1 }
    last = max(last ?? mark.time, mark.time)
  }
}

/// The audit log in numbers, from a single pass.
struct AuditStatistics {
  typealias Named = (name: String, tally: Tally)

  private(set) var rows = 0
  private(set) var first: Timestamp?
  private(set) var last: Timestamp?
  /// By the hour of the day, in UTC.
  private(set) var hours = [Tally](repeating: Tally(), count: 24)
  private(set) var names = AuditNames()
  private var byProfile: [Tally] = []
  private var byRole: [Tally] = []
  private var byUser: [Tally] = []
  private var byProgram: [Tally] = []
  private var byRun: [Tally] = []
  private var byError: [Tally] = []

  /// By the login that shipped the rows; empty for this machine's own log.
  private(set) var logins: [Named] = []

  /// - Parameter observe: called with every counted row.
  init(_ source: any ReportSource, _ filter: AuditFilter, observe: (AuditStatRow) -> Void = { _ in }) throws {
    var names = AuditNames()
    try source.forEachAuditMark(filter, names: &names) { mark in
      observe(mark)
      rows += 1
      let time = mark.time
      first = min(first ?? time, time)
      last = max(last ?? time, time)
      if let profile = mark.profile { Self.add(mark, to: &byProfile, at: profile) }
      if let role = mark.role { Self.add(mark, to: &byRole, at: role) }
      Self.add(mark, to: &byUser, at: mark.user)
      Self.add(mark, to: &byProgram, at: mark.program)
      if let run = mark.run { Self.add(mark, to: &byRun, at: run) }
      if let error = mark.error { Self.add(mark, to: &byError, at: error) }
      let hour = Int(time.seconds / 3_600 % 24)
      hours[hour < 0 ? hour + 24 : hour].add(mark)
    }
    self.names = names
    if let team = source as? TeamFigures { logins = Self.sorted(team.byLogin, team.logins) }
  }

  private static func add(_ mark: AuditStatRow, to tallies: inout [Tally], at number: Int) {
    while tallies.count <= number { tallies.append(Tally()) }
    tallies[number].add(mark)
  }

  var profiles: [Named] { Self.sorted(byProfile, names.profiles) }
  var roles: [Named] { Self.sorted(byRole, names.roles) }
  var users: [Named] { Self.sorted(byUser, names.users) }
  var programs: [Named] { Self.sorted(byProgram, names.programs) }

  /// The runs of `exec --automation`, the newest first.
  var runs: [(id: String, name: String, tally: Tally)] {
    byRun.enumerated().map { number, tally in
      let (id, name) = names.run(number)
      return (id, name, tally)
    }.sorted { ($0.tally.last?.milliseconds ?? 0, $1.id) > ($1.tally.last?.milliseconds ?? 0, $0.id) }
  }

  /// Failures by cause: AWS's error code if there is one, otherwise the message without its variable parts.
  var causes: [Named] {
    var causes: [String: Tally] = [:]
    for (number, tally) in byError.enumerated() {
      let cause = Self.cause(names.errors[number])
      var sum = causes[cause] ?? Tally()
      sum.failures += tally.failures
      sum.last = [sum.last, tally.last].compactMap { $0 }.max()
      causes[cause] = sum
    }
    return causes.map { ($0.key, $0.value) }.sorted { ($0.tally.failures, $1.name) > ($1.tally.failures, $0.name) }
  }

  /// `AccessDenied` for `AssumeRole: AccessDenied: User: …`; other text unchanged, up to 100 characters.
  static func cause(_ error: String) -> String {
    let parts = error.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    if parts.count > 1 {
      let code = parts[1].drop { $0 == " " }
      let isCode = !code.isEmpty && code.utf8.allSatisfy { ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || $0 == UInt8(ascii: ".") }
      if isCode { return String(code) }
      if AuditAction(rawValue: String(parts[0])) != nil { return String(error.dropFirst(parts[0].count + 2).prefix(100)) }
    }
    return String(error.prefix(100))
  }

  private static func sorted(_ tallies: [Tally], _ names: NameTable) -> [Named] {
    tallies.indices.map { (names[$0], tallies[$0]) }.sorted { one, other in
      let (a, b) = (one.tally.calls + one.tally.deliveries, other.tally.calls + other.tally.deliveries)
      return a == b ? one.name < other.name : a > b
    }
  }
}
