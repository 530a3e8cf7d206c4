/// What an access key looks like, be it typed, read from a file, or issued by AWS.
public enum AccessKeyForm {
  /// 16 to 128 letters, digits and underscores (STS API, `Credentials`).
  public static func isId(_ text: some Collection<UInt8>) -> Bool {
    (16...128).contains(text.count)
      && text.allSatisfy { (97...122).contains($0 | 0x20) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }
  }

  /// Whether a file's key is one at all: what stands in for AWS (LocalStack, moto) takes keys as short as `test`. Quotes, brackets and
  /// blanks, with which a guide surrounds its examples, are in none, and what begins as AWS's do is as long as those.
  public static func isPlain(id: some Collection<UInt8>, secret: some Collection<UInt8>) -> Bool {
    let isWhole = isId(id) || !(id.starts(with: "AKIA".utf8) || id.starts(with: "ASIA".utf8))
    return isWhole && (1...128).contains(id.count) && (1...256).contains(secret.count)
      && id.allSatisfy { (97...122).contains($0 | 0x20) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }
      && secret.allSatisfy { (33...126).contains($0) && !"\"'`<>".utf8.contains($0) }
  }

  /// AWS's have 40 characters of Base64. Quotes and brackets are in none: they are what a form or a guide has around its example.
  public static func isSecret(_ text: some Collection<UInt8>) -> Bool {
    (16...256).contains(text.count)
      && text.allSatisfy { (33...126).contains($0) && !"\"'`<>".utf8.contains($0) }
  }
}
