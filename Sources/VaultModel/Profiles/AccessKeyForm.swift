/// The form of an access key, whether typed, read from a file or issued by AWS.
public enum AccessKeyForm {
  /// 16 to 128 letters, digits and underscores (STS API, `Credentials`).
  public static func isId(_ text: some Collection<UInt8>) -> Bool {
    (16...128).contains(text.count)
      && text.allSatisfy { (97...122).contains($0 | 0x20) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }
  }

  /// Whether the key in a file is plausible. Stand-ins for AWS (LocalStack, moto) accept keys as short as `test`. Quotes, brackets
  /// and blanks, which guides put around examples, are invalid. A key that begins as AWS's do must have their length.
  public static func isPlain(id: some Collection<UInt8>, secret: some Collection<UInt8>) -> Bool {
    let isWhole = isId(id) || !(id.starts(with: "AKIA".utf8) || id.starts(with: "ASIA".utf8))
    return isWhole && (1...128).contains(id.count) && (1...256).contains(secret.count)
      && id.allSatisfy { (97...122).contains($0 | 0x20) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }
      && secret.allSatisfy { (33...126).contains($0) && !"\"'`<>".utf8.contains($0) }
  }

  /// AWS secret keys have 40 characters of Base64. Quotes and brackets, which forms and guides put around examples, are invalid.
  public static func isSecret(_ text: some Collection<UInt8>) -> Bool {
    (16...256).contains(text.count)
      && text.allSatisfy { (33...126).contains($0) && !"\"'`<>".utf8.contains($0) }
  }
}
