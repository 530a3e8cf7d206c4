import AWSConfig
import VaultDatabase
import VaultModel

// Where a person can sign in.
extension Catalogue {
  /// - Parameter name: of an `sso-session`, of a profile that comes from one, or a start URL as older profiles say it.
  func signInPlace(named name: String, environment: [String: String]) throws -> SSOPlace {
    let resolver = resolver(environment)
    if try reader.section(.ssoSession, name) != nil { return try resolver.signInPlace(named: name) }
    if try reader.section(.profile, name) != nil { return try resolver.signInPlace(named: name) }
    // A sign-in of the older form is named for its URL.
    if let profile = try reader.profiles(ofSignIn: name).first { return try resolver.signInPlace(named: profile) }
    let names = try reader.sectionNames(.ssoSession)
    throw AgentError.unknownSignIn(name: name, suggestion: Suggestion.nearest(to: name, in: try names + reader.profileNames()))
  }

  /// The one place that there is.
  func onlySignInPlace(environment: [String: String]) throws -> SSOPlace {
    let names = try reader.signInNames()
    guard names.count == 1 else { throw AgentError.whichSignIn(names: names) }
    return try signInPlace(named: names[0], environment: environment)
  }
}
