/// The requested duration of a session.
///
/// STS accepts 900 to 43,200 seconds for a role, and at most 3,600 if the caller's own credentials are temporary (IAM User Guide,
/// "Role chaining"). The session of a long-term key may last up to 129,600 seconds.
public struct SessionDuration: Sendable, Hashable {
  public let seconds: Int

  /// The default of STS.
  public static let `default` = SessionDuration(unchecked: 3_600)
  /// The least that STS accepts.
  public static let shortest = SessionDuration(unchecked: 900)
  /// The limit for a role assumed with temporary credentials.
  public static let chainedLimit = SessionDuration(unchecked: 3_600)

  /// Twelve hours: the default of `GetSessionToken`.
  public static let workingDay = SessionDuration(unchecked: 43_200)

  private init(unchecked seconds: Int) { self.seconds = seconds }

  /// - Parameter ofKeys: whether it may be the session of a long-term key.
  /// - Returns: nil outside 900 to 43,200, or 900 to 129,600 for keys.
  public init?(seconds: Int, ofKeys: Bool = false) {
    guard (900...(ofKeys ? 129_600 : 43_200)).contains(seconds) else { return nil }
    self.seconds = seconds
  }

  /// Reads `3600`, `45m`, `1h`, `1h30m`, `90s`. Nil for another text or outside the range.
  public init?(text: String) {
    guard let seconds = Self.seconds(text) else { return nil }
    self.init(seconds: seconds)
  }

  /// Reads a duration (`90`, `90s`, `45m`, `2h`, `3d`, `1h30m`) as seconds. A bare number is seconds.
  public static func seconds(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 16 else { return nil }
    var total = 0
    var number: Int?
    for byte in text.utf8 {
      if (48...57).contains(byte) {
        number = (number ?? 0) * 10 + Int(byte - 48)
        guard number! <= 1_000_000_000 else { return nil }
        continue
      }
      let unit: Int
      switch byte {
      case UInt8(ascii: "s"): unit = 1
      case UInt8(ascii: "m"): unit = 60
      case UInt8(ascii: "h"): unit = 3_600
      case UInt8(ascii: "d"): unit = 86_400
      default: return nil
      }
      guard let value = number else { return nil }
      total += value * unit
      number = nil
    }
    if let value = number {
      guard total == 0 else { return nil }
      total = value
    }
    return total
  }

  /// Whether a role can have this duration.
  public var isForRole: Bool { seconds <= Self.workingDay.seconds }

  /// This duration, capped at the limit for a role if temporary credentials sign the call.
  public func limited(chained: Bool) -> SessionDuration { chained && seconds > 3_600 ? .chainedLimit : self }
}
