/// A role session name, which identifies the caller in CloudTrail.
///
/// 2 to 64 characters of `[A-Za-z0-9_+=,.@-]` (STS API, `AssumeRole`, `RoleSessionName`).
public struct RoleSessionName: Sendable, Hashable, CustomStringConvertible {
  public let text: String
  public var description: String { text }

  /// - Returns: nil for a text that STS would refuse.
  public init?(_ text: String) {
    guard (2...64).contains(text.utf8.count), text.utf8.allSatisfy(Self.allows) else { return nil }
    self.text = text
  }

  /// Makes a valid name from any text: characters that STS does not accept become `-`; the result is cut to 64 or padded to 2.
  public init(cleaning text: String) {
    var bytes = Array(
      text.unicodeScalars.lazy.map { $0.isASCII && Self.allows(UInt8($0.value)) ? UInt8($0.value) : UInt8(ascii: "-") }.prefix(64)
    )
    while bytes.count < 2 { bytes.append(UInt8(ascii: "-")) }
    self.text = String(decoding: bytes, as: UTF8.self)
  }

  /// The default name: user and host, so that CloudTrail shows both.
  public init(user: String, host: String) {
    let shortHost = host.split(separator: ".").first.map(String.init) ?? host
    self.init(cleaning: "\(user)@\(shortHost)")
  }

  /// The name of an automation run's sessions, `NAME-run_…`: no other run's sessions, and no person's, have it, so that AWS's logs and
  /// policies can tell them apart.
  ///
  /// - Parameter length: the run's name is cut to fit into it; the ID stays whole.
  public init(of run: AutomationRun, atMost length: Int = 64) {
    // An ID has 20 characters; one of a row that another program wrote may have more.
    let id = "-" + RoleSessionName(cleaning: run.run).text.prefix(24)
    self.init(cleaning: run.name.prefix(length - id.utf8.count) + id)
  }

  static func allows(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122: true
    case UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: "."), UInt8(ascii: "@"),
      UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
