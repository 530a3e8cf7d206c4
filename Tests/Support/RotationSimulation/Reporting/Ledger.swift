import VaultModel

/// What happened, counted.
///
/// `@unchecked Sendable`: see ``World``.
final class Ledger: @unchecked Sendable {
  /// How programs were served in one way of asking.
  struct Deliveries {
    var count = 0
    /// Milliseconds of the shortest life that was handed out.
    var shortest = Int64.max
    /// Those with less than a quarter of an hour.
    var short = 0
    /// Those that got nothing.
    var refused = 0

    mutating func add(_ life: Int64?) {
      guard let life else { return refused += 1 }
      count += 1
      shortest = min(shortest, life)
      if life < 15 * 60_000 { short += 1 }
    }
  }

  /// Calls to STS in each second of the run, refused ones included.
  private(set) var calls: [Int32]
  private(set) var rejections = 0
  private(set) var failed = 0
  /// Seconds in which at least one laptop was awake.
  private(set) var awake: [Bool]
  /// Programs that asked while their identity was valid and STS could be reached, and all others.
  var promised = Deliveries()
  var others = Deliveries()
  /// The same for programs that are served on loopback and fetch.
  var promisedFetches = Deliveries()
  var otherFetches = Deliveries()
  /// Those whose call was throttled while they waited for it.
  var throttledFetches = Deliveries()
  /// Programs that asked when the account's rate was used up, so that each of the call's three tries was throttled.
  var throttled = Deliveries()
  var suspends = 0
  var ssoSessions = 0

  init(days: Int) {
    calls = Array(repeating: 0, count: days * 86_400)
    awake = Array(repeating: false, count: days * 86_400)
  }

  func count(_ answer: Account.Answer, at now: Timestamp) {
    calls[second(now)] += 1
    if answer == .throttled { rejections += 1 }
    if answer == .unavailable { failed += 1 }
  }

  func wasAwake(_ period: Range<Timestamp>) {
    for second in second(period.lowerBound)..<second(period.upperBound) { awake[second] = true }
  }

  private func second(_ moment: Timestamp) -> Int {
    min(calls.count - 1, Int(moment.since(Calendar.start) / 1_000))
  }
}
