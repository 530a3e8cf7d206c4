import Glibc
import VaultModel

/// A number of a condition: "an integer or decimal value" (IAM User Guide, "IAM JSON policy elements: Condition operators").
struct ConditionNumber {
  private let whole: Int64?
  private let value: Double

  init?(_ text: String) {
    // `Double` also reads "nan", "infinity" and hexadecimal.
    guard text.utf8.allSatisfy({ (48...57).contains($0) || "+-.eE".utf8.contains($0) }), let value = Double(text) else {
      return nil
    }
    self.value = value
    whole = Int64(text)
  }

  static func == (a: Self, b: Self) -> Bool {
    if let first = a.whole, let second = b.whole { first == second } else { a.value == b.value }
  }

  static func < (a: Self, b: Self) -> Bool {
    if let first = a.whole, let second = b.whole { first < second } else { a.value < b.value }
  }
}

extension Timestamp {
  /// Reads a date of a condition: a W3C form of ISO 8601, from the year alone to a fraction of a second, or seconds since 1970.
  init?(condition text: String) {
    switch text.utf8.count {
    case 4 where text.utf8.allSatisfy { $0 != UInt8(ascii: "-") }: self.init(iso8601: text + "-01-01T00:00:00Z")
    case 7 where text.contains("-"): self.init(iso8601: text + "-01T00:00:00Z")
    case 10 where text.contains("-"): self.init(iso8601: text + "T00:00:00Z")
    default:
      // Beyond, milliseconds would not fit.
      if let seconds = Int64(text), seconds.magnitude < 1 << 50 {
        self.init(seconds: seconds)
      } else {
        // "YYYY-MM-DDThh:mmTZD" has no seconds.
        let hasSeconds = text.dropFirst(16).first == ":"
        self.init(iso8601: hasSeconds ? text : text.prefix(16) + ":00" + text.dropFirst(16))
      }
    }
  }
}

/// An address of IPv4 or IPv6, or a range of them in CIDR notation.
struct AddressRange {
  private let bytes: [UInt8]
  private let prefix: Int

  /// An address alone is a range of its own.
  init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let bytes = Self.address(String(parts[0])) else { return nil }
    self.bytes = bytes
    guard parts.count == 2 else {
      prefix = bytes.count * 8
      return
    }
    guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let prefix = Int(parts[1]),
      prefix <= bytes.count * 8
    else { return nil }
    self.prefix = prefix
  }

  private static func address(_ text: String) -> [UInt8]? {
    // A C string would end at a NUL.
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = [UInt8](repeating: 0, count: count)
      if inet_pton(family, text, &bytes) == 1 { return bytes }
    }
    return nil
  }

  func contains(_ other: AddressRange) -> Bool {
    guard bytes.count == other.bytes.count, prefix <= other.prefix else { return false }
    let (whole, rest) = (prefix / 8, prefix % 8)
    guard bytes[..<whole] == other.bytes[..<whole] else { return false }
    return rest == 0 || (bytes[whole] ^ other.bytes[whole]) >> (8 - rest) == 0
  }
}
