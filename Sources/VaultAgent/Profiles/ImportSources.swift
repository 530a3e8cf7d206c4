import AWSConfig
import VaultDatabase
import VaultModel
import VaultSecrets
import VaultStore

/// The AWS files that are followed, read together: each config file with the credentials file that was imported beside it.
struct ImportSources: Sendable {
  private(set) var files: [WatchedFile] = []
  private(set) var warnings: [String] = []
  private(set) var keys: [ImportedKey] = []
  private var merged: [ConfigSection] = []

  /// Reads files that are followed already. A stamp is taken before its file is read, so that a change meanwhile is seen the next time.
  init(followed: [WatchedFile]) throws {
    let configs = followed.filter { $0.role == .config }
    let credentials = followed.filter { $0.role == .credentials }
    for index in 0..<max(configs.count, credentials.count) {
      try add(
        config: index < configs.count ? configs[index].path : nil,
        credentials: index < credentials.count ? credentials[index].path : nil,
        home: index < configs.count ? configs[index].home : credentials[index].home)
    }
  }

  /// These and one import more.
  func adding(_ request: ImportRequest) throws -> ImportSources {
    let known = Set(files.map(\.path))
    let config = request.config.flatMap { known.contains($0) ? nil : $0 }
    let credentials = request.credentials.flatMap { known.contains($0) ? nil : $0 }
    var all = self
    if config != nil || credentials != nil { try all.add(config: config, credentials: credentials, home: request.home) }
    return all
  }

  private mutating func add(config: String?, credentials: String?, home: String?) throws {
    for (path, role) in [(config, WatchedFile.Role.config), (credentials, .credentials)] {
      if let path { files.append(WatchedFile(path: path, role: role, home: home, stamp: FileIdentity(path: path))) }
    }
    let read = try SharedConfig.read(configFile: config, credentialsFile: credentials, home: home)
    warnings += read.warnings.map(\.description)
    let known = Set(merged.map { SectionKey($0) })
    for section in read.sections {
      guard !known.contains(SectionKey(section)) else {
        warnings.append(
          "\(section.settings.first?.origin.description ?? section.name): \"\(section.name)\" stands in a file imported before, which counts"
        )
        continue
      }
      merged.append(section)
    }
    for (profile, secrets) in read.secrets {
      guard let id = secrets.accessKeyId, !id.isEmpty, let secret = secrets.secretAccessKey, secret.count > 0,
        !known.contains(SectionKey(.profile, profile))
      else { continue }
      if let fault = secrets.fault(of: profile) {
        warnings.append(fault.description)
        continue
      }
      keys.append(
        ImportedKey(
          profile: profile,
          credential: Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: secrets.sessionToken, expiresAt: nil),
          origin: secrets.origin.file))
    }
  }

  /// The files that hold keys in plain text.
  var keyFiles: [String] { Set(keys.map(\.origin)).sorted() }

  /// The sections, and with them the keys that the vault holds for profiles whose plain text has gone from the files.
  func sections(holding keys: [AccessKeyRecord]) -> [ConfigSection] {
    var sections = merged
    for key in keys {
      if let index = sections.firstIndex(where: { $0.kind == .profile && $0.name == key.name }) {
        if sections[index].text("aws_access_key_id") == nil { sections[index].settings += KeySettings.make(key) }
      } else if key.origin != SettingOrigin.vault.file {
        sections.append(ConfigSection(kind: .profile, name: key.name, settings: KeySettings.make(key)))
      }
    }
    return sections
  }
}

/// The settings by which a profile says that the vault holds its access key.
enum KeySettings {
  static let names: Set<String> = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]

  /// Whether a profile of the vault's own says nothing but that there is a key: `access-key add` has made it.
  static func isStub(_ section: ConfigSection, _ keys: [AccessKeyRecord]) -> Bool {
    section.kind == .profile && keys.contains { $0.name == section.name }
      && section.settings.allSatisfy { names.contains($0.name) || $0.name == "mfa_serial" }
  }

  static func make(_ key: AccessKeyRecord) -> [Setting] { make(accessKeyId: key.accessKeyId, mfaSerial: key.mfaSerial) }

  static func make(accessKeyId: String, mfaSerial: String?) -> [Setting] {
    var settings = [
      Setting(name: "aws_access_key_id", value: .text(accessKeyId), origin: .vault),
      Setting(name: "aws_secret_access_key", value: .text("‹secret›"), origin: .vault),
    ]
    if let mfaSerial { settings.append(Setting(name: "mfa_serial", value: .text(mfaSerial), origin: .vault)) }
    return settings
  }
}
