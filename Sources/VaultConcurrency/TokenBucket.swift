import VaultModel

/// Limits the rate of scheduled calls to an endpoint.
///
/// The bucket fills a quarter faster than its sessions need, so that the backlog of an outage or a suspend is worked off over a
/// good part of an hour, and not in one second by every laptop of a team. Nobody waits for scheduled calls; a program's request is
/// called at once, and charged here afterwards. An endpoint that throttles halves the rate, and each success restores a part of it
/// (the SDKs' adaptive mode works in the same way: AWS SDKs and Tools Reference Guide, "Retry behavior").
package struct TokenBucket {
  /// Calls that may be made at once after a quiet time.
  package static let burst = 2.0
  /// The factor by which it fills faster than its steady state needs.
  package static let haste = 1.25
  /// Minimum calls per second, for a vault with few sessions.
  package static let least = 1.0 / 30
  /// The smallest fraction of the rate that throttling leaves.
  package static let smallestShare = 1.0 / 16
  /// The fraction of the rate at which a silent endpoint is probed. One answer is enough to find it available, and requests
  /// meanwhile call it as well.
  package static let searching = 1.0 / 2
  /// The fraction of the rate that a success restores.
  package static let recovery = 1.0 / 64

  /// Calls per second that the endpoint's sessions need in their steady state.
  package private(set) var demand = 0.0
  /// The fraction of the rate that throttling has left.
  package private(set) var share = 1.0
  private var isDown = false
  /// Negative after calls for requests.
  private var tokens = TokenBucket.burst
  private var filledAt: Timestamp

  package init(at now: Timestamp) { filledAt = now }

  /// Calls per second.
  package var rate: Double { max(Self.least, demand * Self.haste) * share * (isDown ? Self.searching : 1) }

  /// Takes a token for a call.
  ///
  /// - Returns: whether there was one.
  package mutating func consume(at now: Timestamp) -> Bool {
    fill(at: now)
    guard tokens >= 1 else { return false }
    tokens -= 1
    return true
  }

  /// When the next token is available, if none is taken until then.
  package mutating func nextToken(at now: Timestamp) -> Timestamp {
    fill(at: now)
    guard tokens < 1 else { return now }
    return now.adding(milliseconds: Int64(((1 - tokens) / rate * 1_000).rounded(.up)))
  }

  /// Charges calls that did not wait. The debt is limited, so that the schedule is only delayed.
  package mutating func charge(_ calls: Int, at now: Timestamp) {
    fill(at: now)
    tokens = max(-Self.burst, tokens - Double(calls))
  }

  /// The endpoint throttled a call.
  package mutating func slowDown(at now: Timestamp) {
    fill(at: now)
    share = max(Self.smallestShare, share / 2)
    tokens = min(tokens, 0)
  }

  /// The endpoint is silent, or answers again.
  package mutating func setDown(_ down: Bool, at now: Timestamp) {
    fill(at: now)
    isDown = down
  }

  /// The endpoint answered a call.
  package mutating func recover(at now: Timestamp) {
    fill(at: now)
    share = min(1, share + Self.recovery)
  }

  /// The endpoint's sessions need this many calls per second more, or fewer.
  package mutating func change(demand change: Double, at now: Timestamp) {
    fill(at: now)
    demand = max(0, demand + change)
  }

  private mutating func fill(at now: Timestamp) {
    // A clock that was set back adds no tokens.
    let passed = max(0, now.since(filledAt))
    filledAt = now
    tokens = min(Self.burst, tokens + Double(passed) / 1_000 * rate)
  }
}
