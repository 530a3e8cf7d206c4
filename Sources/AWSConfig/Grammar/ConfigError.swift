import VaultModel

/// A problem in a config or credentials file, or in its meaning. Values are never quoted: any of them may be a secret.
public enum ConfigError: ReportableError, Sendable, Hashable {
  /// A line that cannot be read; `expected` says what should be there.
  case syntax(file: String, line: Int, expected: String)
  /// A file that cannot be read at all.
  case unreadable(file: String, problem: String)
  /// A profile that a user or another profile's setting names, and that does not exist.
  case noSuchProfile(name: String, namedAt: SettingOrigin?)
  /// A section that a setting names, and that does not exist.
  case noSuchSection(kind: SectionKind, name: String, namedAt: SettingOrigin)
  /// A setting with an invalid value.
  case invalid(setting: String, origin: SettingOrigin, expected: String)
  /// Settings of a profile that conflict or are incomplete.
  case incomplete(profile: String, origin: SettingOrigin?, problem: String, expected: String)
  /// A profile that has no settings for credentials: `[default]` often has only a region.
  case settingsOnly(profile: String, origin: SettingOrigin?)
  /// Profiles that name each other; the first is repeated at the end.
  case loop(profiles: [String], setting: String, origin: SettingOrigin?)
  /// More roles than a chain may have.
  case tooLong(profile: String, limit: Int)
  /// Too many included profiles, directly or through others, or too many settings from them.
  case includesTooMuch(profile: String, origin: SettingOrigin?, limit: String)

  public var message: String {
    switch self {
    case .syntax(let file, let line, let expected): "\(file):\(line): expected \(expected)"
    case .unreadable(let file, let problem): "\(file): \(problem)"
    case .noSuchProfile(let name, let origin): "\(Self.prefix(origin))no profile \"\(Self.short(name))\""
    case .noSuchSection(let kind, let name, let origin):
      "\(Self.prefix(origin))no section [\(kind.rawValue) \(Self.short(name))]"
    case .invalid(let setting, let origin, let expected): "\(Self.prefix(origin))\(setting) must be \(expected)"
    case .incomplete(let profile, let origin, let problem, _):
      "\(Self.prefix(origin))profile \"\(Self.short(profile))\" \(problem)"
    case .settingsOnly(let profile, let origin):
      "\(Self.prefix(origin))profile \"\(Self.short(profile))\" has settings only, no credentials"
    case .loop(let profiles, let setting, let origin):
      "\(Self.prefix(origin))\(setting) forms a cycle: \(profiles.map(Self.short).joined(separator: " → "))"
    case .tooLong(let profile, let limit): "profile \"\(Self.short(profile))\" needs a chain of more than \(limit) roles"
    case .includesTooMuch(let profile, let origin, let limit):
      "\(Self.prefix(origin))profile \"\(Self.short(profile))\" includes more than \(limit)"
    }
  }

  public var hint: String? {
    switch self {
    case .invalid(_, let origin, _) where origin == .vault: "use `vault edit` to change it"
    case .syntax, .invalid: "correct that line"
    case .unreadable(_, let problem) where problem.contains("UTF-16"):
      "save it as UTF-8 in an editor, or use `iconv -f UTF-16 -t UTF-8`"
    case .unreadable: "check the path, its owner and its permissions"
    case .noSuchProfile(_, let origin):
      origin == nil ? "`vault list` shows the profiles" : "correct the name, or add that profile"
    case .noSuchSection: "correct the name, or add that section to the config file"
    case .incomplete(_, _, _, let expected): expected
    case .settingsOnly: "add role_arn, sso_session, access keys or credential_process"
    case .loop: "give one of these profiles a source outside the cycle"
    case .tooLong: "assume the last role from a source with a shorter chain"
    case .includesTooMuch: "move the settings that these profiles share into one profile"
    }
  }

  public var exitStatus: ExitStatus { .configuration }

  var isSettingsOnly: Bool { if case .settingsOnly = self { true } else { false } }

  /// A name as messages show it. One that is invalid may be as long as a file.
  private static func short(_ name: String) -> String {
    name.utf8.count <= ConfigLimits.nameBytes ? name : String(decoding: name.utf8.prefix(80), as: UTF8.self) + "…"
  }

  /// A value kept in the vault has no line to name, and the program already prints its own name.
  private static func prefix(_ origin: SettingOrigin?) -> String {
    origin.flatMap { $0 == .vault ? nil : "\($0): " } ?? ""
  }
}

/// Something in a file that was ignored, and that the user may want to know about.
public struct ConfigWarning: Sendable, Hashable, CustomStringConvertible {
  public var file: String
  public var line: Int
  public var text: String

  public init(file: String, line: Int, text: String) {
    self.file = file
    self.line = line
    self.text = text
  }

  public var description: String { "\(file):\(line): \(text)" }
}
