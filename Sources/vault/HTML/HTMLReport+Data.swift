import VaultAudit
import VaultModel

/// Names by number, as the page's filters refer to them. All names after the first two hundred are combined as "others", so that a
/// browser can still show the page.
struct HTMLReportNames {
  private static let maximum = 200
  private(set) var names: [String] = []
  private var numbers: [String: Int] = [:]

  mutating func number(_ name: String) -> Int {
    if let known = numbers[name] { return known }
    if names.count < Self.maximum {
      names.append(name)
      numbers[name] = names.count - 1
    } else if names.count == Self.maximum {
      names.append("(others)")
    }
    return numbers[name] ?? Self.maximum
  }
}

/// Everything that the page shows.
struct HTMLReportData {
  /// The rows of one time bucket, profile, role and user.
  struct Cell: Hashable {
    let bucket: Int
    let profile: Int
    let role: Int
    let user: Int
  }

  struct Bar {
    let session: SessionSpan
    let profile: Int
    let role: Int
    let user: Int
  }

  static let maxSessions = 3_000
  /// Above this number, the bars over time no longer distinguish users.
  private static let maxCells = 30_000
  /// Above this number, only time is distinguished.
  private static let maxCounted = 300_000
  private static let none = "(none)"

  let from: Timestamp
  let to: Timestamp
  /// Milliseconds.
  let bucketLength: Int64
  let bucketCount: Int
  private(set) var cells: [Cell: Tally] = [:]
  let statistics: AuditStatistics
  private(set) var bars: [Bar] = []
  let profiles: [ProfileUse]
  private(set) var profileNames = HTMLReportNames()
  private(set) var roleNames = HTMLReportNames()
  private(set) var userNames = HTMLReportNames()

  init(_ reader: any ReportSource, _ filter: AuditFilter, now: Timestamp) throws {
    let span = try reader.auditSpan() ?? (now.adding(seconds: -86_400), now)
    let earliest = filter.since ?? span.first
    let length = Self.bucketLength(max(1, (filter.until ?? now).since(earliest)))
    // Buckets begin at whole hours and days of UTC.
    from = Timestamp(milliseconds: earliest.milliseconds - (earliest.milliseconds % length + length) % length)
    let end = max((filter.until ?? now).milliseconds, from.milliseconds + 1)
    bucketLength = length
    bucketCount = Int((end - from.milliseconds + length - 1) / length)
    to = Timestamp(milliseconds: from.milliseconds + Int64(bucketCount) * length)

    var counted: [Cell: Tally] = [:]
    let (start, count) = (from.milliseconds, bucketCount)
    statistics = try AuditStatistics(reader, filter) { mark in
      let bucket = min(max(0, Int((mark.time.milliseconds - start) / length)), count - 1)
      var cell = Cell(bucket: bucket, profile: mark.profile ?? -1, role: mark.role ?? -1, user: mark.user)
      // Anyone who can write rows could make up names without end.
      if counted.count >= Self.maxCounted, counted[cell] == nil { cell = Cell(bucket: bucket, profile: -1, role: -1, user: -1) }
      counted[cell, default: Tally()].add(mark)
    }
    let names = statistics.names
    profiles = try reader.profileUses()
    let sessions = try reader.sessionSpans(filter, maximum: Self.maxSessions)
    // The most active ones are numbered first.
    for (name, _) in statistics.profiles { _ = profileNames.number(name) }
    for (name, _) in statistics.roles { _ = roleNames.number(name) }
    for (name, _) in statistics.users { _ = userNames.number(name) }
    let tellsUsers = counted.count <= Self.maxCells
    for (cell, tally) in counted {
      let mine = Cell(
        bucket: cell.bucket, profile: profileNames.number(cell.profile < 0 ? Self.none : names.profiles[cell.profile]),
        role: roleNames.number(cell.role < 0 ? Self.none : names.roles[cell.role]),
        user: userNames.number(tellsUsers && cell.user >= 0 ? names.users[cell.user] : Self.none))
      cells[mine, default: Tally()].add(tally)
    }
    for session in sessions {
      bars.append(
        Bar(
          session: session, profile: profileNames.number(session.profile), role: roleNames.number(session.roleARN ?? Self.none),
          user: userNames.number(session.user ?? Self.none)))
    }
  }

  /// A length that results in at most 96 buckets.
  private static func bucketLength(_ span: Int64) -> Int64 {
    let minute: Int64 = 60_000
    let lengths = [5, 15, 30, 60, 180, 360, 720, 1_440, 2_880, 10_080, 43_200].map { $0 * minute }
    return lengths.first { span / $0 < 96 } ?? (span / 96 / (43_200 * minute) + 1) * 43_200 * minute
  }

  /// `hour`, `3 hours`, `day`, …
  var bucketWords: String {
    let minutes = bucketLength / 60_000
    switch minutes {
    case ..<60: return "\(minutes) minutes"
    case 60: return "hour"
    case ..<1_440: return "\(minutes / 60) hours"
    case 1_440: return "day"
    default: return "\(minutes / 1_440) days"
    }
  }

  func start(ofBucket bucket: Int) -> Timestamp { from.adding(milliseconds: Int64(bucket) * bucketLength) }

  /// The totals of each bucket.
  var buckets: [Tally] {
    var sums = [Tally](repeating: Tally(), count: bucketCount)
    for (cell, tally) in cells { sums[cell.bucket].add(tally) }
    return sums
  }

  /// Profiles that handed out nothing in the time shown, and that are not in the chain of a profile that was used.
  var unusedProfiles: [ProfileUse] {
    let sources = Dictionary(uniqueKeysWithValues: profiles.map { ($0.name, $0.source) })
    var used: Set<String> = []
    for profile in statistics.profiles where profile.tally.deliveries > 0 {
      var next: String? = profile.name
      // In a cycle, this stops where it began.
      while let name = next, used.insert(name).inserted { next = sources[name] ?? nil }
    }
    return profiles.filter { !used.contains($0.name) }
  }

  /// Roles of profiles that never had a session; with those profiles.
  var rolesNeverAssumed: [(role: String, profiles: [String])] {
    var found: [String: [String]] = [:]
    for profile in profiles where !profile.roleWasAssumed {
      if let role = profile.roleARN { found[role, default: []].append(profile.name) }
    }
    return found.map { ($0.key, $0.value) }.sorted { $0.role < $1.role }
  }

  /// The longest-lived session of each profile's role, and of those the longest twelve.
  var longest: [Bar] {
    func life(_ bar: Bar) -> Int64 { bar.session.endsAt.since(bar.session.issuedAt) }
    let each = Dictionary(grouping: bars) { [$0.profile, $0.role] }.compactMap { $1.max { life($0) < life($1) } }
    return Array(each.sorted { (life($0), $1.profile, $1.role) > (life($1), $0.profile, $0.role) }.prefix(12))
  }
}

extension Tally {
  mutating func add(_ other: Tally) {
    calls += other.calls
    deliveries += other.deliveries
    failures += other.failures
    last = [last, other.last].compactMap { $0 }.max()
  }
}
