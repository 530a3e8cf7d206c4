import Glibc
import Testing
import VaultModel

/// The suite changes the process's time zone, which nothing else in this target reads.
@Suite("The hours of a guarded profile", .serialized)
struct GuardHoursTests {
  private func at(_ utc: String, zone: String = "UTC") -> Timestamp {
    setenv("TZ", zone, 1)
    return Timestamp(iso8601: utc)!
  }

  @Test("a range includes its first minute and excludes its last")
  func ends() throws {
    let hours = try #require(GuardHours("mon-fri 08:00-18:00"))
    #expect(!hours.contains(at("2026-11-23T07:59:59Z")) && hours.contains(at("2026-11-23T08:00:00Z")))
    #expect(hours.contains(at("2026-11-23T17:59:59Z")) && !hours.contains(at("2026-11-23T18:00:00Z")))
    #expect(hours.contains(at("2026-11-27T12:00:00Z")) && !hours.contains(at("2026-11-28T12:00:00Z")))
  }

  @Test("a range over midnight ends on the next day, and on Monday after Sunday")
  func midnight() throws {
    let hours = try #require(GuardHours("fri,sun 22:00-06:00"))
    #expect(!hours.contains(at("2026-11-27T21:59:00Z")) && hours.contains(at("2026-11-27T23:00:00Z")))
    #expect(hours.contains(at("2026-11-28T05:59:00Z")) && !hours.contains(at("2026-11-28T06:00:00Z")))
    #expect(hours.contains(at("2026-11-30T00:00:00Z")) && !hours.contains(at("2026-11-30T06:00:00Z")))
    #expect(!hours.contains(at("2026-11-28T23:00:00Z")))
  }

  @Test("they are local: when the clocks change, so does the moment in UTC")
  func daylightSaving() throws {
    let hours = try #require(GuardHours("08:00-18:00"))
    // Berlin leaves summer time on 25 October 2026 and enters it on 29 March 2026.
    #expect(hours.contains(at("2026-10-24T06:00:00Z", zone: "Europe/Berlin")))
    #expect(!hours.contains(at("2026-10-25T06:30:00Z", zone: "Europe/Berlin")))
    #expect(hours.contains(at("2026-10-25T07:00:00Z", zone: "Europe/Berlin")))
    #expect(!hours.contains(at("2026-03-28T06:30:00Z", zone: "Europe/Berlin")))
    #expect(hours.contains(at("2026-03-29T06:00:00Z", zone: "Europe/Berlin")))
    // The hour that is there twice is within both times, and the one that is skipped never is.
    let night = try #require(GuardHours("sun 02:00-03:00"))
    #expect(night.contains(at("2026-10-25T00:30:00Z", zone: "Europe/Berlin")))
    #expect(night.contains(at("2026-10-25T01:30:00Z", zone: "Europe/Berlin")))
    #expect(!night.contains(at("2026-03-29T00:59:00Z", zone: "Europe/Berlin")))
    #expect(!night.contains(at("2026-03-29T01:00:00Z", zone: "Europe/Berlin")))
  }

  @Test("a zone that changes while the process runs counts")
  func travel() throws {
    let hours = try #require(GuardHours("08:00-18:00"))
    #expect(!hours.contains(at("2026-11-23T02:00:00Z", zone: "Europe/Berlin")))
    #expect(hours.contains(at("2026-11-23T02:00:00Z", zone: "Asia/Tokyo")))
  }

  @Test(
    "every spelling of the same times is the same",
    arguments: [
      ("mon-fri 08:00-18:00", "Monday,tue wed,thu, fri 8:00-18:00"), ("sat,sun", "sat-sun 00:00-24:00"),
      ("fri-mon 09:00-10:00", "fri 09:00-10:00, sat sun mon 9:00-10:00"), ("08:00-18:00", "mon-sun 08:00-18:00"),
      ("fri 22:00-06:00", "fri 22:00-24:00 sat 00:00-06:00"), ("mon 08:00-10:00 09:00-12:00", "mon 08:00-12:00"),
    ])
  func same(_ one: String, _ other: String) { #expect(GuardHours(one) == GuardHours(other)) }

  @Test(
    "other texts are none",
    arguments: [
      "", "mo", "mon-", "-fri", "08:00", "08:00-", "8-18", "24:00-06:00", "08:60-09:00", "08:00-08:00", "mon-tue-wed", "always",
      "mon;tue",
      "٠٨:٠٠-١٨:٠٠", String(repeating: "mon ", count: 65),
    ])
  func invalid(_ text: String) { #expect(GuardHours(text) == nil) }

  @Test("two together hold where both do, and are written out")
  func both() throws {
    let both = try #require(GuardHours("mon-fri 08:00-18:00")).intersection(try #require(GuardHours("wed-sun 12:00-02:00")))
    #expect(both.text == "wed thu fri 12:00-18:00" && GuardHours(both.text) == both)
    #expect(both.intersection(.none).text == "none")
  }
}

@Suite("The patterns of guard rules")
struct GuardGlobTests {
  @Test(
    "a pattern matches the whole text, in either case",
    arguments: [
      ("*", "", true), ("*", "prod", true), ("prod-*", "prod-", true), ("prod-*", "prod-eu", true), ("prod-*", "prod", false),
      ("prod-*", "PROD-EU", true), ("*prod*", "my-prod-1", true), ("?", "ab", false), ("a*b*c", "a1b2c", true),
      ("a*b*c", "a1b2cd", false),
      ("prod", "prods", false), ("*:role/Admin", "arn:aws:iam::1:role/Admin", true), ("**a", "bba", true), ("a?c", "abc", true),
    ])
  func matches(_ pattern: String, _ text: String, _ isMatch: Bool) throws {
    #expect(try #require(GuardGlob(pattern)).matches(text) == isMatch)
  }

  @Test("a hostile pattern takes no longer than the product of the lengths", .timeLimit(.minutes(1)))
  func hostile() throws {
    let pattern = try #require(GuardGlob(String(repeating: "a*", count: 1_000) + "b"))
    let start = monotonicNanoseconds()
    #expect(!pattern.matches(String(repeating: "a", count: 2_000)))
    #expect(monotonicNanoseconds() - start < 5_000_000_000)
  }
}
