import VaultModel

/// STS, as one account sees it: a limit to the rate that all laptops share, and spells in which it does not answer.
///
/// `@unchecked Sendable`: see ``World``.
final class Account: @unchecked Sendable {
  enum Answer {
    case session, throttled, unavailable
  }

  /// Calls that may come at once.
  private static let burst = 20.0

  private let world: World
  private let weather: Weather
  private let ledger: Ledger
  /// Calls a second, in usual times and in a crowd.
  private let rates: (usual: Double, crowd: Double)
  private var tokens: Double
  private var filledAt: Timestamp

  /// - Parameter need: calls a second that all sessions need if they are renewed in their rhythm.
  init(_ world: World, _ weather: Weather, _ ledger: Ledger, need: Double) {
    self.world = world
    self.weather = weather
    self.ledger = ledger
    // A crowd leaves less than is needed.
    rates = (need * 4, need * 0.6)
    tokens = Self.burst
    filledAt = world.now
  }

  var isUp: Bool { !weather.service.covers(world.now) }

  func call() -> Answer {
    let answer = answer()
    ledger.count(answer, at: world.now)
    return answer
  }

  private func answer() -> Answer {
    guard isUp else { return .unavailable }
    let rate = weather.crowd.covers(world.now) ? rates.crowd : rates.usual
    tokens = min(Self.burst, tokens + Double(world.now.since(filledAt)) / 1_000 * rate)
    filledAt = world.now
    guard tokens >= 1 else { return .throttled }
    tokens -= 1
    return .session
  }
}
