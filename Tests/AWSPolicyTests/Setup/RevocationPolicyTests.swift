import Testing
import VaultModel

@testable import AWSPolicy

@Suite struct RevocationPolicyTests {
  private let moment = Timestamp(iso8601: "2026-11-29T20:00:01Z") ?? Timestamp(milliseconds: 0)

  private func statements(_ document: JSONValue) -> [JSONValue] { document["Statement"]?.array ?? [] }

  @Test("the policy for a role is the console's: everything is denied to what was issued before, to the next whole second")
  func console() throws {
    let policy = RevocationPolicy(.all, before: moment.adding(milliseconds: -1))
    #expect(policy.name == "AWSRevokeOlderSessions")
    let document = try policy.document(at: moment)
    #expect(
      document.compact()
        == #"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-11-29T20:00:01Z"}}}]}"#
    )
    // The policy that IAM is to read is one that our own reader reads.
    #expect(throws: Never.self) { try PolicyDocument(json: document, kind: .roleInline) }
  }

  @Test("another revocation of the role takes the place of the earlier one, and never goes back in time; others' statements stay")
  func again() throws {
    let foreign =
      #"{"Sid":"Mine","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2020-01-01T00:00:00Z"}}}"#
    let first =
      #"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":["2026-11-29T21:00:00Z"]}}}"#
    let policy = RevocationPolicy(.all, before: moment)
    let both = try policy.document(
      addedTo: #"{"Version":"2012-10-17","Id":"x","Statement":["# + foreign + "," + first + "]}", at: moment)
    #expect(both["Id"] == .string("x"))
    #expect(statements(both).count == 2)
    #expect(statements(both)[0].compact() == foreign)
    #expect(statements(both)[1].compact().contains("2026-11-29T21:00:00Z"))
    let later = RevocationPolicy(.all, before: moment.adding(seconds: 7_200))
    #expect(statements(try later.document(addedTo: both.compact(), at: moment))[1].compact().contains("2026-11-29T22:00:01Z"))
    // A single statement may stand without a list.
    let single = try policy.document(addedTo: #"{"Version":"2012-10-17","Statement":"# + foreign + "}", at: moment)
    #expect(statements(single).map { $0.compact() }.first == foreign && statements(single).count == 2)
  }

  @Test("sessions of a name are denied by a statement of the vault's own, which goes once all of them have expired")
  func sessions() throws {
    let alice = try #require(RoleSessionName("alice@laptop"))
    let policy = RevocationPolicy(.sessions([alice]), before: moment)
    #expect(policy.name == "VaultRevokedSessions")
    let one = try policy.document(at: moment)
    let statement = try #require(statements(one).first)
    #expect(statement["Condition"]?["StringLike"]?["aws:userId"] == .array([.string("*:alice@laptop")]))
    #expect(statement["Condition"]?["DateLessThan"]?["aws:TokenIssueTime"] == .string("2026-11-29T20:00:01Z"))
    let tagged = try RevocationPolicy(.sessions([alice], runs: ["run_1"]), before: moment).document(at: moment)
    let conditions = statements(tagged).first?["Condition"]
    #expect(conditions?["StringEquals"]?["aws:PrincipalTag/vault:run"] == .array([.string("run_1")]))
    #expect(conditions?["StringLike"] == statement["Condition"]?["StringLike"] && conditions?["DateLessThan"] != nil)
    // Two at the same second have different IDs, as IAM wants.
    let two = try policy.document(addedTo: one.compact(), at: moment)
    #expect(Set(statements(two).compactMap { $0["Sid"]?.string }).count == 2)
    // A role's session lives for twelve hours at most.
    let late = moment.adding(seconds: 43_202)
    let next = try RevocationPolicy(.sessions([alice]), before: late).document(addedTo: two.compact(), at: late)
    #expect(statements(next).count == 1)
    let foreign =
      #"{"Sid":"Mine","Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2020-01-01T00:00:00Z"}}}"#
    let kept = try policy.document(addedTo: #"{"Version":"2012-10-17","Statement":["# + foreign + "]}", at: late)
    #expect(statements(kept).map { $0.compact() }.contains(foreign))
  }

  @Test("what cannot be added to is not replaced, and nothing longer than IAM takes is made")
  func faults() throws {
    let policy = RevocationPolicy(.all, before: moment)
    for existing in ["", "[]", "no", #"{"Version":"2012-10-17"}"#, #"{"Version":"2012-10-17","Statement":"x"}"#] {
      #expect(throws: RevocationPolicy.Fault.unreadable, "\(existing)") { try policy.document(addedTo: existing, at: moment) }
    }
    let names = (0..<200).compactMap { RoleSessionName("a-session-name-of-a-program-that-runs-alone-\($0)") }
    #expect(throws: RevocationPolicy.Fault.self) { try RevocationPolicy(.sessions(names), before: moment).document(at: moment) }
  }
}
