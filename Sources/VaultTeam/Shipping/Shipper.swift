import Glibc
import VaultAudit
import VaultDatabase
import VaultModel

/// Ships a vault's log to the team's server, starting where the server's copy ends.
///
/// An interruption at any point is harmless: the server has each committed row once, and the next attempt asks for its last row.
final class Shipper {
  struct Outcome {
    var shipped: Int64 = 0
    /// The last row on the server.
    var last: Int64 = 0
    /// Rows that are written but have no MAC yet.
    var waiting: Int64 = 0
    /// Rows that have their MAC, but no checkpoint after them.
    var unsigned: Int64 = 0
    /// Archived rows whose file is missing.
    var absent: [AuditKeyRows.Segment] = []
    var place = ""
  }

  private let reader: VaultReader
  private let vaultId: String
  private let address: ServerAddress
  private let source: ShippingSource
  /// The number of rows per transaction.
  private let batch: Int
  private let progress: (_ done: Int64, _ of: Int64) -> Void
  private let onRetry: (_ why: String) -> Void
  /// Gives up after this many failed connections with nothing shipped in between.
  private var backoff = Backoff(maximum: 8)
  private var outcome = Outcome()
  /// The log's checkpoints that match the rows they sign, by row.
  private var checkpoints: [AuditCheckpoint] = []

  init(
    _ reader: VaultReader, to address: ServerAddress, batch: Int,
    progress: @escaping (_ done: Int64, _ of: Int64) -> Void = { _, _ in },
    onRetry: @escaping (_ why: String) -> Void = { _ in }
  ) throws {
    guard let vaultId = try reader.vaultId() else {
      throw Failure("there is no vault yet", hint: "`vault import` creates one", exitStatus: .noInput)
    }
    self.reader = reader
    self.vaultId = vaultId
    self.address = address
    self.batch = batch
    self.progress = progress
    self.onRetry = onRetry
    source = ShippingSource(reader)
  }

  /// - Parameter head: the checkpoint that the agent has just signed.
  func run(head: AuditCheckpoint?) throws -> Outcome {
    let bound = try reader.lastBoundSequence()
    outcome.waiting = try max(0, reader.lastSequence() - bound)
    checkpoints = try (reader.auditCheckpoints() + (head.map { [$0] } ?? [])).filter {
      $0.sequence <= bound ? try reader.auditHash(of: $0.sequence) == $0.hash : false
    }.sorted { $0.sequence < $1.sequence }
    // Shipping ends at a checkpoint: rows after the last one could be anybody's.
    let last = checkpoints.last?.sequence ?? 0
    outcome.unsigned = max(0, bound - max(last, try reader.auditSegments().last?.last ?? 0))
    while true {
      do {
        let server = try Server(address.parameters, timeouts: 60)
        outcome.place = server.place
        let start = try self.head(on: server) ?? register(on: server)
        try ServerStanding(reader, vaultId).check(start, on: server)
        let end = try ship(to: server, from: start, through: last)
        try shipCheckpoints(to: server, through: end)
        outcome.last = end.sequence
        return outcome
      } catch let error as ServerError where error.isPassing {
        onRetry(error.message)
        guard backoff.wait() else { throw error }
      }
    }
  }

  // MARK: where the server stands

  private func head(on server: Server) throws -> ChainPosition? {
    var place: ChainPosition?
    try server.forEachRow(
      "SELECT sequence, hash FROM vault_audit.audit_event WHERE vault_id = $1 ORDER BY sequence DESC LIMIT 1", [.text(vaultId)]
    ) { row in
      guard let sequence = try row.number(0), sequence >= 0, let hash = row.bytes(1), hash.count == 32 else {
        throw ServerError.senseless
      }
      place = ChainPosition(sequence: sequence, hash: hash)
    }
    return place
  }

  /// Registers this vault, and begins the log with its root. Each step is idempotent.
  private func register(on server: Server) throws -> ChainPosition {
    let newest = try reader.auditRecords(newestRow).first
    func short(_ text: String?) -> ServerValue { .text(String((text ?? "").filter { $0 != "\0" }.prefix(250))) }
    do {
      try server.run(
        "INSERT INTO vault_audit.audit_vault (vault_id, host, user_name, public_key) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [
          .text(vaultId), short(newest?.event.requester.host), short(newest?.event.requester.user),
          try reader.auditPublicKey().map { .bytes($0) } ?? .null,
        ])
    } catch ServerError.forbidden(let said) where said.contains("row-level security") {
      throw Failure(
        "the server does not accept this vault from this login: it is enrolled for another login or key, or the login has too many vaults",
        hint: "`vault audit enroll` prints the line with which the server's owner enrolls it for your login", exitStatus: .refused
      )
    }
    var isOurs = false
    try server.forEachRow("SELECT 1 FROM vault_audit.audit_vault WHERE vault_id = $1", [.text(vaultId)]) { _ in isOurs = true }
    guard isOurs else {
      throw Failure(
        "the server has this vault's log from another login", hint: "ship with the login that shipped it first",
        exitStatus: .refused)
    }
    let root = ChainPosition(sequence: 0, hash: AuditChain.root(vaultId: vaultId))
    try server.run(
      "INSERT INTO vault_audit.audit_event (vault_id, sequence, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING",
      [.text(vaultId), .bytes(root.hash)])
    return try head(on: server) ?? root
  }

  private var newestRow: AuditFilter {
    var filter = AuditFilter()
    filter.limit = 1
    return filter
  }

  // MARK: rows

  private func ship(to server: Server, from start: ChainPosition, through last: Int64) throws -> ChainPosition {
    let columns = try server.eventColumns()
    let sql = Shipment.sql(columns)
    var place = start
    var sent: Shipment?
    while true {
      // The next rows are read and verified while the server processes the previous ones.
      let next = try source.next(after: place, through: last, limit: limit(after: place), for: columns)
      if let shipment = sent {
        guard try server.finish() == shipment.count else { throw ServerError.senseless }
        backoff.gained()
        outcome.shipped += Int64(shipment.count)
        progress(shipment.end.sequence - start.sequence, last - start.sequence)
        sent = nil
      }
      switch next {
      case .end: return place
      case .fault(let fault):
        throw Failure(
          "the audit log is not intact: \(fault.description); the rows before the fault are on the server",
          hint: "leave the file unchanged, and compare it with a copy", exitStatus: .badData)
      case .gap(let segment):
        try shipEnd(of: segment, after: place, to: server)
        outcome.absent.append(segment)
        place = ChainPosition(sequence: segment.last, hash: segment.lastHash)
      case .rows(let shipment):
        let checkpoints = HeadColumns(checkpoints, behind: place.sequence, through: shipment.end.sequence)
        try server.begin(sql, [.text(vaultId)] + (shipment.arrays + checkpoints.arrays).map { .array($0) })
        sent = shipment
        place = shipment.end
      }
    }
  }

  /// The number of rows for a transaction, chosen so that it ends at a checkpoint if there is one among them.
  private func limit(after place: ChainPosition) -> Int {
    let maximum = place.sequence + Int64(batch)
    let end = checkpoints.last { $0.sequence <= maximum }?.sequence ?? maximum
    return end > place.sequence ? Int(end - place.sequence) : batch
  }

  /// Archived rows whose file is gone: they are represented by the last one's hash, which a checkpoint confirms.
  private func shipEnd(of segment: AuditKeyRows.Segment, after place: ChainPosition, to server: Server) throws {
    let checkpoints = HeadColumns(checkpoints, behind: segment.last - 1, through: segment.last)
    try server.run(
      """
      WITH heads AS (INSERT INTO vault_audit.audit_checkpoint (vault_id, sequence, hash, signed_at, public_key, signature) \
      SELECT $1, r.s, r.h, r.t, r.k, r.g FROM unnest($6::bigint[], $7::bytea[], $8::bigint[], $9::bytea[], $10::bytea[]) \
      AS r (s, h, t, k, g) ON CONFLICT DO NOTHING) \
      INSERT INTO vault_audit.audit_event (vault_id, sequence, hash, previous_sequence, previous_hash) VALUES ($1, $2, $3, $4, $5)
      """,
      [.text(vaultId), .number(segment.last), .bytes(segment.lastHash), .number(place.sequence), .bytes(place.hash)]
        + checkpoints.arrays.map { .array($0) })
  }

  // MARK: heads

  /// Ships the checkpoints of rows that were shipped without them.
  private func shipCheckpoints(to server: Server, through end: ChainPosition) throws {
    // Ordered by row and not by time, since a clock may be set back. Each row's checkpoint is shipped once, however often it is
    // signed.
    var shipped: Int64 = 0
    try server.forEachRow(
      "SELECT coalesce(max(sequence), 0) FROM vault_audit.audit_checkpoint WHERE vault_id = $1", [.text(vaultId)]
    ) { shipped = try $0.number(0) ?? 0 }
    while true {
      let rest = checkpoints.filter { $0.sequence > shipped && $0.sequence <= end.sequence }.prefix(1_000)
      guard let last = rest.last?.sequence else { return }
      try server.run(
        """
        INSERT INTO vault_audit.audit_checkpoint (vault_id, sequence, hash, signed_at, public_key, signature) \
        SELECT $1, r.s, r.h, r.t, r.k, r.g FROM unnest($2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bytea[]) \
        AS r (s, h, t, k, g) ON CONFLICT DO NOTHING
        """,
        [.text(vaultId)] + HeadColumns(Array(rest), behind: shipped, through: last).arrays.map { .array($0) })
      shipped = last
    }
  }
}
