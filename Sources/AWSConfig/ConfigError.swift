import VaultModel

/// What can be wrong with an AWS config file, or with a profile in it.
public enum ConfigError: ReportableError, Hashable {
  /// The file's grammar: where, and what was expected there. The line itself is never quoted, since it may hold a secret.
  case syntax(file: String, line: Int, expected: String)
  case unreadable(file: String, why: String)
  /// A profile's setting: where, and what is wrong with it.
  case setting(profile: String, name: String, at: SettingOrigin, problem: String)
  /// A profile that leads nowhere.
  case profile(name: String, problem: String)
  /// The profiles of a loop, the first one again at the end.
  case cycle([String])

  public var message: String {
    switch self {
    case .syntax(let file, let line, let expected): "\(file):\(line): expected \(expected)"
    case .unreadable(let file, let why): "\(file): \(why)"
    case .setting(let profile, let name, let origin, let problem): "\(origin): profile \"\(profile)\": \(name) \(problem)"
    case .profile(let name, let problem): "profile \"\(name)\" \(problem)"
    case .cycle(let names): "the source profiles go in a circle: \(names.joined(separator: " → "))"
    }
  }

  public var hint: String? {
    switch self {
    case .syntax: "mend the line; nothing was taken from the file"
    case .cycle: "one of them must have an identity of its own (keys, SSO, …)"
    case .profile(let name, _): "`vault show \(name)` says what the profile has"
    default: nil
    }
  }

  public var exitStatus: ExitStatus { .configuration }
}

/// Something in a file that has no effect, and is shown rather than dropped in silence.
public struct ConfigWarning: Sendable, Hashable {
  public let file: String
  public let line: Int
  public let text: String

  public init(file: String, line: Int, text: String) {
    self.file = file
    self.line = line
    self.text = text
  }

  public var description: String { "\(file):\(line): \(text)" }
}
