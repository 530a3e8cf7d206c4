/// What the schedule keeps of a wish. Most are the same but for the profile, and ten thousand of them lie in memory once.
final class RenewalTemplate: Sendable {
  /// As the agent has it when it renews unasked; the profile is whosoever's came first.
  let request: CredentialRequest

  init(_ request: CredentialRequest) { self.request = request.forRenewal }

  /// Whether another profile's wish is this one when it is renewed.
  func serves(_ other: CredentialRequest) -> Bool {
    request.server == other.server && request.tokenFile == other.tokenFile && request.duration == other.duration
      && request.region == other.region && request.keyUse == other.keyUse
      && request.sessionName == other.sessionName && request.reason == other.reason && request.environment == other.environment
  }
}
