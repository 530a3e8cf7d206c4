import VaultBytes

/// The settings of a `[guard GLOB]` section.
public enum GuardKey: String, Sendable, CaseIterable {
  case confirm, reason, hours, commands
  case maxDuration = "max_duration"
  case scope, automation
  case runTags = "run_tags"

  /// The valid values, in words.
  public var values: String {
    switch self {
    case .confirm: "always, never, or a time from 1s to 7d, such as 15m"
    case .reason: "required, optional or tagged"
    case .hours: "days and times, such as mon-fri 08:00-18:00"
    case .commands: "names of installed programs or absolute paths, separated by commas"
    case .maxDuration: "a time from 15m to 12h"
    case .scope: "read-only, policy with an absolute path, or at most ten ARNs of policies"
    case .automation: "refuse, read-only, confirm or allow"
    case .runTags: "yes or no"
    }
  }
}

/// A part of the settings that cannot be understood, and so guards everything that it could mean.
public struct GuardFault: Sendable, Hashable, CustomStringConvertible {
  public let origin: SettingOrigin
  public let text: String

  public init(_ text: String, at origin: SettingOrigin) {
    self.text = text
    self.origin = origin
  }

  public var description: String { "\(origin): \(text)" }
}

/// One `[guard GLOB]` section.
public struct GuardRule: Sendable, Hashable {
  /// The section as written, without its brackets: `guard prod-*`. The file's name, if the whole file is meant.
  public let section: String
  public let origin: SettingOrigin
  public let glob: GuardGlob
  public private(set) var limits = GuardLimits()
  public private(set) var faults: [GuardFault] = []
  /// The line of each setting.
  private var lines: [GuardKey: SettingOrigin] = [:]

  public init(section: String, origin: SettingOrigin, glob: GuardGlob) {
    self.section = section
    self.origin = origin
    self.glob = glob
  }

  /// A rule for a file that cannot be read: it guards everything.
  public init(unreadable fault: GuardFault) {
    self.init(section: fault.origin.file, origin: fault.origin, glob: .all)
    block(fault)
  }

  /// Adds a fault whose meaning is known to be only what the rule says.
  public mutating func note(_ fault: GuardFault) { faults.append(fault) }

  /// Adds a fault that could mean anything.
  public mutating func block(_ fault: GuardFault) {
    faults.append(fault)
    limits.tighten(by: .strictest)
    for key in GuardKey.allCases where lines[key] == nil { lines[key] = fault.origin }
  }

  /// Reads one setting. One that is there twice holds in its stricter value.
  public mutating func read(_ name: String, _ value: String, at origin: SettingOrigin) {
    guard let key = GuardKey(rawValue: name) else {
      let meant = Suggestion.nearest(to: name, in: GuardKey.allCases.map(\.rawValue)).map { "; did you mean \($0)?" } ?? ""
      return block(GuardFault("unknown setting\(meant)", at: origin))
    }
    var read = GuardLimits()
    guard Self.put(value, of: key, into: &read) else {
      faults.append(GuardFault("\(name) must be \(key.values)", at: origin))
      limits.tighten(key)
      lines[key] = origin
      return
    }
    limits.tighten(by: read)
    if lines[key] == nil { lines[key] = origin }
  }

  private static func put(_ value: String, of key: GuardKey, into limits: inout GuardLimits) -> Bool {
    switch key {
    case .confirm:
      guard let confirm = GuardConfirmation(value) else { return false }
      limits.confirm = confirm
    case .reason:
      guard ["required", "optional", "tagged"].contains(value) else { return false }
      limits.isReasonRequired = value != "optional"
      limits.isReasonTagged = value == "tagged"
    case .hours:
      guard let hours = GuardHours(value) else { return false }
      limits.hours = hours
    case .commands:
      guard let commands = GuardCommands(value) else { return false }
      limits.commands = commands
    case .maxDuration:
      guard let duration = SessionDuration(text: value) else { return false }
      limits.maxDuration = duration.seconds
    case .scope:
      guard let scope = GuardScope(value) else { return false }
      limits.scopes = [scope]
    case .automation:
      guard let automation = GuardAutomation(value) else { return false }
      limits.automation = automation
    case .runTags:
      guard ["yes", "no"].contains(value) else { return false }
      limits.isRunTagged = value == "yes"
    }
    return true
  }

  /// Whether a setting has its strictest value because its line cannot be understood.
  public func isFault(_ key: GuardKey) -> Bool { faults.contains { $0.origin == line(of: key) } }

  /// The line that sets a value, or the section's if it does not.
  public func line(of key: GuardKey) -> SettingOrigin { lines[key] ?? origin }
}
