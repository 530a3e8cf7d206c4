import VaultBytes
import VaultModel
import VaultSecrets
import VaultWire

/// aws-sso-cli: its sign-ins and roles are in a file of YAML, and in profiles of `~/.aws/config` that run it.
struct AWSSSO: TakeOverSource {
  func findings(_ stores: TheirStores) async throws -> [TakeOverFinding] {
    let usual = stores.home + "/.aws-sso"
    let folder =
      stores.exists(usual) ? usual : stores.absolute(stores.variable("XDG_CONFIG_HOME") ?? "~/.config") + "/aws-sso"
    let path = stores.path ?? stores.absolute(stores.variable("AWS_SSO_CONFIG") ?? folder + "/config.yaml")
    guard let text = try stores.read(path) else {
      throw TakeOverError.nothing(
        program: TakeOverProgram.awsSSO.rawValue, places: ["no file \(stores.shown(path))"])
    }
    let config: YAMLDocument
    do { config = try YAMLDocument(text) } catch {
      throw TakeOverError.notUnderstood(path: stores.shown(path), why: "line \(error.line) has \(error.why)")
    }
    var roles = Roles(config, origin: stores.shown(path), stores)
    for profile in stores.sections where profile.kind == .profile { roles.add(profile) }
    roles.addConfigured()
    var findings = roles.findings
    if stores.exists(folder + "/secure") {
      findings += roles.sessionNames.map {
        .none(.signIn, $0, from: stores.shown(folder + "/secure"), why: "`vault login \(ShellText.word($0))` signs in")
      }
    }
    return findings + Self.settings(config, from: stores.shown(path))
  }

  /// What the vault has instead of its settings.
  private static let instead = [
    "UrlAction": "the vault opens the browser that the desktop or BROWSER names; --no-browser shows the URL",
    "AuthUrlAction": "the vault opens the browser that the desktop or BROWSER names; --no-browser shows the URL",
    "Browser": "BROWSER names the browser", "UrlExecCommand": "BROWSER may name a script that starts any browser",
    "AuthWorkflow": "`vault login --device` signs in with a code",
    "SecureStore": "`vault master-key status` shows the vault's store",
    "AutoLogin": "a program that needs a sign-in is told so; `vault login` signs in",
  ]

  /// Settings that were read, or only tune what the vault does by itself.
  private static let silent: Set<String> = [
    "SSOConfig", "DefaultRegion", "ProfileFormat", "DefaultSSO", "CacheRefresh", "Threads", "MaxRetry", "MaxBackoff",
    "AutoConfigCheck", "LogLevel", "LogLines", "ConfigProfilesBinaryPath", "ConfigProfilesUrlAction",
  ]

  private static func settings(_ config: YAMLDocument, from origin: String) -> [TakeOverFinding] {
    config.entries.compactMap { entry in
      guard !silent.contains(entry.name), entry.value != .text("") else { return nil }
      return .none(.setting, entry.name, from: origin, why: instead[entry.name] ?? "the vault has no such setting")
    }
  }
}

/// The roles of aws-sso-cli, from its profiles and its configuration, and the profiles that they become.
private struct Roles {
  private struct Key: Hashable {
    let sso: String
    let account: String
    let role: String
  }

  /// What the configuration says of a role.
  private struct Configured {
    var profile: String?
    var region: String?
    var via: String?
    var sourceIdentity: String?
  }

  private let origin: String
  private let format: ProfileFormat
  private let defaultSSO: String
  private let defaultRegion: String?
  /// The start URL, region and `DefaultRegion` of each sign-in, in the order of the file.
  private var places: [(name: String, startURL: String, region: String, defaultRegion: String?)] = []
  private var configured: [(key: Key, role: Configured)] = []
  /// The name of the profile for each role.
  private var names: [Key: String] = [:]
  private var sessions: SSOSessionNames
  private(set) var sessionNames: [String] = []
  private var made: [TakeOverFinding] = []

  var findings: [TakeOverFinding] { sessions.findings + made }

  init(_ config: YAMLDocument, origin: String, _ stores: TheirStores) {
    self.origin = origin
    sessions = SSOSessionNames(stores)
    format = ProfileFormat(config.text("ProfileFormat"))
    defaultRegion = config.text("DefaultRegion")
    let all = config["SSOConfig"]?.entries ?? []
    defaultSSO = config.text("DefaultSSO") ?? (all.contains { $0.name == "Default" } ? "Default" : all.first?.name ?? "Default")
    for entry in all {
      guard let url = entry.value.text("StartUrl"), let region = entry.value.text("SSORegion") else {
        made.append(.none(.ssoSession, entry.name, from: origin, why: "it has no StartUrl and SSORegion"))
        continue
      }
      places.append((entry.name, url, region, entry.value.text("DefaultRegion")))
      // Its own default name says nothing.
      sessionNames.append(
        sessions.name(startURL: url, region: region, preferred: entry.name == "Default" ? nil : entry.name, from: origin))
      for account in entry.value["Accounts"]?.entries ?? [] { add(account, of: entry.name) }
    }
  }

  private mutating func add(_ account: YAMLDocument.Entry, of sso: String) {
    // A number that YAML writes without its zeros.
    guard (1...12).contains(account.name.utf8.count), account.name.utf8.allSatisfy({ (48...57).contains($0) }) else {
      made.append(.none(.profile, account.name, from: origin, why: "it is not the number of an account"))
      return
    }
    let number = String(repeating: "0", count: 12 - account.name.utf8.count) + account.name
    for role in account.value["Roles"]?.entries ?? [] {
      let found = Configured(
        profile: role.value.text("Profile"), region: role.value.text("DefaultRegion") ?? account.value.text("DefaultRegion"),
        via: role.value.text("Via"), sourceIdentity: role.value.text("SourceIdentity"))
      configured.append((Key(sso: sso, account: number, role: role.name), found))
    }
  }

  // MARK: profiles that run it

  /// Takes a profile whose `credential_process` is aws-sso-cli; leaves any other.
  mutating func add(_ profile: ConfigSection) {
    guard let command = profile.text("credential_process"), let words = try? ShellWords.split(command),
      words[0].split(separator: "/").last == "aws-sso", words.contains("process")
    else { return }
    let origin = profile.settings.first?.origin.description ?? ""
    func option(_ names: String...) -> String? {
      for (place, word) in words.enumerated() {
        if names.contains(word), place + 1 < words.count { return words[place + 1] }
        for name in names where name.hasPrefix("--") && word.hasPrefix(name + "=") {
          return String(word.dropFirst(name.count + 1))
        }
      }
      return nil
    }
    let sso = option("-S", "--sso") ?? defaultSSO
    let key: Key
    if let arn = option("-a", "--arn").flatMap({ RoleARN($0) }) {
      key = Key(sso: sso, account: arn.account, role: arn.name)
    } else if let account = option("-A", "--account"), let role = option("-R", "--role") {
      key = Key(sso: sso, account: String(repeating: "0", count: max(0, 12 - account.utf8.count)) + account, role: role)
    } else {
      made.append(.none(.profile, profile.name, from: origin, why: "its credential_process names no role by --arn"))
      return
    }
    if names[key] == nil { names[key] = profile.name }
    let others: [(name: String, value: String?)] = profile.settings.compactMap { setting in
      setting.name == "credential_process" ? nil : setting.text.map { (setting.name, $0) }
    }
    make(
      profile.name, key, as: configured.first { $0.key == key }?.role, settings: others, from: origin, replaces: true,
      note: "in place of the one in the file, which runs aws-sso")
  }

  // MARK: roles of the configuration

  mutating func addConfigured() {
    for (key, role) in configured where names[key] == nil {
      names[key] = role.profile ?? format.name(sso: key.sso, account: key.account, role: key.role)
    }
    for (key, role) in configured {
      guard let name = names[key], !made.contains(where: { $0.kind == .profile && $0.name == name }) else { continue }
      let place = places.first { $0.name == key.sso }
      let region = role.region ?? place?.defaultRegion ?? defaultRegion ?? place?.region
      make(name, key, as: role, settings: [("region", region)], from: origin, note: role.profile == nil ? format.note : nil)
    }
  }

  private mutating func make(
    _ name: String, _ key: Key, as role: Configured?, settings others: [(name: String, value: String?)], from origin: String,
    replaces: Bool = false, note: String?
  ) {
    guard let place = places.first(where: { $0.name == key.sso }) else {
      made.append(.none(.profile, name, from: origin, why: "the configuration has no SSO instance \"\(key.sso)\""))
      return
    }
    var settings: [(name: String, value: String?)]
    if let via = role?.via {
      guard let arn = RoleARN(via) else {
        made.append(.none(.profile, name, from: origin, why: "its Via is not the ARN of a role"))
        return
      }
      let source = source(Key(sso: key.sso, account: arn.account, role: arn.name), place.region)
      settings = [
        ("role_arn", "arn:\(arn.partition):iam::\(key.account):role/\(key.role)"), ("source_profile", source),
        ("source_identity", role?.sourceIdentity),
      ]
    } else {
      let session = sessions.name(startURL: place.startURL, region: place.region, from: origin)
      settings = [("sso_session", session), ("sso_account_id", key.account), ("sso_role_name", key.role)]
    }
    settings += others
    made.append(.section(.profile, name, settings: settings, from: origin, replaces: replaces, note: note))
  }

  /// The profile of a role through which another is assumed; a new one if nothing else names it.
  private mutating func source(_ key: Key, _ region: String) -> String {
    if let name = names[key] { return name }
    let role = configured.first { $0.key == key }?.role
    let name = role?.profile ?? format.name(sso: key.sso, account: key.account, role: key.role)
    names[key] = name
    // A role of the configuration gets its own turn.
    if role == nil { make(name, key, as: nil, settings: [("region", region)], from: origin, note: nil) }
    return name
  }
}

/// `ProfileFormat`, a template of Go, as far as it only puts names together.
private struct ProfileFormat {
  private static let usual = "{{ .AccountIdPad }}:{{ .RoleName }}"
  private let pieces: [(text: String, variable: String)]
  private let end: String
  /// For the profiles that are not named as before.
  let note: String?

  init(_ template: String?) {
    if let (pieces, end) = Self.parse(template ?? Self.usual) {
      (self.pieces, self.end, note) = (pieces, end, nil)
    } else {
      let (pieces, end) = Self.parse(Self.usual) ?? ([], "")
      (self.pieces, self.end) = (pieces, end)
      note = "named by the default ProfileFormat, since yours computes"
    }
  }

  /// - Returns: nil for what is more than variables.
  private static func parse(_ template: String) -> (pieces: [(text: String, variable: String)], end: String)? {
    var pieces: [(text: String, variable: String)] = []
    var text = ""
    var rest = template[...]
    while let character = rest.first {
      guard rest.hasPrefix("{{") else {
        text.append(character)
        rest.removeFirst()
        continue
      }
      rest.removeFirst(2)
      let inside = rest.prefix { $0 != "}" }
      rest = rest[inside.endIndex...]
      guard rest.hasPrefix("}}") else { return nil }
      rest.removeFirst(2)
      let words = inside.split(separator: " ").filter { $0 != "-" }.map(String.init)
      let variable = words == ["AccountIdStr", ".AccountId"] ? ".AccountIdPad" : words.first ?? ""
      guard words.count == 1 || variable == ".AccountIdPad",
        [".AccountIdPad", ".AccountId", ".RoleName", ".SSO"].contains(variable)
      else { return nil }
      pieces.append((text, variable))
      text = ""
    }
    return (pieces, text)
  }

  func name(sso: String, account: String, role: String) -> String {
    pieces.reduce(into: "") { name, piece in
      name += piece.text
      switch piece.variable {
      case ".AccountIdPad": name += account
      case ".AccountId": name += String(account.drop { $0 == "0" })
      case ".RoleName": name += role
      default: name += sso
      }
    } + end
  }
}
