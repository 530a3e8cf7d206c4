import AWSConfig
import VaultDatabase
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// The watched AWS files, read together: each config file with the credentials file that was imported with it.
struct ImportSources: Sendable {
  private(set) var files: [WatchedFile] = []
  private(set) var warnings: [String] = []
  private(set) var keys: [ImportedKey] = []
  private var merged: [ConfigSection] = []
  /// The skipped sections, if only the changes were read.
  private(set) var changes: ChangedSections?

  /// Reads files that are already watched. A stamp is taken before its file is read, so that a change meanwhile is seen the next
  /// time.
  init(followed: [WatchedFile]) throws {
    for pair in Self.pairs(of: followed) { try add(config: pair.config, credentials: pair.credentials, home: pair.home) }
  }

  /// Reads the changed parts of the watched files.
  ///
  /// - Returns: nil if the files must be read as a whole.
  /// - Throws: `RowsMoved` if that costs less.
  init?(changedIn followed: [WatchedFile], known: KnownSections, reader: VaultReader) throws {
    var pairs: [SharedPieces] = []
    for pair in Self.pairs(of: followed) {
      record(pair)
      let pieces = try SharedPieces(configFile: pair.config, credentialsFile: pair.credentials, home: pair.home)
      guard let pieces else { return nil }
      pairs.append(pieces)
    }
    var changes = ChangedSections(known)
    for (place, pair) in pairs.enumerated() {
      var pieces = pair
      try pair.forEachKey { key in
        guard !pairs[..<place].contains(where: { $0.contains(key) }) else { return }
        let digest = pair.digest(of: key, place: place)
        if try changes.isUnchanged(key, digest) { return }
        guard let (section, secrets) = try pieces.read(key) else { return }
        if try changes.isUnchanged(section, hasSecrets: secrets != nil) { return }
        if let secrets { add(secrets, of: key.name) }
        merged.append(section)
      }
    }
    let affected = try changes.spread(reader, from: merged)
    for name in affected {
      let key = SectionKey(.profile, name)
      guard changes.unchanged.keys.remove(key) != nil, let place = pairs.firstIndex(where: { $0.contains(key) }) else { continue }
      if let (section, _) = try pairs[place].read(key) { merged.append(section) }
    }
    self.changes = changes
  }

  private typealias Pair = (config: String?, credentials: String?, home: String?)

  private static func pairs(of followed: [WatchedFile]) -> [Pair] {
    let configs = followed.filter { $0.role == .config }
    let credentials = followed.filter { $0.role == .credentials }
    return (0..<max(configs.count, credentials.count)).map { index in
      (
        index < configs.count ? configs[index].path : nil, index < credentials.count ? credentials[index].path : nil,
        index < configs.count ? configs[index].home : credentials[index].home
      )
    }
  }

  /// These and one more import.
  func adding(_ request: ImportRequest) throws -> ImportSources {
    let known = Set(files.map(\.path))
    let config = request.config.flatMap { known.contains($0) ? nil : $0 }
    let credentials = request.credentials.flatMap { known.contains($0) ? nil : $0 }
    var all = self
    if config != nil || credentials != nil { try all.add(config: config, credentials: credentials, home: request.home) }
    return all
  }

  private mutating func add(config: String?, credentials: String?, home: String?) throws {
    record((config, credentials, home))
    let read = try SharedConfig.read(configFile: config, credentialsFile: credentials, home: home)
    warnings += read.warnings.map(\.description)
    let known = Set(merged.map { SectionKey($0) })
    for section in read.sections {
      guard !known.contains(SectionKey(section)) else {
        warnings.append(
          "\(section.settings.first?.origin.description ?? section.name): \"\(section.name)\" is already defined in a file imported earlier, which takes precedence"
        )
        continue
      }
      merged.append(section)
    }
    for (profile, secrets) in read.secrets where !known.contains(SectionKey(.profile, profile)) { add(secrets, of: profile) }
  }

  private mutating func record(_ pair: Pair) {
    for (path, role) in [(pair.config, WatchedFile.Role.config), (pair.credentials, .credentials)] {
      if let path { files.append(WatchedFile(path: path, role: role, home: pair.home, identity: FileIdentity(path: path))) }
    }
  }

  private mutating func add(_ secrets: ProfileSecrets, of profile: String) {
    guard let id = secrets.accessKeyId, !id.isEmpty, let secret = secrets.secretAccessKey, secret.count > 0 else { return }
    if let fault = secrets.fault(of: profile) {
      warnings.append(fault.description)
      return
    }
    keys.append(
      ImportedKey(
        profile: profile,
        credential: Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: secrets.sessionToken, expiresAt: nil),
        origin: secrets.origin.file))
  }

  /// The files that have keys in plain text.
  var keyFiles: [String] { Set(keys.map(\.origin)).sorted() }

  /// The sections, including the keys that the vault holds for profiles whose plain text has gone from the files.
  func sections(holding keys: [AccessKeyRecord]) -> [ConfigSection] {
    var sections = merged
    var places: [String: Int] = [:]
    if !keys.isEmpty {
      for (place, section) in sections.enumerated() where section.kind == .profile { places[section.name] = place }
    }
    for key in keys {
      if let index = places[key.name] {
        KeySettings.add(key, to: &sections[index])
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

  /// Whether a vault-managed profile has only a key: `access-key add` has made it.
  static func isStub(_ section: ConfigSection, _ keys: [AccessKeyRecord]) -> Bool {
    section.kind == .profile && keys.contains { $0.name == section.name }
      && section.settings.allSatisfy { names.contains($0.name) || $0.name == "mfa_serial" }
  }

  /// Adds the setting for a key that the vault holds, if the file has none.
  static func add(_ key: AccessKeyRecord, to section: inout ConfigSection) {
    if section.text("aws_access_key_id") == nil { section.settings += make(key) }
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
