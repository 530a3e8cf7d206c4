import VaultModel

/// The `Date` header: `Mon, 23 Nov 2026 14:03:00 GMT` (RFC 9110, 5.6.7; AWS does not send the obsolete forms).
enum HTTPDate {
  static func parse(_ text: String) -> Timestamp? {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let parts = text.split(separator: " ")
    guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let month = months.firstIndex(of: String(parts[2])),
      let year = Int(parts[3])
    else {
      return nil
    }
    let clock = parts[4].split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2], (1970...9999).contains(year),
      let date = CivilDate(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
    else { return nil }
    return Timestamp(seconds: date.secondsSince1970)
  }
}
