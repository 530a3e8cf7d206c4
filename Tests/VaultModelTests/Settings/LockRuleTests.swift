import Testing
import VaultModel

struct LockRuleTests {
  private let start = Timestamp(seconds: 1_795_435_200)

  @Test(
    "a rule names a time without requests, one since the unlocking, both, or neither",
    arguments: [
      ("never", nil, nil), ("12h", nil, 43_200), ("15m idle", 900, nil), ("15m idle 12h", 900, 43_200),
      ("12h, 15m idle", 900, 43_200),
      ("90s", nil, 90),
    ] as [(String, Int?, Int?)])
  func rules(_ text: String, _ idle: Int?, _ life: Int?) throws {
    let rule = try #require(LockRule(text))
    #expect(rule.idle == idle && rule.life == life)
  }

  @Test(
    "what is no rule is refused",
    arguments: ["", "idle", "15m idle 10m idle", "1h 2h", "never 1h", "59s", "31d", "-1h", "15 minutes", "15m idle never"])
  func none(_ text: String) { #expect(LockRule(text) == nil) }

  @Test("the earlier end counts: idle from the last use, life from the unlocking")
  func due() throws {
    let rule = try #require(LockRule("15m idle 1h"))
    let idle = rule.due(unlockedAt: start, usedAt: start.adding(seconds: 60))
    #expect(idle?.at == start.adding(seconds: 960) && idle?.cause == .idle)
    let life = rule.due(unlockedAt: start, usedAt: start.adding(seconds: 3_000))
    #expect(life?.at == start.adding(seconds: 3_600) && life?.cause == .life)
    #expect(LockRule.never.due(unlockedAt: start, usedAt: start) == nil)
  }

  @Test("events are named one by one", arguments: ["none", "screen", "screen, suspend logout", "", "login", "none screen"])
  func events(_ text: String) {
    let expected: [String: Set<LockCause>] = [
      "none": [], "screen": [.screen], "screen, suspend logout": [.screen, .suspend, .logout],
    ]
    #expect(LockEvents(text)?.causes == expected[text])
  }
}
