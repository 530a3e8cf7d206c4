/// When the vault locks automatically: the setting `lock_after`.
///
/// `15m idle` counts from the last request, `12h` from the unlock; both may be given, separated by a blank or a comma. `never`
/// means neither.
public struct LockRule: Sendable, Hashable {
  /// Seconds without a request; nil for no limit.
  public var idle: Int?
  /// Seconds since the unlock; nil for no limit.
  public var life: Int?

  public static let never = LockRule()

  private init() {}

  /// - Returns: nil if the rule is invalid. The shortest time is a minute, the longest 30 days.
  public init?(_ text: String) {
    var words = text.split { $0 == " " || $0 == "," || $0 == "\t" }[...]
    if words == ["never"] { return }
    guard !words.isEmpty else { return nil }
    while let word = words.popFirst() {
      guard let seconds = SessionDuration.seconds(String(word)), (60...30 * 86_400).contains(seconds) else { return nil }
      if words.first == "idle" {
        words.removeFirst()
        guard idle == nil else { return nil }
        idle = seconds
      } else {
        guard life == nil else { return nil }
        life = seconds
      }
    }
  }

  /// When the vault is to be locked, and why; nil for never.
  ///
  /// - Parameters:
  ///   - unlockedAt: when the key was fetched.
  ///   - usedAt: when the last request was made.
  public func due(unlockedAt: Timestamp, usedAt: Timestamp) -> (at: Timestamp, cause: LockCause)? {
    let ends = [
      idle.map { (max(unlockedAt, usedAt).adding(seconds: Int64($0)), LockCause.idle) },
      life.map { (unlockedAt.adding(seconds: Int64($0)), LockCause.life) },
    ].compactMap { $0 }
    return ends.min { $0.0 < $1.0 }.map { (at: $0.0, cause: $0.1) }
  }
}

/// Why the vault was locked without a command; the row's `detail`.
public enum LockCause: String, Sendable, CaseIterable {
  case idle
  case life = "lock_after is over"
  case screen = "the screen was locked"
  case suspend = "the machine went to sleep"
  case logout = "the last login session ended"
}

/// The login events that lock the vault: the setting `lock_on`.
public struct LockEvents: Sendable, Hashable {
  public let causes: Set<LockCause>
  public static let none = LockEvents(causes: [])
  private static let names: [String: LockCause] = ["screen": .screen, "suspend": .suspend, "logout": .logout]

  private init(causes: Set<LockCause>) { self.causes = causes }

  /// - Parameter text: any of `screen`, `suspend`, `logout`, separated by blanks or commas; `none` alone.
  /// - Returns: nil for another text.
  public init?(_ text: String) {
    let words = text.split { $0 == " " || $0 == "," }.map(String.init)
    if words == ["none"] {
      causes = []
      return
    }
    let known = words.compactMap { Self.names[$0] }
    guard !words.isEmpty, known.count == words.count else { return nil }
    causes = Set(known)
  }
}
