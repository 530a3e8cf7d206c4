/// The origin of a value: a file and a line, or the vault itself.
public struct SettingOrigin: Sendable, Hashable, CustomStringConvertible {
  /// The path as the user knows it (`~/.aws/config`), or `vault` for values kept in the vault.
  public var file: String
  /// 1 for the first line; 0 if there are no lines.
  public var line: Int

  public init(file: String, line: Int) {
    self.file = file
    self.line = line
  }

  /// A value kept in the vault.
  public static let vault = SettingOrigin(file: "vault", line: 0)

  public var description: String { line > 0 ? "\(file):\(line)" : file }
}

/// A value of a setting: a text, or sub-settings (`s3 =` and indented lines).
public enum SettingValue: Sendable, Hashable {
  case text(String)
  case nested([NestedSetting])
}

/// One line of a nested value.
public struct NestedSetting: Sendable, Hashable {
  /// In lower case.
  public var name: String
  public var value: String

  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// One `key = value` and its origin.
public struct Setting: Sendable, Hashable {
  /// In lower case: keys are case-insensitive.
  public var name: String
  public var value: SettingValue
  public var origin: SettingOrigin

  public init(name: String, value: SettingValue, origin: SettingOrigin) {
    self.name = name
    self.value = value
    self.origin = origin
  }

  /// The value, if it is plain text.
  public var text: String? { if case .text(let text) = value { text } else { nil } }
}

/// The kind of a section.
public enum SectionKind: String, Sendable, Hashable {
  case profile
  case ssoSession = "sso-session"
  case services
}

/// A section as the SDKs understand it: both files merged, the last duplicate wins.
public struct ConfigSection: Sendable, Hashable {
  public var kind: SectionKind
  public var name: String
  /// In order of first appearance, each name once.
  public var settings: [Setting]

  public init(kind: SectionKind, name: String, settings: [Setting]) {
    self.kind = kind
    self.name = name
    self.settings = settings
  }

  public subscript(_ name: String) -> Setting? { settings.first { $0.name == name } }
  /// The plain text of a setting; nil if it is missing or empty (the SDKs treat an empty value as missing).
  public func text(_ name: String) -> String? {
    guard let text = self[name]?.text, !text.isEmpty else { return nil }
    return text
  }
}

/// Identifies a section.
public struct SectionKey: Hashable, Sendable {
  public let kind: SectionKind
  public let name: String

  public init(_ kind: SectionKind, _ name: String) {
    self.kind = kind
    self.name = name
  }

  public init(_ section: ConfigSection) { self.init(section.kind, section.name) }
}
