import VaultModel

/// The codes that an MFA device shows (RFC 6238 with SHA-1, steps of 30 seconds and six digits).
enum TimedCode {
  /// The code of one step.
  static func code(seed: [UInt8], step: Int64) -> String {
    let counter = (0..<8).map { UInt8(truncatingIfNeeded: step >> (56 - 8 * Int64($0))) }
    let mac = SHA1.authenticationCode(key: seed, counter)
    let offset = Int(mac[19] & 15)
    let number = mac[offset..<(offset + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    let digits = String(number % 1_000_000)
    return String(repeating: "0", count: 6 - digits.count) + digits
  }

  /// The step whose code this is: the present one, or a neighbour of it, since a device's clock is not AWS's.
  static func step(of code: String, seed: [UInt8], at now: Timestamp) -> Int64? {
    let present = now.seconds / 30
    return [present, present - 1, present + 1].first { self.code(seed: seed, step: $0) == code }
  }

  /// Base 32 (RFC 4648), with or without padding; nil for another text.
  static func seed(base32 text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var buffer: UInt32 = 0
    var bits = 0
    for letter in text.utf8 where letter != UInt8(ascii: "=") {
      let value: UInt8
      switch letter {
      case 65...90: value = letter - 65
      case 97...122: value = letter - 97
      case 50...55: value = letter - 24
      default: return nil
      }
      buffer = (buffer << 5 | UInt32(value)) & 0xffff
      bits += 5
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
      }
    }
    return bytes
  }
}
