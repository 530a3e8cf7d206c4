/// When a person has to agree.
public enum GuardConfirmation: Sendable, Hashable, Comparable {
  case never
  /// Once in so many seconds, for one process tree.
  case every(seconds: Int)
  /// For each session.
  case always

  /// - Returns: nil for another text, and for a time that is not from a second to a week.
  init?(_ text: String) {
    switch text {
    case "never": self = .never
    case "always": self = .always
    default:
      guard let seconds = SessionDuration.seconds(text), (1...7 * 86_400).contains(seconds) else { return nil }
      self = .every(seconds: seconds)
    }
  }

  /// The less strict first.
  public static func < (one: Self, other: Self) -> Bool {
    switch (one, other) {
    case (.always, _), (_, .never): false
    case (.never, _), (_, .always): true
    case (.every(let one), .every(let other)): one > other
    }
  }

  /// Nil if a person agrees each time, or never.
  public var seconds: Int? { if case .every(let seconds) = self { seconds } else { nil } }

  public var text: String {
    switch self {
    case .never: "never"
    case .always: "always"
    case .every(let seconds) where seconds % 86_400 == 0: "\(seconds / 86_400)d"
    case .every(let seconds) where seconds % 3_600 == 0: "\(seconds / 3_600)h"
    case .every(let seconds) where seconds % 60 == 0: "\(seconds / 60)m"
    case .every(let seconds): "\(seconds)s"
    }
  }
}

/// What a process tree that acts by itself gets.
public struct GuardAutomation: Sendable, Hashable {
  public var isRefused = false
  /// Its sessions can only read.
  public var isReadOnly = false
  /// A person has to agree once for the tree, whatever the profile's own rule.
  public var isConfirmed = false

  public static let allow = GuardAutomation()
  /// Stricter than everything else together.
  public static let refuse = GuardAutomation(isRefused: true, isReadOnly: true, isConfirmed: true)

  private init(isRefused: Bool = false, isReadOnly: Bool = false, isConfirmed: Bool = false) {
    self.isRefused = isRefused
    self.isReadOnly = isReadOnly
    self.isConfirmed = isConfirmed
  }

  init?(_ text: String) {
    switch text {
    case "allow": self = .allow
    case "confirm": self.init(isConfirmed: true)
    case "read-only": self.init(isReadOnly: true)
    case "refuse": self = .refuse
    default: return nil
    }
  }

  /// The strictest of what holds.
  public var text: String { isRefused ? "refuse" : isReadOnly ? "read-only" : isConfirmed ? "confirm" : "allow" }

  func tightened(by other: GuardAutomation) -> GuardAutomation {
    GuardAutomation(
      isRefused: isRefused || other.isRefused, isReadOnly: isReadOnly || other.isReadOnly,
      isConfirmed: isConfirmed || other.isConfirmed)
  }
}

/// How a guarded profile's sessions are narrowed.
public enum GuardScope: Sendable, Hashable {
  case readOnly
  /// The absolute path of a session policy.
  case policy(file: String)
  /// Managed policies, which AWS unites: the session may do what one of them allows.
  case policyARNs([String])
  /// The setting cannot be read, and so no session is narrow enough.
  case nothing

  /// - Returns: nil for another text.
  init?(_ text: String) {
    let words = text.split { $0 == " " || $0 == "\t" || $0 == "," }.map { String($0) }
    if words == ["read-only"] {
      self = .readOnly
    } else if words.first == "policy", words.count > 1 {
      let path = text.dropFirst("policy".count).drop { $0 == " " || $0 == "\t" }
      guard path.hasPrefix("/"), path.utf8.count < 4_096 else { return nil }
      self = .policy(file: String(path))
    } else {
      // STS takes ten (`AssumeRole`, `PolicyArns`), each of 20 to 2,048 characters.
      let isFit = words.allSatisfy { $0.hasPrefix("arn:") && $0.contains(":policy/") && (20...2_048).contains($0.utf8.count) }
      guard isFit, (1...10).contains(words.count) else { return nil }
      self = .policyARNs(words)
    }
  }

  public var text: String {
    switch self {
    case .readOnly: "read-only"
    case .policy(let file): "policy \(file)"
    case .policyARNs(let arns): arns.joined(separator: " ")
    case .nothing: "nothing"
    }
  }
}

/// The programs that may get a guarded profile's credentials: absolute paths, and names, each for the files of that name in the
/// system's own folders.
public struct GuardCommands: Sendable, Hashable {
  /// In order, without duplicates.
  public let entries: [String]

  /// The folders of the programs that a name stands for. Only root can change what is in them.
  public static let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

  /// No program.
  public static let none = GuardCommands(entries: [])

  private init(entries: [String]) { self.entries = entries }

  /// - Returns: nil for an empty list, a relative path, and more than 200 entries.
  public init?(_ text: String) {
    var entries: [String] = []
    for word in text.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" }).map({ String($0) }) {
      guard word.hasPrefix("/") || !word.contains("/"), !word.hasSuffix("/"), word != ".", word != ".." else { return nil }
      if !entries.contains(word) { entries.append(word) }
    }
    guard (1...200).contains(entries.count) else { return nil }
    self.entries = entries
  }

  /// The programs in both. A path in one of the folders is within its name.
  func intersection(_ other: GuardCommands) -> GuardCommands {
    func isWithin(_ entry: String, _ list: [String]) -> Bool {
      let name = Self.name(entry)
      return list.contains(entry) || list.contains(name) && Self.folders.contains { entry == "\($0)/\(name)" }
    }
    return GuardCommands(
      entries: entries.filter { isWithin($0, other.entries) }
        + other.entries.filter { !entries.contains($0) && isWithin($0, entries) })
  }

  /// Whether a program is one of them.
  ///
  /// - Parameters:
  ///   - path: the program's file, with all links resolved; empty if it is not known.
  ///   - resolved: a path with all links resolved; nil if nothing is there.
  ///   - installed: the files that a name stands for, with all links resolved.
  public func contains(path: String, resolved: (String) -> String?, installed: (String) -> [String]) -> Bool {
    guard !path.isEmpty else { return false }
    return entries.contains { entry in
      entry.hasPrefix("/") ? entry == path || resolved(entry) == path : installed(entry).contains(path)
    }
  }

  /// The last part of a path.
  public static func name(_ path: String) -> String { path.split(separator: "/").last.map { String($0) } ?? path }
}

/// The reason that a guard rule may require.
public enum GuardReason {
  /// Whether a text has a letter or a digit: blanks, signs and characters that nobody sees are no reason.
  public static func isValid(_ text: String) -> Bool { text.contains { $0.isLetter || $0.isNumber } }
}

/// What a guard rule, or several together, demand of a request. Nothing demanded is the least strict.
public struct GuardLimits: Sendable, Hashable {
  public var confirm = GuardConfirmation.never
  /// Whether a request has to give its reason.
  public var isReasonRequired = false
  /// Whether the reason is also sent to AWS, as a session tag.
  public var isReasonTagged = false
  /// Whether the sessions of an automation run have its name and ID as session tags.
  public var isRunTagged = false
  /// Nil for any time.
  public var hours: GuardHours?
  /// Nil for any program.
  public var commands: GuardCommands?
  /// The longest session, in seconds; nil for no limit.
  public var maxDuration: Int?
  /// All of them narrow a session.
  public var scopes: [GuardScope] = []
  /// Nil if no rule says what a tree that acts by itself gets: what its run was narrowed to, else read-only sessions.
  public var automation: GuardAutomation?

  public init() {}

  /// Refuses everything.
  public static let strictest: GuardLimits = {
    var limits = GuardLimits()
    for key in GuardKey.allCases { limits.tighten(key) }
    return limits
  }()

  /// Takes the stricter value of each.
  public mutating func tighten(by other: GuardLimits) {
    confirm = max(confirm, other.confirm)
    isReasonRequired = isReasonRequired || other.isReasonRequired
    isReasonTagged = isReasonTagged || other.isReasonTagged
    isRunTagged = isRunTagged || other.isRunTagged
    hours = hours.map { mine in other.hours.map { mine.intersection($0) } ?? mine } ?? other.hours
    commands = commands.map { mine in other.commands.map { mine.intersection($0) } ?? mine } ?? other.commands
    maxDuration = maxDuration.map { min($0, other.maxDuration ?? $0) } ?? other.maxDuration
    for scope in other.scopes where !scopes.contains(scope) { scopes.append(scope) }
    if scopes.contains(.nothing) { scopes = [.nothing] }
    if let theirs = other.automation { automation = automation.map { $0.tightened(by: theirs) } ?? theirs }
  }

  /// Takes the strictest value of one setting.
  mutating func tighten(_ key: GuardKey) {
    var strictest = GuardLimits()
    switch key {
    case .confirm: strictest.confirm = .always
    case .reason: (strictest.isReasonRequired, strictest.isReasonTagged) = (true, true)
    case .hours: strictest.hours = GuardHours.none
    case .commands: strictest.commands = GuardCommands.none
    case .maxDuration: strictest.maxDuration = SessionDuration.shortest.seconds
    case .scope: strictest.scopes = [.nothing]
    case .automation: strictest.automation = .refuse
    case .runTags: strictest.isRunTagged = true
    }
    tighten(by: strictest)
  }
}

extension GuardLimits {
  /// One setting as it is shown, and as it can be written; nil if nothing is demanded.
  public func text(of key: GuardKey) -> String? {
    switch key {
    case .confirm: confirm == .never ? nil : confirm.text
    case .reason: isReasonRequired ? isReasonTagged ? "tagged" : "required" : nil
    case .hours: hours?.text
    case .commands: commands.map { $0.entries.isEmpty ? "none" : $0.entries.joined(separator: ", ") }
    case .maxDuration: maxDuration.map { $0 % 3_600 == 0 ? "\($0 / 3_600)h" : $0 % 60 == 0 ? "\($0 / 60)m" : "\($0)s" }
    case .scope: scopes.isEmpty ? nil : scopes.map(\.text).joined(separator: " and ")
    case .automation:
      automation.map { $0.isReadOnly && $0.isConfirmed && !$0.isRefused ? "read-only, and confirm" : $0.text }
    case .runTags: isRunTagged ? "yes" : nil
    }
  }
}
