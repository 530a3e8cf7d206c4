/// The name of an IAM role, parsed.
///
/// `arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME`, 20 to 2,048 characters (STS API, `AssumeRole`, `RoleArn`).
public struct RoleARN: Sendable, Hashable, CustomStringConvertible {
  public let text: String
  /// `aws`, `aws-cn`, `aws-us-gov`, …
  public let partition: String
  /// Twelve digits.
  public let account: String
  /// The last part of the path.
  public let name: String

  public var description: String { text }

  /// - Returns: nil for what is not the ARN of a role.
  public init?(_ text: String) {
    guard (20...2_048).contains(text.utf8.count) else { return nil }
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "iam", parts[3].isEmpty,
      parts[4].utf8.count == 12, parts[4].utf8.allSatisfy({ (48...57).contains($0) }), parts[5].hasPrefix("role/"),
      text.utf8.allSatisfy({ (33...126).contains($0) }),
      let name = parts[5].split(separator: "/", omittingEmptySubsequences: false).last,
      !name.isEmpty
    else { return nil }
    self.text = text
    partition = String(parts[1])
    account = String(parts[4])
    self.name = String(name)
  }
}
