import VaultModel
import VaultSecrets

/// One section while it is being read.
struct SectionBuilder {
  let kind: SectionKind
  let name: String
  /// The line of the first header.
  let line: Int
  private(set) var settings: [Setting] = []
  /// By the setting's name.
  private(set) var secretBytes: [String: SecretBytes] = [:]
  /// Filled only if a linear search would be slow.
  private var positions: [String: Int] = [:]

  init(kind: SectionKind, name: String, line: Int) {
    self.kind = kind
    self.name = name
    self.line = line
  }

  /// Adds a setting; a later one replaces an earlier one of the same name.
  /// - Returns: its position.
  @discardableResult
  mutating func put(_ setting: Setting, secret: SecretBytes? = nil) -> Int {
    if SecretName.contains(setting.name) { secretBytes[setting.name] = secret }
    if let position = position(setting.name) {
      settings[position] = setting
      return position
    }
    settings.append(setting)
    if settings.count == 24 {
      for (index, setting) in settings.enumerated() { positions[setting.name] = index }
    } else if settings.count > 24 {
      positions[setting.name] = settings.count - 1
    }
    return settings.count - 1
  }

  /// Drops the bytes of a secret; its setting stays, so that its origin can still be shown.
  mutating func dropSecret(_ name: String) { secretBytes[name] = nil }

  /// Changes the value of the setting at `position`, which continues on further lines.
  mutating func continueValue(at position: Int, _ change: (inout SettingValue) -> Void) { change(&settings[position].value) }

  /// Merges the same section of the other file, whose settings win.
  mutating func merge(_ other: SectionBuilder) {
    for setting in other.settings { put(setting, secret: other.secretBytes[setting.name]) }
  }

  var section: ConfigSection { ConfigSection(kind: kind, name: name, settings: settings) }

  /// Nil if the section holds no secret.
  var secrets: ProfileSecrets? {
    guard kind == .profile, !secretBytes.isEmpty else { return nil }
    let section = self.section
    let token = secretBytes["aws_session_token"] ?? secretBytes["aws_security_token"]
    let origin = SecretName.all.lazy.filter { secretBytes[$0] != nil }.compactMap { section[$0]?.origin }.first
    return ProfileSecrets(
      accessKeyId: section.text("aws_access_key_id"), secretAccessKey: secretBytes["aws_secret_access_key"], sessionToken: token,
      origin: origin ?? .vault)
  }

  private func position(_ name: String) -> Int? {
    settings.count < 24 ? settings.firstIndex { $0.name == name } : positions[name]
  }
}

/// The sections of one file, or of both, in order of first appearance.
struct SectionTable {
  private struct Key: Hashable {
    var kind: SectionKind
    var name: String
    var bare: Bool
  }

  private(set) var sections: [SectionBuilder] = []
  private var indexes: [Key: Int] = [:]

  /// The position of the section; a new one is added.
  mutating func open(_ kind: SectionKind, _ name: String, bare: Bool, line: Int) -> Int {
    let key = Key(kind: kind, name: name, bare: bare)
    if let index = indexes[key] { return index }
    sections.append(SectionBuilder(kind: kind, name: name, line: line))
    indexes[key] = sections.count - 1
    return sections.count - 1
  }

  mutating func withSection<Result>(_ index: Int, _ body: (inout SectionBuilder) -> Result) -> Result { body(&sections[index]) }

  /// Drops `[default]` if there is a `[profile default]`.
  /// - Returns: the line of the dropped section.
  mutating func resolveDefault() -> Int? {
    guard let bare = indexes[Key(kind: .profile, name: "default", bare: true)] else { return nil }
    let kept = indexes[Key(kind: .profile, name: "default", bare: false)]
    let line = sections[bare].line
    if kept != nil { sections.remove(at: bare) }
    indexes.removeAll(keepingCapacity: true)
    for (index, section) in sections.enumerated() { indexes[Key(kind: section.kind, name: section.name, bare: false)] = index }
    return kept == nil ? nil : line
  }

  /// Merges the other file's sections over these. Both tables must be resolved.
  mutating func merge(_ other: SectionTable) {
    for section in other.sections {
      let index = open(section.kind, section.name, bare: false, line: section.line)
      sections[index].merge(section)
    }
  }
}
