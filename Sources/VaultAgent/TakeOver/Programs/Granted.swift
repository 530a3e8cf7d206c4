import VaultModel
import VaultSecrets
import VaultWire

/// Granted: its profiles are in `~/.aws/config` with settings of its own, its access keys in the stores of the library `keyring`, its
/// settings in `~/.granted/config`.
struct Granted: TakeOverSource {
  func findings(_ stores: TheirStores) async throws -> [TakeOverFinding] {
    let folder = folder(stores)
    let path = stores.path ?? folder + "/config"
    let config = try Self.config(path, stores)
    let profiles = stores.sections.filter { $0.kind == .profile && Self.isOurs($0) }
    guard config != nil || !profiles.isEmpty else {
      throw TakeOverError.nothing(
        program: TakeOverProgram.granted.rawValue,
        places: ["no file \(stores.shown(path))", "no profile that names it in the AWS files"])
    }
    var sessions = SSOSessionNames(stores)
    let incomplete = config.map { Self.addSessions(of: $0, from: stores.shown(path), to: &sessions) } ?? []
    let own = profiles.map { Self.profile($0, &sessions) }
    var findings = sessions.findings + incomplete + own
    findings += try await keys(config, in: folder, stores)
    if let config { findings += Self.settings(config, from: stores.shown(path)) }
    return findings
  }

  private func folder(_ stores: TheirStores) -> String {
    let usual = stores.home + "/.granted"
    guard !stores.exists(usual), let other = stores.variable("XDG_CONFIG_HOME") else { return usual }
    return stores.absolute(other) + "/granted"
  }

  private static func config(_ path: String, _ stores: TheirStores) throws(TakeOverError) -> TOMLDocument? {
    guard let text = try stores.read(path) else { return nil }
    do { return try TOMLDocument(text) } catch {
      throw .notUnderstood(path: stores.shown(path), why: "line \(error.line) is no TOML")
    }
  }

  // MARK: profiles

  private static func isOurs(_ profile: ConfigSection) -> Bool {
    profile.settings.contains { $0.name.hasPrefix("granted_sso_") }
      // With settings of the SDKs beside its own, the profile works as it is.
      && !(profile["sso_account_id"] != nil && profile["sso_role_name"] != nil)
  }

  private static func profile(_ profile: ConfigSection, _ sessions: inout SSOSessionNames) -> TakeOverFinding {
    let origin = profile.settings.first?.origin.description ?? ""
    func none(_ why: String) -> TakeOverFinding { .none(.profile, profile.name, from: origin, why: why) }
    guard let account = profile.text("granted_sso_account_id"), let role = profile.text("granted_sso_role_name") else {
      return none("it has no granted_sso_account_id and granted_sso_role_name")
    }
    let session: String
    if let named = profile.text("sso_session") {
      session = named
    } else if let url = profile.text("granted_sso_start_url"), let region = profile.text("granted_sso_region") {
      session = sessions.name(startURL: url, region: region, from: origin)
    } else {
      return none("it has no granted_sso_start_url and granted_sso_region")
    }
    let others: [(name: String, value: String?)] = profile.settings.compactMap { setting in
      let isOwn = ["granted_", "common_fate_", "sso_"].contains { setting.name.hasPrefix($0) }
      guard !isOwn, setting.name != "credential_process", let text = setting.text else { return nil }
      return (setting.name, text)
    }
    return .section(
      .profile, profile.name,
      settings: [("sso_session", session), ("sso_account_id", account), ("sso_role_name", role)] + others,
      from: origin, replaces: true, note: "in place of the one in the file, which runs granted")
  }

  /// - Returns: what is no sign-in, with the reason.
  private static func addSessions(of config: TOMLDocument, from origin: String, to sessions: inout SSOSessionNames)
    -> [TakeOverFinding]
  {
    var names: [String] = []
    var settings: [String: [String: String]] = [:]
    for value in config.values where value.path.count > 1 && value.path[0] == "SSO" {
      let name = value.path[1]
      if settings[name] == nil { names.append(name) }
      settings[name, default: [:]][value.path.count == 3 ? value.path[2] : ""] = value.text
    }
    return names.compactMap { name in
      guard let url = settings[name]?["StartURL"], let region = settings[name]?["SSORegion"] else {
        return .none(.ssoSession, name, from: origin, why: "it has no StartURL and SSORegion")
      }
      _ = sessions.name(startURL: url, region: region, preferred: name, from: origin)
      return nil
    }
  }

  // MARK: access keys

  private func keys(_ config: TOMLDocument?, in folder: String, _ stores: TheirStores) async throws -> [TakeOverFinding] {
    let library = KeyringLibrary(
      program: TakeOverProgram.granted.rawValue,
      folder: stores.absolute(config?.text("Keyring", "FileDir") ?? folder + "/secure-storage-aws-iam-credentials"),
      collection: config?.text("Keyring", "LibSecretCollectionName") ?? "granted-aws-iam-credentials",
      passphraseVariable: "CF_KEYRING_FILE_PASSWORD", triesEmptyPassphrase: true, backend: config?.text("Keyring", "Backend"))
    let entries: [KeyringLibrary.Entry]
    do {
      entries = try await library.entries(stores) { _ in true }
    } catch TakeOverError.nothing(_, let places) {
      // Most people have no access key there.
      guard let backend = library.backend, backend != "file", backend != "secret-service" else { return [] }
      return [.none(.accessKey, backend, from: "Granted's store", why: places.last ?? "cannot be read")]
    }
    return entries.map { entry in
      let finding = entry.accessKey()
      // One store may hold sign-ins and sessions beside the keys, if a setting names one place for all.
      if case .none(let why) = finding.offer, case .success = entry.content {
        return .none(.session, entry.name, from: entry.origin, why: why)
      }
      return finding
    }
  }

  // MARK: settings

  /// What the vault has instead of Granted's settings.
  private static let instead = [
    "DefaultBrowser": "the vault opens the browser that the desktop or BROWSER names",
    "CustomBrowserPath": "the vault opens the browser that the desktop or BROWSER names",
    "CustomSSOBrowserPath": "the vault opens the browser that the desktop or BROWSER names",
    "AWSConsoleBrowserLaunchTemplate": "BROWSER may name a script that starts any browser",
    "SSOBrowserLaunchTemplate": "BROWSER may name a script that starts any browser",
    "ExportCredsToAWS": "`vault link PROFILE` keeps credentials fresh in ~/.aws/credentials",
    "ExportCredentialSuffix": "`vault link PROFILE` keeps credentials fresh in ~/.aws/credentials",
    "ExportSSOToken": "`vault login --share-token` writes the token for the AWS CLI",
    "ProfileRegistry": "registries of profiles are not followed; import their files with `vault import FILE`",
    "ProfileRegistryURLS": "registries of profiles are not followed; import their files with `vault import FILE`",
    "CredentialProcessAutoLogin": "a program that needs a sign-in is told so; `vault login` signs in",
    "DisableCredentialProcessCache": "`vault exec --refresh` gets new credentials",
    "AccessRequestURL": "access requests are not supported",
    "CommonFateDefaultSSOStartURL": "name the start URL in an sso-session",
    "CommonFateDefaultSSORegion": "name the region in an sso-session",
  ]

  private static func settings(_ config: TOMLDocument, from origin: String) -> [TakeOverFinding] {
    var seen: Set<String> = []
    return config.values.compactMap { value in
      let isTable = value.path.count > 1
      guard let name = value.path.first, name != "SSO", name != "Keyring", isTable || !["", "false"].contains(value.text),
        seen.insert(name).inserted
      else { return nil }
      return .none(.setting, name, from: origin, why: instead[name] ?? "the vault has no such setting")
    }
  }
}
