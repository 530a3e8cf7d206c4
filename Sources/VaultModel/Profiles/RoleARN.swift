/// A parsed IAM role ARN.
///
/// `arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME`, 20 to 2,048 characters (STS API, `AssumeRole`, `RoleArn`). A path has printable characters
/// of ASCII, a name letters, digits and `_+=,.@-` (IAM API, `CreateRole`, `Path` and `RoleName`).
public struct RoleARN: Sendable, Hashable, CustomStringConvertible {
  public let text: String
  /// `aws`, `aws-cn`, `aws-us-gov`, …
  public let partition: String
  /// Twelve digits.
  public let account: String
  /// The last part of the path.
  public let name: String

  public var description: String { text }

  /// - Returns: nil if the text is not a role ARN.
  public init?(_ text: String) {
    let bytes = text.utf8
    guard (20...2_048).contains(bytes.count), bytes.allSatisfy({ (33...126).contains($0) }) else { return nil }
    let parts = bytes.split(separator: UInt8(ascii: ":"), maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0].elementsEqual("arn".utf8), parts[1].starts(with: "aws".utf8),
      parts[2].elementsEqual("iam".utf8), parts[3].isEmpty, parts[4].count == 12,
      parts[4].allSatisfy({ (48...57).contains($0) }), parts[5].starts(with: "role/".utf8),
      let slash = parts[5].lastIndex(of: UInt8(ascii: "/"))
    else { return nil }
    let name = parts[5][parts[5].index(after: slash)...]
    guard !name.isEmpty, name.allSatisfy(Self.isOfName) else { return nil }
    self.text = text
    partition = String(Substring(parts[1]))
    account = String(Substring(parts[4]))
    self.name = String(Substring(name))
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...122).contains(byte | 0x20) || "_+=,.@-".utf8.contains(byte)
  }
}
