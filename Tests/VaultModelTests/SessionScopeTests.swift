import Testing
import VaultModel

struct SessionScopeTests {
  private static let all = SessionScope {
    ($0.policy, $0.policyARNs) = (
      #"{"Statement":"ü\n"}"#, ["arn:aws:iam::123456789012:policy/a/b", "arn:aws:iam::aws:policy/Read"]
    )
    ($0.tags, $0.transitiveTagKeys) = ([SessionTag(key: "Team", value: ""), SessionTag(key: "é x", value: "a=b")], ["Team"])
    ($0.sourceIdentity, $0.externalId) = ("alice@corp", "a/b:c")
  }

  private static func tagged(_ tags: (String, String)...) -> SessionScope {
    SessionScope { $0.tags = tags.map { SessionTag(key: $0.0, value: $0.1) } }
  }

  private static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  /// A policy of so many characters.
  private static func policy(_ length: Int, _ filler: String = " ") -> String { "{" + repeated(filler, length - 2) + "}" }

  private static func arns(_ count: Int, nameLength: Int = 1) -> [String] {
    (0..<count).map { "arn:aws:iam::aws:policy/" + String($0).leftPadded(to: nameLength) }
  }

  @Test("a scope is stored whole and read as it was, and no other text is read", arguments: [.none, .readOnly, all])
  func stored(scope: SessionScope) throws {
    #expect(SessionScope(stored: scope.stored) == scope)
    #expect((scope.stored == nil) == scope.isEmpty)
    guard let stored = scope.stored else { return }
    for length in 0..<stored.count { #expect(SessionScope(stored: String(stored.prefix(length))) == nil) }
    for more in [stored + "}", " " + stored, stored.replacing("false", with: "0"), stored.replacing("\"tags\"", with: "\"tag\"")]
    where more != stored {
      #expect(SessionScope(stored: more) == nil)
    }
  }

  @Test("a stored scope that STS would refuse is not read")
  func storedBeyondLimits() throws {
    let wide = SessionScope { ($0.isReadOnly, $0.policyARNs) = (true, Self.arns(1)) }
    let stored: String = try #require(wide.stored)
    #expect(SessionScope(stored: stored) == nil)
  }

  @Test("what STS accepts at its limits is accepted")
  func atLimits() throws {
    try Self.all.check()
    try SessionScope { $0.policyARNs = Self.arns(10) }.check()
    try SessionScope { $0.policy = Self.policy(2_048, "ÿ") }.check()
    try SessionScope {
      ($0.policy, $0.policyARNs) = (Self.policy(2_048 - 25), Self.arns(1))
    }.check()
    try SessionScope { scope in
      scope.tags = (0..<50).map { SessionTag(key: "k\($0)", value: String(repeating: "é", count: 256)) }
      scope.transitiveTagKeys = scope.tags.map(\.key)
    }.check()
    try Self.tagged((String(repeating: "k", count: 128), "")).check()
    try SessionScope { $0.sourceIdentity = String(repeating: "a", count: 256) }.check()
    try SessionScope { $0.externalId = String(repeating: "a", count: 1_224) }.check()
  }

  private static let refused: [SessionScope] =
    policiesRefused + tagsRefused + [
      SessionScope { $0.sourceIdentity = "a" }, SessionScope { $0.sourceIdentity = repeated("a", 257) },
      SessionScope { $0.sourceIdentity = "a b" }, SessionScope { $0.externalId = "a" },
      SessionScope { $0.externalId = repeated("a", 1_225) },
    ]

  private static let policiesRefused: [SessionScope] = [
    SessionScope { $0.policyARNs = arns(11) }, SessionScope { $0.policyARNs = arns(1) + arns(1) },
    SessionScope { $0.policyARNs = ["arn:aws:iam::123456789012:role/Policy"] },
    SessionScope { $0.policyARNs = ["arn:aws:iam::aws:policy/Some Thing"] },
    SessionScope { $0.policy = policy(2_049) }, SessionScope { $0.policy = "{\u{100}}" }, SessionScope { $0.policy = "{\u{1B}}" },
    SessionScope { $0.policy = "[]" }, SessionScope { ($0.policy, $0.policyARNs) = (policy(2_048 - 24), arns(1)) },
    SessionScope { $0.policyARNs = arns(10, nameLength: 200) }, SessionScope { ($0.isReadOnly, $0.policy) = (true, "{}") },
    SessionScope { ($0.isReadOnly, $0.policyARNs) = (true, arns(1)) },
  ]

  private static let tagsRefused: [SessionScope] = [
    SessionScope { $0.tags = (0..<51).map { SessionTag(key: "k\($0)", value: "") } }, tagged(("", "v")),
    tagged((repeated("k", 129), "v")), tagged(("k", repeated("v", 257))), tagged(("k", "a,b")), tagged(("k\n", "v")),
    tagged(("Team", "a"), ("team", "b")), tagged(("AWS:team", "a")),
    SessionScope { ($0.tags, $0.transitiveTagKeys) = ([SessionTag(key: "a", value: "")], ["b"]) },
    SessionScope { ($0.tags, $0.transitiveTagKeys) = ([SessionTag(key: "a", value: "")], ["a", "a"]) },
  ]

  @Test("what STS refuses is refused before it is asked", arguments: refused)
  func beyondLimits(scope: SessionScope) { #expect(throws: Failure.self) { try scope.check() } }

  @Test("what narrows stays when two scopes meet, and what one call cannot intersect is refused")
  func narrowing() throws {
    let policy = SessionScope { $0.policy = "{}" }
    #expect(try SessionScope.none.narrowed(by: .readOnly) == .readOnly)
    #expect(try SessionScope.readOnly.narrowed(by: .none) == .readOnly)
    #expect(try policy.narrowed(by: policy) == policy)
    let (a, b) = (Self.arns(2), Array(Self.arns(2).reversed()))
    #expect(try SessionScope { $0.policyARNs = a }.narrowed(by: SessionScope { $0.policyARNs = b }).policyARNs == a)
    for (one, other) in [
      (policy, .readOnly), (.readOnly, policy), (policy, SessionScope { $0.policy = "{ }" }),
      (SessionScope { $0.policyARNs = [a[0]] }, SessionScope { $0.policyARNs = a }),
    ] {
      let failure = #expect(throws: Failure.self) { try one.narrowed(by: other) }
      #expect(failure?.exitStatus == .configuration)
    }
  }

  @Test("tags, source identity and external id of two scopes are united, and refused where they differ")
  func uniting() throws {
    let both = try Self.tagged(("a", "1")).narrowed(by: Self.tagged(("a", "1"), ("b", "2")))
    #expect(both == Self.tagged(("a", "1"), ("b", "2")))
    let named = SessionScope { ($0.sourceIdentity, $0.externalId) = ("alice", "x1") }
    #expect(try SessionScope.none.narrowed(by: named) == named)
    #expect(try named.narrowed(by: .none) == named)
    for (one, other) in [
      (Self.tagged(("a", "1")), Self.tagged(("A", "2"))), (named, SessionScope { $0.sourceIdentity = "bob" }),
      (named, SessionScope { $0.externalId = "x2" }),
    ] {
      #expect(throws: Failure.self) { try one.narrowed(by: other) }
    }
  }
}

extension String {
  fileprivate func leftPadded(to length: Int) -> String { String(repeating: "p", count: max(0, length - count)) + self }
}
