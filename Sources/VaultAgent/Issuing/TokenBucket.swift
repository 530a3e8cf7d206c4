import VaultModel

/// How fast an endpoint may be called unasked.
///
/// The bucket fills in step with what its sessions need, a quarter faster, so that what an outage or a suspend has put off is made up for
/// over a good part of an hour and not in one second by every laptop of a team. Nobody waits for those: what a program asks for is called at
/// once, and paid for here afterwards. An endpoint that throttles halves the rate; each success wins a part of it back (the SDKs' adaptive
/// mode has the same shape: AWS SDKs and Tools Reference Guide, "Retry behavior").
struct TokenBucket {
  /// Calls that may be made at once after a quiet time.
  static let burst = 2.0
  /// How much faster than in its steady state it fills.
  static let haste = 1.25
  /// Calls a second for those who have few sessions.
  static let least = 1.0 / 30
  /// The smallest part of the rate that throttling leaves.
  static let smallestShare = 1.0 / 16
  /// The part of the rate at which an endpoint that is silent is looked for. One answer is enough to find it, and whoever asks meanwhile
  /// calls as well.
  static let searching = 1.0 / 2
  /// The part of the rate that a success wins back.
  static let recovery = 1.0 / 64

  /// Calls a second that the endpoint's sessions need in their steady state.
  private(set) var demand = 0.0
  /// The part of the rate that throttling has left.
  private(set) var share = 1.0
  private var isDown = false
  /// Below nothing after calls that were asked for.
  private var tokens = TokenBucket.burst
  private var filledAt: Timestamp

  init(at now: Timestamp) { filledAt = now }

  /// Calls a second.
  var rate: Double { max(Self.least, demand * Self.haste) * share * (isDown ? Self.searching : 1) }

  /// Takes a token for a call.
  ///
  /// - Returns: whether there was one.
  mutating func take(at now: Timestamp) -> Bool {
    fill(at: now)
    guard tokens >= 1 else { return false }
    tokens -= 1
    return true
  }

  /// When there is a token, if nothing is taken until then.
  mutating func nextToken(at now: Timestamp) -> Timestamp {
    fill(at: now)
    guard tokens < 1 else { return now }
    return now.adding(milliseconds: Int64(((1 - tokens) / rate * 1_000).rounded(.up)))
  }

  /// Pays for calls that did not wait. The debt is bounded, so that the schedule is only put off.
  mutating func charge(_ calls: Int, at now: Timestamp) {
    fill(at: now)
    tokens = max(-Self.burst, tokens - Double(calls))
  }

  /// The endpoint throttled a call.
  mutating func slowDown(at now: Timestamp) {
    fill(at: now)
    share = max(Self.smallestShare, share / 2)
    tokens = min(tokens, 0)
  }

  /// The endpoint is silent, or answers again.
  mutating func setDown(_ down: Bool, at now: Timestamp) {
    fill(at: now)
    isDown = down
  }

  /// The endpoint answered a call.
  mutating func recover(at now: Timestamp) {
    fill(at: now)
    share = min(1, share + Self.recovery)
  }

  /// Its sessions need so many calls a second more, or fewer.
  mutating func change(demand change: Double, at now: Timestamp) {
    fill(at: now)
    demand = max(0, demand + change)
  }

  private mutating func fill(at now: Timestamp) {
    // A clock that was set back fills nothing.
    let passed = max(0, now.since(filledAt))
    filledAt = now
    tokens = min(Self.burst, tokens + Double(passed) / 1_000 * rate)
  }
}
