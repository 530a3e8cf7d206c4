import VaultBytes
import VaultDatabase
import VaultModel

/// Writes ISO 8601 times by the million: the date is computed once per day, the time of day with a few divisions.
struct DayCache {
  private var day = Int64.min
  /// The bytes of `2026-11-23T`, starting with the lowest.
  private var date: (UInt64, UInt32) = (0, 0)

  mutating func append(_ milliseconds: Int64, to exporter: inout ByteBuffer) {
    let seconds = Timestamp(stored: milliseconds).seconds
    let today = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    if today != day { start(today) }
    let clock = UInt64(seconds &- today &* 86_400)
    let digits = Self.two(clock / 3_600) | Self.two(clock / 60 % 60) << 24 | Self.two(clock % 60) << 48 | Self.colons
    exporter.append(20) { place in
      place.storeBytes(of: date.0.littleEndian, as: UInt64.self)
      place.storeBytes(of: date.1.littleEndian, toByteOffset: 8, as: UInt32.self)
      place.storeBytes(of: digits.littleEndian, toByteOffset: 11, as: UInt64.self)
      place.storeBytes(of: UInt8(ascii: "Z"), toByteOffset: 19, as: UInt8.self)
    }
  }

  private mutating func start(_ today: Int64) {
    day = today
    date = (0, 0)
    for (place, byte) in Timestamp(seconds: today &* 86_400).iso8601.utf8.prefix(11).enumerated() {
      if place < 8 { date.0 |= UInt64(byte) << (8 * place) } else { date.1 |= UInt32(byte) << (8 * (place - 8)) }
    }
  }

  private static let colons = UInt64(UInt8(ascii: ":")) << 16 | UInt64(UInt8(ascii: ":")) << 40

  /// Two digits, the first in the lower byte.
  private static func two(_ number: UInt64) -> UInt64 { (48 + number / 10) | (48 + number % 10) << 8 }
}
