/// The pattern of a `[guard GLOB]` section, for a profile's name or a role's ARN: `*` stands for any text, `?` for one byte.
///
/// ASCII letters match in either case: a rule for `prod` must not miss a profile that somebody named `Prod`.
public struct GuardGlob: Sendable, Hashable {
  /// The pattern as written.
  public let text: String
  private let bytes: [UInt8]

  /// Matches everything.
  public static let all = GuardGlob(unchecked: "*")

  private init(unchecked text: String) {
    self.text = text
    bytes = text.utf8.map(Self.folded)
  }

  /// - Returns: nil for an empty pattern, one longer than 2,048 bytes, and one in which other tools' wildcards (`[a-z]`, `{a,b}`,
  ///   `!a`) or several patterns may be meant.
  public init?(_ text: String) {
    guard (1...2_048).contains(text.utf8.count), !text.hasPrefix("!"),
      !text.utf8.contains(where: { "[]{},\\".utf8.contains($0) || $0 < 0x20 || $0 == 0x7F })
    else { return nil }
    self.init(unchecked: text)
  }

  /// Whether it can only match a role's ARN.
  public var isForRoles: Bool { bytes.starts(with: "arn:".utf8) }

  /// Whether the whole text matches. The time is at most the product of both lengths, whatever the pattern: after a mismatch, only
  /// the last `*` takes another byte.
  public func matches(_ text: String) -> Bool {
    let text = text.utf8.map(Self.folded)
    var (place, at) = (0, 0)
    var star: (place: Int, at: Int)?
    while at < text.count {
      if place < bytes.count, bytes[place] == UInt8(ascii: "*") {
        star = (place, at)
        place += 1
      } else if place < bytes.count, bytes[place] == UInt8(ascii: "?") || bytes[place] == text[at] {
        place += 1
        at += 1
      } else if let last = star {
        star = (last.place, last.at + 1)
        (place, at) = (last.place + 1, last.at + 1)
      } else {
        return false
      }
    }
    return bytes[place...].allSatisfy { $0 == UInt8(ascii: "*") }
  }

  private static func folded(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte + 32 : byte }
}
