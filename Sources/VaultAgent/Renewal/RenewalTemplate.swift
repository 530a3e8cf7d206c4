/// The part of a request that the schedule keeps. Most requests differ only in the profile, so ten thousand of them share one
/// template.
final class RenewalTemplate: Sendable {
  /// The request for a renewal by the agent; the profile is that of the first request.
  let request: CredentialRequest

  init(_ request: CredentialRequest) { self.request = request.forRenewal }

  /// Whether a renewal of another profile's request can use this template.
  func serves(_ other: CredentialRequest) -> Bool {
    request.server == other.server && request.tokenFile == other.tokenFile && request.duration == other.duration
      && request.region == other.region && request.keyUse == other.keyUse
      && request.sessionName == other.sessionName && request.reason == other.reason && request.environment == other.environment
      && request.scope == other.scope && request.role == other.role && request.run == other.run
  }
}
