import VaultModel
import VaultSecrets

/// Which of AWS's two files a text is: their section headers differ.
public enum ConfigFileKind: Sendable {
  case config, credentials
}

/// A section as one file has it, before the files are merged.
struct ParsedSection {
  let kind: SectionKind
  let name: String
  var settings: [ParsedSetting] = []
  /// `[profile default]`, which wins over `[default]`.
  var hasPrefix: Bool
}

/// A setting as it is read. A secret's bytes never become a `String`.
struct ParsedSetting {
  var setting: Setting
  var secret: SecretBytes?
}

/// Parses one file, as the SDKs do (facts, "Shared config and credentials files").
struct ConfigParser {
  static let longestName = 256
  static let secretNames: Set<String> = ["aws_secret_access_key", "aws_session_token"]
  static let secretText = "‹secret›"

  private let file: String
  private let kind: ConfigFileKind
  private(set) var sections: [ParsedSection] = []
  private(set) var warnings: [ConfigWarning] = []
  private var index: [SectionName: Int] = [:]
  /// Where the next setting goes; nil within a section that is ignored.
  private var current: Int?
  private var isInSection = false
  private var lastSetting: Int?

  private struct SectionName: Hashable {
    let kind: SectionKind
    let name: String
    let hasPrefix: Bool
  }

  init(file: String, kind: ConfigFileKind) {
    self.file = file
    self.kind = kind
  }

  mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(ConfigError) {
    var lines = LineScanner(bytes)
    while let line = lines.next() {
      let content = line.trimmed
      guard let first = content.first else { continue }
      if UnsafeRawBufferPointer.isBlank(line[0]), isInSection {
        // Within a setting that goes on, comments are text; before the first one they are comments.
        if lastSetting == nil, first == 0x23 || first == 0x3B { continue }
        try continueSetting(content, lines.number)
      } else if first == 0x23 || first == 0x3B {
        continue
      } else if first == 0x5B {
        try header(content, lines.number)
      } else {
        try setting(content, lines.number)
      }
    }
  }

  private func expected(_ what: String, _ line: Int) -> ConfigError { .syntax(file: file, line: line, expected: what) }

  private mutating func warn(_ line: Int, _ text: String) {
    if warnings.count < 1_000 { warnings.append(ConfigWarning(file: file, line: line, text: text)) }
  }

  // MARK: [section]

  private mutating func header(_ content: UnsafeRawBufferPointer, _ line: Int) throws(ConfigError) {
    guard let close = content.firstIndex(of: 0x5D) else { throw expected("a ] at the end of the section's name", line) }
    let rest = UnsafeRawBufferPointer(rebasing: content[(close + 1)...]).trimmed
    guard rest.isEmpty || rest[0] == 0x23 || rest[0] == 0x3B else { throw expected("nothing but a comment after ]", line) }
    let inside = UnsafeRawBufferPointer(rebasing: content[1..<close]).trimmed
    isInSection = true
    current = nil
    lastSetting = nil
    guard let section = sectionName(inside, line) else { return }
    if let known = index[section] {
      current = known
      return
    }
    index[section] = sections.count
    current = sections.count
    sections.append(ParsedSection(kind: section.kind, name: section.name, hasPrefix: section.hasPrefix))
  }

  /// What a header names; nil, with a warning, for what is ignored with all it holds.
  private mutating func sectionName(_ inside: UnsafeRawBufferPointer, _ line: Int) -> SectionName? {
    guard inside.count <= Self.longestName + 64 else {
      warn(line, "a section's name of \(inside.count) bytes is too long; the section has no effect")
      return nil
    }
    let blank = inside.firstIndex { UnsafeRawBufferPointer.isBlank($0) }
    let word = UnsafeRawBufferPointer(rebasing: inside[..<(blank ?? inside.count)]).text
    let rest = blank.map { UnsafeRawBufferPointer(rebasing: inside[$0...]).trimmed }
    let kinds: [String: SectionKind] = ["profile": .profile, "sso-session": .ssoSession, "services": .services]
    if kind == .credentials {
      if blank != nil, kinds[word] != nil {
        warn(line, "[\(inside.text)] has no effect in the credentials file; there a profile is [NAME]")
        return nil
      }
      return checked(.profile, inside, hasPrefix: false, line)
    }
    if let rest, let section = kinds[word] { return checked(section, rest, hasPrefix: true, line) }
    if blank == nil, word == "default" { return SectionName(kind: .profile, name: "default", hasPrefix: false) }
    warn(line, "[\(inside.text)] is no section of the config file (write [profile \(inside.text)]); it has no effect")
    return nil
  }

  private mutating func checked(_ kind: SectionKind, _ raw: UnsafeRawBufferPointer, hasPrefix: Bool, _ line: Int) -> SectionName? {
    var name = raw
    // The CLI takes names in quotes.
    if name.count >= 2, let quote = name.first, quote == 0x22 || quote == 0x27, name[name.count - 1] == quote {
      name = UnsafeRawBufferPointer(rebasing: name[1..<name.count - 1])
    }
    let others: Set<UInt8> = [0x5F, 0x2E, 0x2F, 0x25, 0x40, 0x3A, 0x2B, 0x2D]
    guard !name.isEmpty, name.count <= Self.longestName,
      name.allSatisfy({ (97...122).contains($0 | 0x20) || (48...57).contains($0) || others.contains($0) })
    else {
      warn(line, "\"\(name.text.prefix(80))\" is no name for a \(kind.rawValue); the section has no effect")
      return nil
    }
    return SectionName(kind: kind, name: name.text, hasPrefix: hasPrefix)
  }

  // MARK: key = value

  private mutating func setting(_ content: UnsafeRawBufferPointer, _ line: Int) throws(ConfigError) {
    guard let equals = content.firstIndex(of: 0x3D) else { throw expected("[section] or key = value", line) }
    let key = UnsafeRawBufferPointer(rebasing: content[..<equals]).trimmed
    guard !key.isEmpty else { throw expected("a key before the =", line) }
    guard isInSection else { throw expected("a [section] before the first key", line) }
    guard key.count <= Self.longestName else { throw expected("a key of \(Self.longestName) bytes at most", line) }
    lastSetting = nil
    guard let current else { return }
    let name = key.text.lowercased()
    let value = UnsafeRawBufferPointer(rebasing: content[(equals + 1)...]).withoutComment
    let isSecret = Self.secretNames.contains(name) && sections[current].kind == .profile
    let parsed = ParsedSetting(
      setting: Setting(name: name, value: .text(isSecret ? Self.secretText : value.text), origin: SettingOrigin(file: file, line: line)),
      secret: isSecret ? SecretBytes(copying: value) : nil)
    if let known = sections[current].settings.firstIndex(where: { $0.setting.name == name }) {
      sections[current].settings[known] = parsed
      lastSetting = known
    } else {
      lastSetting = sections[current].settings.count
      sections[current].settings.append(parsed)
    }
  }

  /// An indented line: more of the value above, or a line of a nested one where that value is empty.
  private mutating func continueSetting(_ content: UnsafeRawBufferPointer, _ line: Int) throws(ConfigError) {
    guard let current else { return }
    guard let lastSetting else { throw expected("a key = value above an indented line", line) }
    var parsed = sections[current].settings[lastSetting]
    guard parsed.secret == nil else { throw expected("a secret on one line", line) }
    switch parsed.setting.value {
    case .text(let text) where text.isEmpty: parsed.setting.value = .nested([try nested(content, line)])
    case .text(let text):
      guard text.utf8.count < 1 << 16 else { throw expected("a value of 64 KiB at most", line) }
      parsed.setting.value = .text(text + "\n" + content.text)
    case .nested(let lines):
      guard lines.count < 1_000 else { throw expected("1,000 lines of a nested setting at most", line) }
      let new = try nested(content, line)
      parsed.setting.value = .nested(lines.filter { $0.name != new.name } + [new])
    }
    sections[current].settings[lastSetting] = parsed
  }

  private func nested(_ content: UnsafeRawBufferPointer, _ line: Int) throws(ConfigError) -> NestedSetting {
    guard let equals = content.firstIndex(of: 0x3D), equals > 0 else { throw expected("key = value in a nested setting", line) }
    let name = UnsafeRawBufferPointer(rebasing: content[..<equals]).trimmed.text.lowercased()
    return NestedSetting(name: name, value: UnsafeRawBufferPointer(rebasing: content[(equals + 1)...]).withoutComment.text)
  }
}
