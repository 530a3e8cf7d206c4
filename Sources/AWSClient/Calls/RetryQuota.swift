import Synchronization

/// The SDKs' standard retry quota: retries cost tokens, successes return them, so that retries do not make an outage worse (AWS
/// SDKs and Tools Reference Guide, "Retry behavior").
package final class RetryQuota: Sendable {
  static let capacity = 500
  private let left = Mutex(RetryQuota.capacity)

  package init() {}

  /// - Returns: the tokens taken; nil if the quota is used up.
  package func consume(afterTimeout: Bool) -> Int? {
    let cost = afterTimeout ? 10 : 5
    return left.withLock { left in
      guard left >= cost else { return nil }
      left -= cost
      return cost
    }
  }

  /// A call succeeded: returns the tokens of its last retry, or one.
  package func giveBack(_ amount: Int?) {
    left.withLock { $0 = min(Self.capacity, $0 + (amount ?? 1)) }
  }

  var available: Int { left.withLock { $0 } }
}
