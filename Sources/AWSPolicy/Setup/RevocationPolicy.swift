import VaultModel

/// The inline policy by which a role refuses the sessions that were issued before a moment.
///
/// AWS cannot end a session. It evaluates a role's policies at each request of its sessions, though, and so refuses them from then on (IAM
/// User Guide, "Revoke IAM role temporary security credentials"). `aws:TokenIssueTime`, which only temporary credentials have, is when
/// AWS issued the session (IAM User Guide, "AWS global condition context keys").
public struct RevocationPolicy: Sendable, Hashable {
  /// The sessions that are refused.
  public enum Reach: Sendable, Hashable {
    /// Every session of the role, whoever has it. The console's policy.
    case all
    /// The sessions of these names, by `aws:userId`; with `runs`, only those with the session tag of one of these automation runs.
    ///
    /// For an assumed role, that key is the role's ID, a colon, and the `RoleSessionName` of the `AssumeRole` call (IAM User Guide,
    /// "IAM policy elements: Variables and tags", table "Principal key values"; STS API, `AssumedRoleUser`).
    case sessions([RoleSessionName], runs: [String] = [])
  }

  /// Why the policy cannot be made.
  public enum Fault: Error, Hashable {
    /// The role's policy of this name is not a policy document, or has no list of statements to add to.
    case unreadable
    /// Characters without blanks, which IAM does not count.
    case tooLong(Int)
  }

  /// The most characters of all inline policies of a role together.
  public static let maxCharacters = PolicyKind.roleInline.maxCharacters
  /// How long a role's session lives at most, in seconds.
  private static let longest: Int64 = 43_200
  /// The begin of the statement IDs that are the vault's.
  private static let sid = "VaultRevoked"

  public let reach: Reach
  public let before: Timestamp

  /// - Parameter moment: sessions issued before are refused. Taken up to the next second: AWS knows no smaller part of a session's time.
  public init(_ reach: Reach, before moment: Timestamp) {
    self.reach = reach
    before = Timestamp(milliseconds: (moment.milliseconds + 999) / 1_000 * 1_000)
  }

  /// The policy's name. The console's own is replaced as a whole by the console, and so nothing else is put there.
  public var name: String {
    switch reach {
    case .all: "AWSRevokeOlderSessions"
    case .sessions: "VaultRevokedSessions"
    }
  }

  /// The policy with these sessions.
  ///
  /// - Parameters:
  ///   - existing: the policy of this name that the role has: its other statements stay. The vault's own are left out once every session
  ///     that they refuse has expired.
  ///   - now: AWS's time.
  public func document(addedTo existing: String? = nil, at now: Timestamp) throws(Fault) -> JSONValue {
    var members = [JSONMember("Version", .string("2012-10-17")), JSONMember("Statement", .array([]))]
    if let existing {
      guard let text = try? JSONText(Array(existing.utf8)), let found = text.value.members else { throw .unreadable }
      members = found
    }
    guard let place = members.firstIndex(where: { $0.name == "Statement" }) else { throw .unreadable }
    var statements: [JSONValue]
    switch members[place].value {
    case .array(let list): statements = list
    case .object: statements = [members[place].value]
    default: throw .unreadable
    }
    switch reach {
    case .all: add(to: &statements)
    case .sessions(let names, let runs): add(names, of: runs, to: &statements, at: now)
    }
    members[place].value = .array(statements)
    let document = JSONValue.object(members)
    let length = document.compact().count { $0 != " " }
    guard length <= Self.maxCharacters else { throw .tooLong(length) }
    return document
  }

  // MARK: every session

  private func add(to statements: inout [JSONValue]) {
    var moment = before
    // The console's own, from an earlier revocation: a later one takes its place, an earlier one stays.
    statements.removeAll { statement in
      guard let other = Self.moment(statement), Self.isConsoles(statement) else { return false }
      moment = max(moment, other)
      return true
    }
    statements.append(Self.statement(sid: nil, [Self.issued(before: moment)]))
  }

  private static func isConsoles(_ statement: JSONValue) -> Bool {
    statement.members?.count { $0.name != "Sid" } == 4 && statement["Effect"]?.string == "Deny"
      && isEverything(statement["Action"])
      && isEverything(statement["Resource"]) && statement["Condition"]?.members?.count == 1
      && statement["Condition"]?["DateLessThan"]?.members?.count == 1
  }

  private static func isEverything(_ value: JSONValue?) -> Bool { value == .string("*") || value == .array([.string("*")]) }

  // MARK: sessions of a name

  private func add(
    _ names: [RoleSessionName], of runs: [String], to statements: inout [JSONValue], at now: Timestamp
  ) {
    statements.removeAll { statement in
      guard statement["Sid"]?.string?.hasPrefix(Self.sid) == true, let moment = Self.moment(statement) else { return false }
      return moment.adding(seconds: Self.longest) < now
    }
    // A policy of one role needs not say the role's ID, and no name has a colon or a wildcard.
    let users = names.map { JSONValue.string("*:" + $0.text) }
    let taken = Set(statements.compactMap { $0["Sid"]?.string })
    var (sid, number) = (Self.sid + String(before.milliseconds / 1_000), 1)
    while taken.contains(sid) {
      number += 1
      sid = Self.sid + String(before.milliseconds / 1_000) + "n\(number)"
    }
    var conditions = [JSONMember("StringLike", .object([JSONMember("aws:userId", .array(users))]))]
    if !runs.isEmpty {
      let tag = JSONMember("aws:PrincipalTag/\(SessionTag.run)", .array(runs.map { .string($0) }))
      conditions.append(JSONMember("StringEquals", .object([tag])))
    }
    statements.append(Self.statement(sid: sid, conditions + [Self.issued(before: before)]))
  }

  // MARK: statements

  private static func statement(sid: String?, _ conditions: [JSONMember]) -> JSONValue {
    .object(
      (sid.map { [JSONMember("Sid", .string($0))] } ?? []) + [
        JSONMember("Effect", .string("Deny")), JSONMember("Action", .array([.string("*")])),
        JSONMember("Resource", .array([.string("*")])), JSONMember("Condition", .object(conditions)),
      ])
  }

  private static func issued(before moment: Timestamp) -> JSONMember {
    JSONMember("DateLessThan", .object([JSONMember("aws:TokenIssueTime", .string(moment.iso8601))]))
  }

  private static func moment(_ statement: JSONValue) -> Timestamp? {
    let value = statement["Condition"]?["DateLessThan"]?["aws:TokenIssueTime"]
    return (value?.string ?? value?.array?.first?.string).flatMap { Timestamp(iso8601: $0) }
  }
}
