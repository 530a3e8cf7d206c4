import Glibc

/// The times of the week in which a guarded profile is available, in the machine's time zone: `mon-fri 08:00-18:00`.
///
/// Days come before their times; both may be several, separated by blanks or commas. Times without days hold every day, and days
/// without times hold all day. A range that ends before it begins ends on the next day. The end is exclusive.
public struct GuardHours: Sendable, Hashable {
  /// One bit a minute of the week, which begins on Monday.
  private var minutes: [UInt64]
  public private(set) var text: String

  private static let day = 24 * 60
  private static let week = 7 * day
  private static let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
  private static let longNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

  /// No time at all.
  public static let none = GuardHours(text: "none")

  private init(text: String) {
    minutes = Array(repeating: 0, count: (Self.week + 63) / 64)
    self.text = text
  }

  /// - Returns: nil for any other text.
  public init?(_ text: String) {
    let words = text.lowercased().split { $0 == " " || $0 == "\t" || $0 == "," }
    guard !words.isEmpty, words.count <= 64 else { return nil }
    self.init(text: words.joined(separator: " "))
    var days: Set<Int> = []
    var hasTimes = false
    func put(_ range: Range<Int>, into hours: inout GuardHours) {
      for day in days.isEmpty ? Set(0..<7) : days { hours.add(range, on: day) }
    }
    for word in words {
      if let range = Self.times(word) {
        hasTimes = true
        put(range, into: &self)
      } else if let named = Self.days(word) {
        if hasTimes { days = [] }
        hasTimes = false
        days.formUnion(named)
      } else {
        return nil
      }
    }
    if !hasTimes { put(0..<Self.day, into: &self) }
  }

  /// Reads `08:00-18:00`. The end is past 24:00 if it is on the next day.
  private static func times(_ word: Substring) -> Range<Int>? {
    let ends = word.split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let start = minute(ends[0]), let end = minute(ends[1]), start < day, start != end else { return nil }
    return start..<(end < start ? end + day : end)
  }

  private static func minute(_ text: Substring) -> Int? {
    let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.count <= 2 && $0.allSatisfy { (48...57).contains($0) } }), parts[1].count == 2,
      let hour = Int(Substring(parts[0])), let minute = Int(Substring(parts[1])), minute < 60,
      hour < 24 || (hour, minute) == (24, 0)
    else { return nil }
    return hour * 60 + minute
  }

  /// Reads `mon`, `monday`, `mon-fri`, and `sat-mon`.
  private static func days(_ word: Substring) -> [Int]? {
    let ends = word.split(separator: "-", omittingEmptySubsequences: false).map { end in
      names.firstIndex { $0 == end } ?? longNames.firstIndex { $0 == end }
    }
    guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2 else { return nil }
    return (0...(last - first + 7) % 7).map { (first + $0) % 7 }
  }

  private mutating func add(_ range: Range<Int>, on day: Int) {
    for minute in range {
      let place = (day * Self.day + minute) % Self.week
      minutes[place / 64] |= 1 << UInt64(place % 64)
    }
  }

  /// - Parameter minute: of the week, which begins on Monday.
  private func contains(_ minute: Int) -> Bool { minutes[minute / 64] & (1 << UInt64(minute % 64)) != 0 }

  /// Whether a moment is within them, by the process's time zone. That is the machine's in the agent, which has no `TZ`.
  public func contains(_ moment: Timestamp) -> Bool {
    var seconds = time_t(moment.seconds)
    var local = tm()
    // A laptop that travels gets another zone while the agent runs; localtime_r(3) alone need not notice.
    tzset()
    guard localtime_r(&seconds, &local) != nil else { return false }
    return contains((Int(local.tm_wday) + 6) % 7 * Self.day + Int(local.tm_hour) * 60 + Int(local.tm_min))
  }

  /// The times within both.
  public func intersection(_ other: GuardHours) -> GuardHours {
    var both = self
    both.minutes = zip(minutes, other.minutes).map { $0 & $1 }
    if both.minutes == minutes { return self }
    if both.minutes == other.minutes { return other }
    both.text = both.written
    return both
  }

  /// The times as text, with the days that have the same ones put together.
  private var written: String {
    var groups: [(days: [Int], times: [String])] = []
    for day in 0..<7 {
      let times = times(on: day)
      guard !times.isEmpty else { continue }
      if let same = groups.firstIndex(where: { $0.times == times }) {
        groups[same].days.append(day)
      } else {
        groups.append(([day], times))
      }
    }
    guard !groups.isEmpty else { return Self.none.text }
    return groups.map { group in (group.days.map { Self.names[$0] } + group.times).joined(separator: " ") }.joined(
      separator: ", ")
  }

  private func times(on day: Int) -> [String] {
    var times: [String] = []
    var start: Int?
    for minute in 0...Self.day {
      let isIn = minute < Self.day && contains(day * Self.day + minute)
      if isIn, start == nil { start = minute }
      if !isIn, let first = start {
        times.append("\(Self.clock(first))-\(Self.clock(minute))")
        start = nil
      }
    }
    return times
  }

  private static func clock(_ minute: Int) -> String {
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(two(minute / 60)):\(two(minute % 60))"
  }

  /// Two values are equal if they hold the same times, however written.
  public static func == (one: Self, other: Self) -> Bool { one.minutes == other.minutes }
  public func hash(into hasher: inout Hasher) { hasher.combine(minutes) }
}
