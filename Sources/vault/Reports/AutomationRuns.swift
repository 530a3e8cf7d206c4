import VaultAudit
import VaultModel

/// What the runs of `exec --automation` were given and did, and what agents outside of one asked for, from their rows in any order. Its
/// size is bounded, whatever the log holds.
struct AutomationRuns {
  /// The credentials of one profile, role and scope.
  struct Grant {
    let profile: String
    let roleARN: String?
    let scope: String?
    var deliveries = 0
    /// When it was first delivered.
    var from: Timestamp
    /// When the last of them expires.
    var until: Timestamp?
    var keys: [String] = []
  }

  /// The uses of credentials that CloudTrail has, by service and call.
  struct Use {
    var count = 0
    var failures = 0
    var first: Timestamp
    var last: Timestamp
  }

  /// What a program asks for whose environment says that it acts by itself.
  struct Hint: Hashable, Comparable {
    let variable: String
    let profile: String

    static func < (one: Hint, other: Hint) -> Bool { (one.variable, one.profile) < (other.variable, other.profile) }
  }

  struct Run {
    let id: String
    let name: String
    let rootPid: Int64
    /// The vault that a team's row came from.
    let vault: String?
    var user: String
    var host: String
    /// The program that is the tree's root; nil until its row was read.
    var program: String?
    /// What every session of it is narrowed to.
    var scope: String?
    var began: Timestamp?
    var ended: Timestamp?
    /// The times of its first and last row.
    var first: Timestamp
    var last: Timestamp
    var asked = 0
    var refused = 0
    var confirmed = 0
    var grants: [Grant] = []
    /// Grants that are not among them.
    var moreGrants = 0
    /// Why it was refused.
    var refusals: [String: Tally] = [:]
    /// By access key id, how often each was delivered to it, and as which session.
    fileprivate(set) var keys: [String: (session: String, deliveries: Int)] = [:]
    /// Access keys that are not among them.
    var moreKeys = 0
    var revocations: [Revocation] = []
    /// What CloudTrail saw; nil if it was not asked.
    var uses: [String: Use]?
    /// Access keys that were delivered to others, too.
    var shared: [String] = []
    /// Access keys that AWS issued to calls of its own.
    var issued: Set<String> = []
  }

  struct Revocation {
    let time: Timestamp
    let user: String
    let detail: String
    let isInAWS: Bool
    fileprivate let session: String
  }

  /// The runs that a report shows.
  static let maximum = 200
  private static let maxCalls = 50
  private static let maxRevocations = 10_000
  private static let maxHints = 100
  static let others = "(others)"

  private var runs: [String: Run] = [:]
  private var revocations: [Revocation] = []
  private(set) var hints: [Hint: Tally] = [:]
  /// Runs that are older than those kept.
  private var omitted = 0
  /// All runs, those that ``all()`` leaves out too.
  var count: Int { runs.count + omitted }

  /// Adds a row; others than those of a run and of revocations change nothing.
  mutating func add(_ line: AuditRowView) {
    let action = AuditAction(rawValue: line.text(.action))
    if action == .revoked || action == .revokedInAWS { record(line, isInAWS: action == .revokedInAWS) }
    guard line.text(.outcome) != AuditOutcome.intent.rawValue else { return }
    guard let id = line.optionalText(.run) else { return add(hintOf: line, action: action) }
    let time = Timestamp(stored: line.number(.time))
    let vault = line.origin.map { String(decoding: $0.vault, as: UTF8.self) }
    let key = id + "@" + (vault ?? "")
    var run =
      runs.removeValue(forKey: key)
      ?? Run(
        id: id, name: line.text(.automation), rootPid: line.number(.rootPid), vault: vault, user: line.text(.user),
        host: line.text(.host), first: time, last: time)
    run.first = min(run.first, time)
    run.last = max(run.last, time)
    run.add(line, action: action, at: time)
    runs[key] = run
    if runs.count > 2 * Self.maximum { keepNewest() }
  }

  private mutating func add(hintOf line: AuditRowView, action: AuditAction?) {
    guard let variable = line.hint else { return }
    let isSuccess = line.text(.outcome) == AuditOutcome.success.rawValue
    guard !isSuccess || action == .deliver else { return }
    var hint = Hint(variable: variable, profile: line.optionalText(.profile) ?? "–")
    if hints[hint] == nil, hints.count >= Self.maxHints { hint = Hint(variable: Self.others, profile: "–") }
    var tally = hints[hint] ?? Tally()
    if isSuccess { tally.deliveries += 1 } else { tally.failures += 1 }
    let time = Timestamp(stored: line.number(.time))
    tally.last = max(tally.last ?? time, time)
    hints[hint] = tally
  }

  private mutating func keepNewest() {
    omitted += runs.count - Self.maximum
    let old = runs.sorted { $0.value.last > $1.value.last }.dropFirst(Self.maximum)
    for (key, _) in old { runs[key] = nil }
  }

  private mutating func record(_ line: AuditRowView, isInAWS: Bool) {
    guard revocations.count < Self.maxRevocations, line.text(.outcome) == AuditOutcome.success.rawValue else { return }
    revocations.append(
      Revocation(
        time: Timestamp(stored: line.number(.time)), user: line.text(.user), detail: line.text(.detail), isInAWS: isInAWS,
        session: Self.session(line)))
  }

  /// `ses_…`, of a team's row `ses_…@vlt_…`; empty if there is none.
  fileprivate static func session(_ line: AuditRowView) -> String {
    guard let id = line.optionalText(.sessionId) else { return "" }
    return id + (line.origin.map { "@" + String(decoding: $0.vault, as: UTF8.self) } ?? "")
  }

  // MARK: result

  /// The runs, the newest first.
  func all() -> [Run] {
    runs.values.sorted { ($0.last, $1.id) > ($1.last, $0.id) }.prefix(Self.maximum).map { run in
      var run = run
      let sessions = Set(run.keys.values.map(\.session)).subtracting([""])
      run.revocations = revocations.filter { one in
        sessions.contains(one.session) || (one.detail == "automation \(run.name)" && one.time >= run.first)
      }.sorted { $0.time < $1.time }
      return run
    }
  }

  /// The runs with the calls of their access keys in CloudTrail.
  ///
  /// - Parameter forEach: lends every event, some of them perhaps more than once.
  func reconciled(with source: any ReportSource, forEach: ((CloudTrailEvent) throws -> Void) throws -> Void) throws -> [Run] {
    var runs = all()
    var holders: [String: [Int]] = [:]
    for (number, run) in runs.enumerated() {
      runs[number].uses = [:]
      var delivered: [String: Int] = [:]
      for (key, use) in run.keys {
        holders[key, default: []].append(number)
        delivered[use.session, default: 0] += use.deliveries
      }
      runs[number].shared = try run.keys.filter { _, use in
        guard let all = try source.deliveries(ofSession: use.session) else { return false }
        return all > Int64(delivered[use.session] ?? 0)
      }.keys.sorted()
    }
    // Eight bytes of memory per event of theirs.
    var seen: Set<Int> = []
    try forEach { event in
      guard let numbers = event.callerKey.flatMap({ holders[$0] }), event.id.map({ seen.insert($0.hashValue).inserted }) ?? true
      else { return }
      for number in numbers { runs[number].add(event, upTo: Self.maxCalls) }
    }
    return runs
  }
}

extension AutomationRuns.Run {
  private static let maxGrants = 50
  private static let maxKeys = 500
  private static let maxCauses = 20

  fileprivate mutating func add(_ line: AuditRowView, action: AuditAction?, at time: Timestamp) {
    let isSuccess = line.text(.outcome) == AuditOutcome.success.rawValue
    switch action {
    case .automationStarted:
      began = time
      scope = line.optionalText(.scope)
      (user, host) = (line.text(.user), line.text(.host))
      line.withShownProgram { program = String(decoding: $0, as: UTF8.self) }
      return
    case .automationEnded:
      ended = time
      return
    case .confirmed where isSuccess: confirmed += 1
    case .deliver where isSuccess:
      asked += 1
      deliver(line, at: time)
    default: break
    }
    guard !isSuccess || action == .confirmationRefused || action == .guardRefused else { return }
    asked += 1
    refused += 1
    let text = line.optionalText(.error) ?? line.optionalText(.detail) ?? line.text(.action)
    let who = "a process of automation run \(name) (\(id)) "
    let cause = AuditStatistics.cause(text.hasPrefix(who) ? String(text.dropFirst(who.count)) : text)
    let known = refusals[cause] != nil || refusals.count < Self.maxCauses ? cause : AutomationRuns.others
    var tally = refusals[known] ?? Tally()
    tally.failures += 1
    tally.last = max(tally.last ?? time, time)
    refusals[known] = tally
  }

  private mutating func deliver(_ line: AuditRowView, at time: Timestamp) {
    let key = line.optionalText(.accessKeyId)
    let (profile, role, scope) = (line.text(.profile), line.optionalText(.roleARN), line.optionalText(.scope))
    var place = grants.firstIndex { $0.profile == profile && $0.roleARN == role && $0.scope == scope }
    if place == nil, grants.count < Self.maxGrants {
      grants.append(AutomationRuns.Grant(profile: profile, roleARN: role, scope: scope, from: time))
      place = grants.count - 1
    }
    guard let place else {
      moreGrants += 1
      return
    }
    grants[place].deliveries += 1
    grants[place].from = min(grants[place].from, time)
    if let until = line.optionalNumber(.expiresAt).map({ Timestamp(stored: $0) }) {
      grants[place].until = max(grants[place].until ?? until, until)
    }
    guard let key else { return }
    if keys[key] == nil {
      guard keys.count < Self.maxKeys else {
        moreKeys += 1
        return
      }
      grants[place].keys.append(key)
    }
    keys[key] = (AutomationRuns.session(line), (keys[key]?.deliveries ?? 0) + 1)
  }

  fileprivate mutating func add(_ event: CloudTrailEvent, upTo maximum: Int) {
    let call = "\(event.source) \(event.name)"
    let known = uses?[call] != nil || (uses?.count ?? 0) < maximum ? call : AutomationRuns.others
    var use = uses?[known] ?? AutomationRuns.Use(first: event.time, last: event.time)
    use.count += 1
    if event.errorCode != nil { use.failures += 1 }
    if let key = event.issuedKey, issued.count < Self.maxKeys { issued.insert(key) }
    use.first = min(use.first, event.time)
    use.last = max(use.last, event.time)
    uses?[known] = use
  }
}
