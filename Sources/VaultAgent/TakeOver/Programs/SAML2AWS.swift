import AWSConfig
import VaultModel
import VaultWire

/// saml2aws: its accounts at identity providers are in a file of the same syntax as `~/.aws/credentials`.
///
/// The vault does not sign in to identity providers: saml2aws goes on doing that, as a profile's `credential_process`, and the vault
/// keeps its sessions.
struct SAML2AWS: TakeOverSource {
  func findings(_ stores: TheirStores) async throws -> [TakeOverFinding] {
    let other = stores.path ?? stores.variable("SAML2AWS_CONFIGFILE")
    let path = stores.absolute(other ?? "~/.saml2aws")
    guard stores.exists(path) else {
      throw TakeOverError.nothing(
        program: TakeOverProgram.saml2aws.rawValue, places: ["no file \(stores.shown(path))"])
    }
    let accounts = try SharedConfig.read(configFile: nil, credentialsFile: path, home: stores.home).sections
    let profiles = accounts.compactMap { $0.text("aws_profile") }
    return accounts.map { account in
      let origin = account.settings.first?.origin.description ?? stores.shown(path)
      // Most accounts name the default profile.
      let named = account.text("aws_profile").flatMap { name in
        ["saml", "default"].contains(name) || profiles.count { $0 == name } > 1 ? nil : name
      }
      let name = named ?? account.name
      guard account.text("role_arn") != nil else {
        return .none(.profile, name, from: origin, why: "it has no role_arn, so saml2aws asks for the role each time")
      }
      guard account.name.utf8.allSatisfy({ (33...126).contains($0) && !#"'"\"#.utf8.contains($0) }) else {
        return .none(.profile, name, from: origin, why: "the name of the account cannot be passed to saml2aws")
      }
      let words = ["saml2aws", "login", "--credential-process", "--skip-prompt", "--quiet", "--idp-account=\(account.name)"]
      let config = other == nil ? [] : ["'--config=\(path)'"]
      // What it writes to the credentials file itself.
      let known = stores.known[SectionKey(.profile, name)]
      return .section(
        .profile, name,
        settings: [("credential_process", (words + config).joined(separator: " ")), ("region", account.text("region"))],
        from: origin, replaces: known?.section["x_security_token_expires"] != nil,
        note:
          "runs saml2aws to sign in\(account.text("provider").map { " to \($0)" } ?? ""), with the password that saml2aws keeps")
    }
  }
}
