/// A short identifier that users can quote, such as `ses_3k9f2m7q5x8d`.
public enum Identifier {
  private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

  /// A new identifier: the prefix and 16 characters of Crockford's base 32, 80 random bits from the kernel.
  public static func make(_ prefix: String) -> String {
    var generator = SystemRandomNumberGenerator()
    let high = generator.next()
    let low = generator.next()
    var bytes = Array(prefix.utf8)
    bytes.append(UInt8(ascii: "_"))
    for shift in 0..<12 { bytes.append(alphabet[Int((high >> UInt64(shift * 5)) & 31)]) }
    for shift in 0..<4 { bytes.append(alphabet[Int((low >> UInt64(shift * 5)) & 31)]) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A new external ID for the trust policy of a role: 128 random bits from the kernel, so that nobody guesses another's.
  public static func externalId() -> String {
    var generator = SystemRandomNumberGenerator()
    return [generator.next(), generator.next()].map { (bits: UInt64) in
      let digits = String(bits, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
