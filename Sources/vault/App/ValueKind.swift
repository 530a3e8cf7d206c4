/// What a word of the command line stands for: shell completion offers the values of its kind.
indirect enum ValueKind: Sendable, Equatable {
  /// The name of a profile.
  case profile
  /// The name of an sso-session.
  case ssoSession
  /// The name of an access key in the vault.
  case accessKey
  /// The ID of a session, `ses_…`.
  case session
  case region
  case file, folder
  /// One of these words.
  case words([String])
  /// A duration, or a point in time.
  case time
  case number
  /// The name of a program.
  case program
  /// A command with its arguments, which have a completion of their own.
  case commandLine
  /// The name of a command of this program.
  case command
  /// Words that nothing is known about.
  case text
  case oneOf([ValueKind])
}

/// A positional argument.
struct ArgumentSpec: Sendable {
  /// Its name in the usage line.
  let name: String
  let kind: ValueKind
  let isOptional: Bool
  let isRepeated: Bool
  /// The switch that may stand in its place.
  let alternative: String?
  /// What happens without it, in a sentence of the help.
  let without: String?

  init(
    _ name: String, kind: ValueKind, isOptional: Bool = false, isRepeated: Bool = false, alternative: String? = nil,
    without: String? = nil
  ) {
    self.name = name
    self.kind = kind
    self.isOptional = isOptional
    self.isRepeated = isRepeated
    self.alternative = alternative
    self.without = without
  }

  /// A profile that is used: `AWS_PROFILE` names it, or the user chooses it, where the command line does not.
  static let profile = ArgumentSpec("PROFILE", kind: .profile, without: chosenWithout)
  static let chosenWithout = "Without PROFILE, AWS_PROFILE counts; without that, a terminal shows a list to choose from."

  /// The arguments as the usage line shows them: an optional one holds those that can only follow it.
  static func usage(_ arguments: ArraySlice<ArgumentSpec>) -> String {
    guard let first = arguments.first else { return "" }
    let rest = usage(arguments.dropFirst())
    var text = first.name
    if first.kind == .commandLine { text = "[--] \(text) [ARG …]" } else if first.isRepeated { text += " …" }
    if let alternative = first.alternative { text += " | --" + alternative }
    if !rest.isEmpty { text += " " + rest }
    return first.isOptional && first.kind != .commandLine ? "[\(text)]" : text
  }
}
