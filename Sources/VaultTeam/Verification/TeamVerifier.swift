import VaultBytes
import VaultAudit
import VaultModel
import VaultSecrets

/// Verifies the logs on the team's server, one laptop's after the other. It detects what the server could have been made to hold,
/// and whatever one laptop's login wrote affects that laptop only.
struct TeamVerifier {
  struct Verdict {
    var rows: Int64 = 0
    var archived: Int64 = 0
    /// Rows that were verified here before, and not read again.
    var before: Int64 = 0
    /// The last row confirmed by a checkpoint; 0 for none.
    var signed: Int64 = 0
    /// Rows after it: nothing proves that the vault wrote them.
    var unsigned: Int64 = 0
    var ahead: (count: Int64, first: Int64) = (0, 0)
    var fault: String?
    /// What counts as verified from now on.
    var entry: VerifiedLogs.Entry?
  }

  /// How many checkpoints are fetched at once.
  private static let page: Int64 = 1_000

  private let connect: () throws -> Server
  private(set) var server: Server
  /// The verification key given to an auditor for a vault; it takes precedence over the server's data.
  private let key: AuditVerificationKey?
  private let publicKey: [UInt8]?

  init(key: AuditVerificationKey?, publicKey: [UInt8]?, connect: @escaping () throws -> Server) throws {
    self.key = key
    self.publicKey = publicKey
    self.connect = connect
    server = try connect()
  }

  mutating func reconnect() throws { server = try connect() }

  /// - Parameter known: what was verified of it here before; nil to read all of it.
  mutating func verify(_ laptop: Laptop, known: VerifiedLogs.Entry?, all: Bool) throws -> Verdict {
    var verdict = Verdict()
    if let fault = fault(of: laptop, known) {
      verdict.fault = fault
      return verdict
    }
    // All reads see one snapshot, so rows that are shipped meanwhile cannot appear without their checkpoint.
    try server.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if let known, let fault = try fault(at: known.place, of: laptop) {
      verdict.fault = fault
      try server.run("COMMIT")
      return verdict
    }
    // MACs are checked from the auditor's first row on.
    let start = all || key != nil ? nil : known
    var pass = TeamPass(
      vaultId: laptop.vaultId, signer: publicKey ?? known?.key ?? laptop.key, key: key, known: start,
      columns: try server.eventColumns())
    do {
      verdict.fault = try read(laptop, &pass)
      try server.run("COMMIT")
    } catch is Stop {
      // The rest of the rows would still arrive on the old connection.
      verdict.fault = stopped
      try reconnect()
    }
    if verdict.fault == nil, let known, pass.signed.map({ $0.place.sequence < known.place.sequence }) ?? true {
      verdict.fault = "it was signed up to row \(known.place.sequence) when last verified here, but is not now"
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

  /// The fault in the server's data about the vault as a whole.
  private func fault(of laptop: Laptop, _ known: VerifiedLogs.Entry?) -> String? {
    if let enrolled = laptop.enrolled, enrolled.login != laptop.login {
      return "it was shipped by the login \(laptop.login), but is enrolled for \(enrolled.login)"
    }
    for stated in [laptop.enrolled?.key, laptop.claimedKey].compactMap({ $0 }) {
      if let publicKey, stated != publicKey { return "the server has another key for it: \(hex(stated))" }
      if let known, stated != known.key {
        return "its key differs from the one verified here before: the log was recreated, or is someone else's (\(hex(stated)))"
      }
      if let enrolled = laptop.enrolled, stated != enrolled.key {
        return "its key differs from the enrolled one: \(hex(stated))"
      }
    }
    return nil
  }

  /// Checks that the last row verified here is still there.
  private func fault(at place: ChainPosition, of laptop: Laptop) throws -> String? {
    var fault: String? = "row \(place.sequence), the last one verified here, is missing"
    try server.forEachRow(
      "SELECT hash FROM vault_audit.audit_event WHERE vault_id = $1 AND sequence = $2",
      [.text(laptop.vaultId), .number(place.sequence)]
    ) { row in
      fault =
        row.bytes(0) == place.hash
        ? nil : "row \(place.sequence) differs from the one verified here before: the log was recreated"
    }
    return fault
  }

  private struct Stop: Error {}
  private var stopped: String?

  /// Reads the rows page by page of checkpoints, up to the last checkpoint of each, and then the rows that have no checkpoint after
  /// them.
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
          SELECT sequence, hash, previous_sequence, previous_hash, mac, \(EventColumns.form), received_at, \(pass.columns.names) \
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
