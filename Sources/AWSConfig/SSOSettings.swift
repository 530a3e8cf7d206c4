import VaultModel

/// The two ways in which a profile names its place in IAM Identity Center.
enum SSOSettings {
  static func identity(_ profile: ProfileSettings, lookup: (SectionKind, String) -> ConfigSection?) throws(ConfigError) -> IdentityLink {
    let account = profile.text("sso_account_id")
    let role = profile.text("sso_role_name")
    let sessionName = profile.text("sso_session")
    var startURL = profile.text("sso_start_url")
    var region = profile.text("sso_region")
    if let sessionName {
      guard let session = lookup(.ssoSession, sessionName) else {
        throw profile.wrong("sso_session", "names [sso-session \(sessionName)], which is not there")
      }
      for (name, own) in [("sso_start_url", startURL), ("sso_region", region)] {
        if let own, own != session.text(name) { throw profile.wrong(name, "says something else than [sso-session \(sessionName)]") }
      }
      startURL = session.text("sso_start_url")
      region = session.text("sso_region")
    }
    let missing = [("sso_start_url", startURL), ("sso_region", region), ("sso_account_id", account), ("sso_role_name", role)]
      .filter { $0.1 == nil }.map(\.0)
    guard let account, let role, let startURL, let region else {
      throw .profile(name: profile.name, problem: "lacks \(missing.joined(separator: ", ")) for IAM Identity Center")
    }
    return .sso(profile: profile.name, accountId: account, roleName: role, startURL: startURL, region: region, session: sessionName)
  }
}
