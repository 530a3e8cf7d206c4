/// What the schedule keeps of a wish. Most are the same but for the profile, and ten thousand of them lie in memory once.
final class StandingWish: Sendable {
  /// As the agent has it when it renews unasked; the profile is whosoever's came first.
  let wish: Wish

  init(_ wish: Wish) { self.wish = wish.unasked }

  /// Whether another profile's wish is this one when it is renewed.
  func serves(_ other: Wish) -> Bool {
    wish.server == other.server && wish.tokenFile == other.tokenFile && wish.duration == other.duration
      && wish.region == other.region && wish.keyUse == other.keyUse
      && wish.sessionName == other.sessionName && wish.reason == other.reason && wish.environment == other.environment
  }
}
