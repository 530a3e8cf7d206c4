import Glibc
import VaultModel

/// Times for a user, in the machine's time zone.
enum TimeText {
  /// `14:03` today, `Nov 22 14:03` this year, `2025-11-22 14:03` before.
  static func local(_ moment: Timestamp?, now: Timestamp) -> String {
    guard let moment else { return "-" }
    let then = parts(moment)
    let today = parts(now)
    let clock = two(then.tm_hour) + ":" + two(then.tm_min)
    if then.tm_year == today.tm_year, then.tm_yday == today.tm_yday { return clock }
    if then.tm_year == today.tm_year { return months[Int(then.tm_mon) % 12] + " " + two(then.tm_mday) + " " + clock }
    return "\(then.tm_year + 1900)-" + two(then.tm_mon + 1) + "-" + two(then.tm_mday) + " " + clock
  }

  /// `in 42m`, `in 3h 05m`, `12m ago`, `now`.
  static func relative(_ moment: Timestamp?, now: Timestamp) -> String {
    guard let moment else { return "-" }
    let seconds = moment.since(now) / 1_000
    if abs(seconds) < 1 { return "now" }
    let text = length(seconds: abs(seconds))
    return seconds > 0 ? "in \(text)" : "\(text) ago"
  }

  static func length(seconds: Int64) -> String {
    if seconds < 60 { return "\(seconds)s" }
    if seconds < 3_600 { return "\(seconds / 60)m" }
    if seconds < 86_400 { return "\(seconds / 3_600)h " + two(Int32(seconds / 60 % 60)) + "m" }
    return "\(seconds / 86_400)d"
  }

  /// Parses a time as a user writes it: ISO 8601, a date, a duration before now (`2h`, `3d`), `today`, `yesterday`.
  static func moment(_ text: String, now: Timestamp) -> Timestamp? {
    if let moment = Timestamp(iso8601: text) { return moment }
    if text == "now" { return now }
    if text == "today" || text == "yesterday" {
      var day = parts(now)
      day.tm_hour = 0
      day.tm_min = 0
      day.tm_sec = 0
      if text == "yesterday" { day.tm_mday -= 1 }
      day.tm_isdst = -1
      return Timestamp(seconds: Int64(mktime(&day)))
    }
    if let seconds = SessionDuration.seconds(text) { return now.adding(seconds: -Int64(seconds)) }
    guard text.utf8.count == 10, let midnight = Timestamp(iso8601: text + "T00:00:00Z") else { return nil }
    var day = tm()
    var whole = time_t(midnight.seconds)
    gmtime_r(&whole, &day)
    day.tm_isdst = -1
    return Timestamp(seconds: Int64(mktime(&day)))
  }

  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  private static func parts(_ moment: Timestamp) -> tm {
    var result = tm()
    var whole = time_t(moment.seconds)
    localtime_r(&whole, &result)
    return result
  }

  private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
