import VaultDatabase
import VaultModel

/// The fields of a row for statistics, with texts as numbers in ``AuditNames``.
public struct AuditStatRow {
  public enum Kind: Sendable {
    /// A call to AWS or to a source of credentials.
    case call
    /// Credentials were delivered to a program.
    case delivery
    /// A change to the vault itself: a lock, …
    case other
  }

  public let time: Timestamp
  public let kind: Kind
  /// It failed, was refused or has an unknown outcome.
  public let isFailure: Bool
  /// The agent did it automatically.
  public let isRotation: Bool
  public let profile: Int?
  public let role: Int?
  public let user: Int
  public let program: Int
  /// The run of `exec --automation` that its requester belongs to.
  public let run: Int?
  /// The error that it failed with.
  public let error: Int?
}

/// The texts of the counted rows.
public struct AuditNames: Sendable {
  public var profiles = NameTable()
  public var roles = NameTable()
  public var users = NameTable()
  public var programs = NameTable()
  public var errors = NameTable()
  /// Each as ``run(_:)`` reads it.
  public var runs = NameTable()

  public init() {}

  /// A run's id and name.
  public func run(_ number: Int) -> (id: String, name: String) {
    let parts = runs[number].split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
  }
}

extension AuditStatRow.Kind {
  init(_ action: AuditAction?) {
    switch action {
    case .assumeRole, .assumeRoleWithWebIdentity, .assumeRoleWithSAML, .getSessionToken, .getFederationToken, .getRoleCredentials,
      .createToken,
      .tokenAdopted, .registerClient, .credentialProcess, .containerCredentials, .instanceCredentials, .environmentCredentials,
      .createAccessKey, .deleteAccessKey, .revokedInAWS:
      self = .call
    case .deliver: self = .delivery
    default: self = .other
    }
  }
}

extension VaultReader {
  /// Visits the rows that match a filter, oldest first; intents are left out, since their outcomes count.
  ///
  /// One pass serves every statistic: a `GROUP BY` for each of profile, role, user and program would scan and sort the whole table
  /// each time.
  public func forEachAuditMark(_ filter: AuditFilter, names: inout AuditNames, _ body: (AuditStatRow) throws -> Void)
    throws
  {
    guard let database else { return }
    let query = AuditQuery(filter, defers: defersIndexes, schema: schema)
    // As in ``Requester/shownProgram``.
    let program = "CASE executable WHEN '' THEN program || ' (unproven)' ELSE program END"
    let name = { AuditTable.name($0, at: self.schema) }
    let run = "\(name("run")) || ' ' || \(name("automation"))"
    let sql = query.select(
      "time, outcome, action, \(name("trigger")), profile, role_arn, user, \(program), error, \(run), sequence",
      bound: query.scanStart,
      order: " ORDER BY sequence")
    let statement = try database.prepare(sql).begin()
    for value in query.values { try value.bind(to: statement) }
    var actions = NameTable()
    var kinds: [AuditStatRow.Kind] = []
    func number(_ column: Int32, _ table: inout NameTable) -> Int? {
      var number: Int?
      statement.withBytes(column) { if let bytes = $0 { number = table.number(of: bytes) } }
      return number
    }
    while try statement.step() {
      // Outcomes differ in their first letter: success, intent and the failures.
      var outcome: UInt8 = 0
      statement.withBytes(1) { outcome = $0?.first ?? 0 }
      if outcome == UInt8(ascii: "i") { continue }
      let action = number(2, &actions) ?? 0
      if action == kinds.count { kinds.append(AuditStatRow.Kind(AuditAction(rawValue: statement.text(2)))) }
      let isFailure = outcome != UInt8(ascii: "s")
      var isRotation = false
      statement.withBytes(3) { isRotation = $0?.first == UInt8(ascii: "r") }
      try body(
        AuditStatRow(
          time: Timestamp(stored: statement.int(0)), kind: kinds[action], isFailure: isFailure, isRotation: isRotation,
          profile: number(4, &names.profiles),
          role: number(5, &names.roles), user: number(6, &names.users) ?? 0, program: number(7, &names.programs) ?? 0,
          run: number(9, &names.runs),
          error: isFailure ? number(8, &names.errors) : nil))
    }
  }
}
