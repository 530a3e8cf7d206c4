/// A point in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
public struct Timestamp: Sendable, Hashable, Comparable {
  public let milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }
  public init(seconds: Int64) { self.milliseconds = seconds * 1_000 }

  /// Whole seconds since 1970, rounded down.
  public var seconds: Int64 { milliseconds >= 0 ? milliseconds / 1_000 : (milliseconds - 999) / 1_000 }

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

  public func adding(milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: self.milliseconds + milliseconds) }
  public func adding(seconds: Int64) -> Timestamp { adding(milliseconds: seconds * 1_000) }
  /// Milliseconds from `other` to this time.
  public func since(_ other: Timestamp) -> Int64 { milliseconds - other.milliseconds }
}

extension Timestamp {
  /// `2026-11-23T14:03:00Z`, as SDKs print and read an expiration (ISO 8601, whole seconds, UTC).
  public var iso8601: String {
    let date = CivilDate(secondsSince1970: seconds)
    return date.text(separators: true)
  }

  /// `20261123T140300Z`, as Signature Version 4 requires.
  public var iso8601Basic: String {
    let date = CivilDate(secondsSince1970: seconds)
    return date.text(separators: false)
  }

  /// Reads ISO 8601 with a date and a time, `Z` or an offset, and a fraction of a second of any length (cut to milliseconds).
  /// Returns nil for any other text, and for a day or time that does not exist.
  public init?(iso8601 text: String) {
    var reader = DigitReader(text)
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2), reader.skip("T") || reader.skip(" "), let hour = reader.number(2), reader.skip(":"),
      let minute = reader.number(2), reader.skip(":"), let second = reader.number(2)
    else { return nil }
    var fraction: Int64 = 0
    if reader.skip(".") || reader.skip(",") {
      guard let parsed = reader.fractionMilliseconds() else { return nil }
      fraction = parsed
    }
    guard let offset = reader.zone(), reader.atEnd,
      let date = CivilDate(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    else { return nil }
    self.init(milliseconds: (date.secondsSince1970 - Int64(offset) * 60) * 1_000 + fraction)
  }
}

/// Reads the parts of an ISO 8601 text from left to right.
private struct DigitReader {
  private var rest: Substring.UTF8View

  init(_ text: String) { rest = text[...].utf8 }

  var atEnd: Bool { rest.isEmpty }

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard let first = rest.first, first == UInt8(ascii: character) else { return false }
    rest = rest.dropFirst()
    return true
  }

  mutating func number(_ count: Int) -> Int? {
    var value = 0
    for _ in 0..<count {
      guard let byte = rest.first, (48...57).contains(byte) else { return nil }
      value = value * 10 + Int(byte - 48)
      rest = rest.dropFirst()
    }
    return value
  }

  mutating func fractionMilliseconds() -> Int64? {
    var value: Int64 = 0
    var count = 0
    while let byte = rest.first, (48...57).contains(byte) {
      if count < 3 { value = value * 10 + Int64(byte - 48) }
      count += 1
      rest = rest.dropFirst()
    }
    guard count > 0 else { return nil }
    for _ in count..<max(3, count) { value *= 10 }
    return value
  }

  /// Minutes east of UTC.
  mutating func zone() -> Int? {
    if skip("Z") || skip("z") { return 0 }
    let sign = skip("+") ? 1 : (skip("-") ? -1 : 0)
    guard sign != 0, let hours = number(2) else { return nil }
    _ = skip(":")
    guard let minutes = number(2), hours < 24, minutes < 60 else { return nil }
    return sign * (hours * 60 + minutes)
  }
}
