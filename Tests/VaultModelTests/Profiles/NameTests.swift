import Testing
import VaultBytes
import VaultModel

struct NameTests {
  @Test(
    "any text becomes a session name that STS takes",
    arguments: [
      ("alice@laptop", "alice@laptop"), ("Jörg Müller", "J-rg-M-ller"), ("", "--"), ("x", "x-"), ("a\nb;c", "a-b-c"),
      (String(repeating: "n", count: 100), String(repeating: "n", count: 64)),
    ])
  func cleaned(text: String, expected: String) {
    let name = RoleSessionName(cleaning: text)
    #expect(name.text == expected)
    #expect(RoleSessionName(name.text) == name)
  }

  @Test("the default session name has the person and the machine without its domain")
  func standardName() {
    #expect(RoleSessionName(user: "alice", host: "laptop.example.org").text == "alice@laptop")
  }

  @Test(
    "a run's session name has the run's ID whole, whatever its name and however short it must be",
    arguments: [
      ("claude", "run_06gmfj5252w6nasq", 64, "claude-run_06gmfj5252w6nasq"),
      (
        String(repeating: "n", count: 64), "run_06gmfj5252w6nasq", 64, String(repeating: "n", count: 43) + "-run_06gmfj5252w6nasq"
      ),
      ("nightly-integration", "run_06gmfj5252w6nasq", 32, "nightly-int-run_06gmfj5252w6nasq"), ("", "", 32, "---"),
      ("unknown", "unknown", 64, "unknown-unknown"),
      ("ü", String(repeating: "é", count: 99), 32, "--" + String(repeating: "-", count: 24)),
    ])
  func ofRun(name: String, run: String, length: Int, expected: String) {
    let made = RoleSessionName(of: AutomationRun(name: name, run: run, rootPid: 1), atMost: length)
    #expect(made.text == expected && RoleSessionName(made.text) == made)
  }

  @Test(
    "a role's ARN is taken apart",
    arguments: [
      ("arn:aws:iam::123456789012:role/my-application-dev-role", "aws", "123456789012", "my-application-dev-role"),
      ("arn:aws-cn:iam::123456789012:role/team/path/name", "aws-cn", "123456789012", "name"),
      ("arn:aws-us-gov:iam::000000000000:role/x_+=,.@-", "aws-us-gov", "000000000000", "x_+=,.@-"),
    ])
  func roleARN(text: String, partition: String, account: String, name: String) throws {
    let arn = try #require(RoleARN(text))
    #expect(arn.partition == partition && arn.account == account && arn.name == name && arn.text == text)
  }

  @Test(
    "what is no role's ARN is refused",
    arguments: [
      "", "arn:aws:iam::123456789012:user/alice", "arn:aws:iam::12345678901:role/x", "arn:aws:sts::123456789012:assumed-role/x/y",
      "arn:aws:iam::123456789012:role/", "arn:aws:iam::123456789012:role/a b", "arn:aws:iam:us-east-1:123456789012:role/x",
      "arn:aws:iam::123456789012:role/x\n", "arn:azure:iam::123456789012:role/name", "arn:aws:iam::12345678901a:role/name",
      "arn:aws:iam::123456789012:role/x;touch${IFS}PWNED;#", "arn:aws:iam::123456789012:role/path/x'y",
    ])
  func notARoleARN(text: String) {
    #expect(RoleARN(text) == nil)
  }

  @Test(
    "lengths of time are read as people write them",
    arguments: [("900", 900), ("45m", 2_700), ("1h30m", 5_400), ("90s", 90), ("3d", 259_200), ("2h", 7_200)])
  func length(text: String, seconds: Int) {
    #expect(SessionDuration.seconds(text) == seconds)
  }

  @Test("what is no length of time is refused", arguments: ["", "m", "1x", "-5m", "1h30", "99999999999999999999", "5 m", "1.5h"])
  func noLength(text: String) {
    #expect(SessionDuration.seconds(text) == nil)
  }

  @Test("a chained role gets an hour at most, and others what they ask for")
  func chained() throws {
    let long = try #require(SessionDuration(seconds: 43_200))
    #expect(long.limited(chained: true) == .chainedLimit)
    #expect(long.limited(chained: false) == long)
    #expect(SessionDuration(seconds: 899) == nil)
    #expect(SessionDuration(seconds: 43_201) == nil)
  }

  @Test("the nearest name is suggested, and none where nothing is near")
  func suggestion() {
    let names = ["app-dev", "app-prod", "billing"]
    #expect(Suggestion.nearest(to: "app-dve", in: names) == "app-dev")
    #expect(Suggestion.nearest(to: "bilingl", in: names) == "billing")
    #expect(Suggestion.nearest(to: "zzz", in: names) == nil)
    #expect(Suggestion.nearest(to: "", in: names) == nil)
  }

  @Test("identifiers are prefixed, short and all different")
  func identifiers() {
    let made = Set((0..<10_000).map { _ in Identifier.make("ses") })
    #expect(made.count == 10_000)
    #expect(made.allSatisfy { $0.hasPrefix("ses_") && $0.utf8.count == 20 })
  }

  @Test("a key's name reads back, and nothing else is one")
  func keyID() {
    let id = KeyID.random()
    #expect(KeyID(id.description) == id)
    #expect(KeyID("0123456789abcde") == nil)
    #expect(KeyID("0123456789abcdeg") == nil)
    #expect(KeyID("+123456789abcdef") == nil)
  }

  @Test(
    "no control, direction mark or line separator reaches a terminal",
    arguments: [
      ("plain", "plain"), ("a\nb\tc\r", "a\\nb\\tc\\r"), ("\u{1B}]52;c;x\u{7}", "\\x1b]52;c;x\\x07"),
      ("\u{202E}abc", "\\u{202e}abc"),
      ("é ü 漢", "é ü 漢"), ("\u{9B}31m", "\\x9b31m"), ("\u{2028}", "\\u{2028}"),
    ])
  func safe(text: String, shown: String) {
    #expect(safeText(text) == shown)
  }
}

struct SessionRecordTests {
  private func session(life: Int64) -> SessionRecord {
    SessionRecord(
      id: "ses_1", profile: "p", kind: .role, fingerprint: "f", roleARN: nil, roleSessionName: nil, sourceIdentity: nil,
      accessKeyId: "ASIA",
      issuedAt: Timestamp(seconds: 0), expiresAt: Timestamp(seconds: life))
  }

  @Test(
    "an hour is renewed with 20 minutes left, a longer session with a third but 30 minutes at most, a short one at half",
    arguments: [(3_600, 2_400), (43_200, 41_400), (7_200, 5_400), (900, 450), (2_399, 1_199)] as [(Int64, Int64)])
  func renewal(life: Int64, renewsAt: Int64) {
    #expect(session(life: life).renewsAt.seconds == renewsAt)
  }

  @Test("a session is fresh, then due, then expired")
  func states() {
    let hour = session(life: 3_600)
    #expect(hour.state(at: Timestamp(seconds: 2_399)) == .fresh)
    #expect(hour.state(at: Timestamp(seconds: 2_400)) == .due)
    #expect(hour.state(at: Timestamp(seconds: 3_600)) == .expired)
  }
}
