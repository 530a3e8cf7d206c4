import AWSClient
import AWSConfig
import VaultModel
import VaultStore
import VaultWire

// The vault's own `sso-session` sections.
extension ProfileCatalog {
  /// An `sso-session` that a person asks for.
  struct WantedSignIn {
    let url: StartURL
    let region: String?
    let scopes: String?
    /// The name that the person gives.
    let name: String?
    /// The name otherwise.
    let usualName: String
  }

  /// The `sso-session` for a start URL: one that is there, from a file or the vault, or a new one of the vault. None is changed.
  func addSignIn(_ wanted: WantedSignIn, prompter: any Prompter, requester: Requester) async throws -> AddedSignIn {
    try await observeChanges(prompter, requester)
    var taken = Set(try reader.profileNames())
    var other: (name: String, region: String)?
    for name in try reader.sectionNames(.ssoSession) {
      taken.insert(name)
      guard wanted.name == nil, let known = try reader.section(.ssoSession, name), let region = known.text("sso_region"),
        let url = known.text("sso_start_url").flatMap({ StartURL($0) }), url.text == wanted.url.text
      else { continue }
      guard wanted.region == nil || wanted.region == region else {
        other = (name, region)
        continue
      }
      return AddedSignIn { ($0.name, $0.startURL, $0.region) = (name, url.text, region) }
    }
    guard let region = wanted.region else {
      return AddedSignIn { ($0.name, $0.startURL) = (wanted.name ?? wanted.usualName, wanted.url.text) }
    }
    if let name = wanted.name, taken.contains(name) { throw AgentError.profileExists(name: name) }
    let name = wanted.name ?? Self.freeName(wanted.usualName, taken)
    guard ProfileChange.isProfileName(name) else {
      throw AgentError.badRequest("invalid name: use 1 to 256 bytes, no control characters, no leading -")
    }
    let settings = [
      ("sso_start_url", wanted.url.text), ("sso_region", region),
      ("sso_registration_scopes", wanted.scopes ?? "sso:account:access"),
    ].map { Setting(name: $0.0, value: .text($0.1), origin: .vault) }
    try await write(ConfigSection(kind: .ssoSession, name: name, settings: settings), requester)
    return AddedSignIn {
      ($0.name, $0.startURL, $0.region, $0.isNew) = (name, wanted.url.text, region, true)
      ($0.other, $0.otherRegion) = (other?.name, other?.region)
    }
  }

  private static func freeName(_ name: String, _ taken: Set<String>) -> String {
    guard taken.contains(name) else { return name }
    var number = 2
    while taken.contains("\(name)-\(number)") { number += 1 }
    return "\(name)-\(number)"
  }

  /// Whether a name means a vault-managed `sso-session`, and no profile.
  func isOwnSignIn(_ name: String) async throws -> Bool {
    guard try reader.section(.profile, name) == nil else { return false }
    return try await store.ownSections().contains { $0.kind == .ssoSession && $0.name == name }
  }

  /// Changes a vault-managed `sso-session`.
  func changeSignIn(_ change: ProfileChange, prompter: any Prompter, requester: Requester) async throws {
    let section = try await proven(prompter, requester) { $0(.ssoSession, change.name) }
    let settings = try change.applied(to: section?.settings ?? [])
    let candidate = ConfigSection(kind: .ssoSession, name: change.name, settings: settings)
    let resolver = ChainResolver(lookup: { _, _ in candidate }, environment: { _ in nil })
    _ = try resolver.signInPlace(named: change.name)
    try await write(candidate, requester)
  }

  /// - Throws: if profiles sign in through it.
  func requireUnused(signIn name: String) throws {
    let users = try reader.profiles(ofSignIn: name)
    guard let first = users.first else { return }
    throw AgentError.badRequest(
      "sso-session \"\(name)\" is used by \(users.count == 1 ? "profile \"\(first)\"" : "\(users.count) profiles, such as \"\(first)\"")"
    )
  }

  func removeSignIn(_ name: String, requester: Requester) async throws {
    try await store.removeSection(.ssoSession, name, requester: requester)
    try await summarizeOwn()
    // A section of this name in a watched file, which it had hidden, is taken in with the next request.
    knownFiles = try await store.watchedFiles().map(\.asChanged)
  }

  private func write(_ section: ConfigSection, _ requester: Requester) async throws {
    try await store.putSection(section, requester: requester)
    try await summarizeOwn()
  }
}
