import AWSConfig
import VaultDatabase
import VaultModel

// Places for signing in.
extension ProfileCatalog {
  /// - Parameter name: the name of an `sso-session`, or of a profile that uses one; or a start URL, as in older profiles.
  func signInPlace(
    named name: String, environment: [String: String], _ prompter: any Prompter, _ requester: Requester
  ) async throws -> SSOSessionConfig {
    if try reader.section(.ssoSession, name) != nil || reader.section(.profile, name) != nil {
      return try await resolved(environment, prompter: prompter, requester: requester) { try $0.signInPlace(named: name) }
    }
    // A sign-in of the older form is named after its URL.
    if let profile = try reader.profiles(ofSignIn: name).first {
      let place = try await resolved(environment, prompter: prompter, requester: requester) { try $0.signInPlace(named: profile) }
      if place.name == name { return place }
    }
    let names = try reader.sectionNames(.ssoSession)
    throw AgentError.unknownSignIn(name: name, suggestion: Suggestion.nearest(to: name, in: try names + reader.profileNames()))
  }

  /// The sign-in place, if there is only one.
  func onlySignInPlace(environment: [String: String], _ prompter: any Prompter, _ requester: Requester) async throws
    -> SSOSessionConfig
  {
    let names = try reader.signInNames()
    guard names.count == 1 else { throw AgentError.whichSignIn(names: names) }
    return try await signInPlace(named: names[0], environment: environment, prompter, requester)
  }
}
