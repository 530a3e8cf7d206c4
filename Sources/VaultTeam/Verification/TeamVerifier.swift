import VaultBytes
import VaultDatabase
import VaultModel
import VaultSecrets

/// Proves the logs that the team's server has, one laptop's after the other: what the server could have been made to hold is found, and what
/// one laptop's login wrote is that laptop's alone.
struct TeamVerifier {
  struct Verdict {
    var rows: Int64 = 0
    var archived: Int64 = 0
    /// Rows that were proven here before, and not read again.
    var before: Int64 = 0
    /// The last row that a signed head bears out; 0 for none.
    var signed: Int64 = 0
    /// Rows behind it: nothing says that the vault wrote them.
    var unsigned: Int64 = 0
    var ahead: (count: Int64, first: Int64) = (0, 0)
    var fault: String?
    /// What is proven from now on.
    var entry: VerifiedLogs.Entry?
  }

  /// Heads that are asked for at once.
  private static let page: Int64 = 1_000

  private let connect: () throws -> Server
  private(set) var server: Server
  /// What an auditor was given for a vault; believed before what the server says.
  private let key: AuditVerificationKey?
  private let publicKey: [UInt8]?

  init(key: AuditVerificationKey?, publicKey: [UInt8]?, connect: @escaping () throws -> Server) throws {
    self.key = key
    self.publicKey = publicKey
    self.connect = connect
    server = try connect()
  }

  mutating func reconnect() throws { server = try connect() }

  /// - Parameter known: what was proven of it here before; nil to read all of it.
  mutating func verify(_ laptop: Laptop, known: VerifiedLogs.Entry?, all: Bool) throws -> Verdict {
    var verdict = Verdict()
    if let fault = fault(of: laptop, known) {
      verdict.fault = fault
      return verdict
    }
    // All that is read is of one moment: what is shipped meanwhile has its head behind it.
    try server.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if let known, let fault = try fault(at: known.place, of: laptop) {
      verdict.fault = fault
      try server.run("COMMIT")
      return verdict
    }
    // Codes are checked from an auditor's first row on.
    let start = all || key != nil ? nil : known
    var pass = TeamPass(vaultId: laptop.vaultId, signer: publicKey ?? known?.key ?? laptop.key, key: key, known: start)
    do {
      verdict.fault = try read(laptop, &pass)
      try server.run("COMMIT")
    } catch is Stop {
      // The rest of the rows would still come over the old one.
      verdict.fault = stopped
      try reconnect()
    }
    if verdict.fault == nil, let known, pass.signed.map({ $0.place.sequence < known.place.sequence }) ?? true {
      verdict.fault = "it was signed up to row \(known.place.sequence) when it was proven here, and is not any more"
    }
    verdict.rows = pass.rows
    verdict.archived = pass.archived
    verdict.before = start?.rows ?? 0
    verdict.signed = pass.signed?.place.sequence ?? 0
    verdict.unsigned = pass.rows - (pass.signed?.rows ?? 0)
    verdict.ahead = pass.ahead
    if verdict.fault == nil, let signed = pass.signed, let key = pass.key {
      verdict.entry = VerifiedLogs.Entry(
        login: laptop.login, key: key, place: signed.place, rows: signed.rows, archived: signed.archived)
    }
    return verdict
  }

  /// What is wrong with what the server says of the vault as a whole.
  private func fault(of laptop: Laptop, _ known: VerifiedLogs.Entry?) -> String? {
    if let enrolled = laptop.enrolled, enrolled.login != laptop.login {
      return "it was shipped by the login \(laptop.login), and is enrolled for \(enrolled.login)"
    }
    for stated in [laptop.enrolled?.key, laptop.claimedKey].compactMap({ $0 }) {
      if let publicKey, stated != publicKey { return "the server has another key for it: \(hex(stated))" }
      if let known, stated != known.key {
        return "its key is not the one that was proven here before: the log was made anew, or is somebody else's (\(hex(stated)))"
      }
      if let enrolled = laptop.enrolled, stated != enrolled.key {
        return "its key is not the one that was enrolled: \(hex(stated))"
      }
    }
    return nil
  }

  /// What was proven here must still stand there.
  private func fault(at place: ChainPosition, of laptop: Laptop) throws -> String? {
    var fault: String? = "row \(place.sequence), up to which it was proven here before, is not there any more"
    try server.forEachRow(
      "SELECT hash FROM vault_audit.audit_event WHERE vault_id = $1 AND sequence = $2",
      [.text(laptop.vaultId), .number(place.sequence)]
    ) { row in
      fault =
        row.bytes(0) == place.hash
        ? nil : "row \(place.sequence) is not the one that was proven here before: the log was made anew"
    }
    return fault
  }

  private struct Stop: Error {}
  private var stopped: String?

  /// Page by page of its heads, the rows up to the last of them; and at the end those that have no head behind them.
  private mutating func read(_ laptop: Laptop, _ pass: inout TeamPass) throws -> String? {
    var last: (sequence: Int64, signature: [UInt8])?
    while true {
      let checkpoints = try checkpoints(of: laptop.vaultId, behind: last, from: pass.place.sequence)
      if let fault = pass.add(checkpoints) { return fault }
      let isEnd = checkpoints.count < Self.page
      last = checkpoints.last.map { ($0.sequence, $0.signature) }
      let first = pass.isAtRoot ? -1 : pass.place.sequence
      let through = isEnd ? Int64.max : checkpoints.last?.sequence ?? 0
      if first < through {
        try server.forEachRow(
          """
          SELECT sequence, hash, previous_sequence, previous_hash, mac, \(EventColumns.form), received_at, \(EventColumns.names) \
          FROM vault_audit.audit_event e WHERE vault_id = $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence
          """, [.text(laptop.vaultId), .number(first), .number(through)]
        ) { row in
          guard let fault = try pass.fault(in: row) else { return }
          stopped = fault
          throw Stop()
        }
      }
      if let fault = pass.end() { return fault }
      if isEnd { return pass.archiveFault() }
    }
  }

  private func checkpoints(of vaultId: String, behind last: (sequence: Int64, signature: [UInt8])?, from start: Int64) throws
    -> [AuditCheckpoint]
  {
    var checkpoints: [AuditCheckpoint] = []
    try server.forEachRow(
      """
      SELECT sequence, hash, signed_at, public_key, signature FROM vault_audit.audit_checkpoint \
      WHERE vault_id = $1 AND sequence > $2 AND (sequence, signature) > ($3, $4) ORDER BY sequence, signature LIMIT $5
      """,
      [
        .text(vaultId), .number(last == nil ? start : -1), .number(last?.sequence ?? -1), .bytes(last?.signature ?? []),
        .number(Self.page),
      ]
    ) { row in
      guard let sequence = try row.number(0), let hash = row.bytes(1), let time = try row.number(2), let key = row.bytes(3),
        let signature = row.bytes(4), hash.count == 32, key.count == 32, signature.count == 64, checkpoints.count < Self.page
      else { throw ServerError.senseless }
      checkpoints.append(
        AuditCheckpoint(
          sequence: sequence, hash: hash, signedAt: Timestamp(milliseconds: time), publicKey: key, signature: signature))
    }
    return checkpoints
  }
}
