import VaultDatabase
import VaultModel
import VaultSecrets

/// The hashed bytes of an audit row, valid until the next row, for copies of the log kept elsewhere.
public struct CanonicalRowHash {
  public let sequence: Int64
  /// The canonical form (``CanonicalRow``), without the previous row's hash.
  public let form: UnsafeRawBufferPointer
  public let previousHash: UnsafeRawBufferPointer
  public let hash: [UInt8]
  /// The ratchet's MAC; 32 bytes.
  public let mac: UnsafeRawBufferPointer
}

/// A chain position: a row's number and its hash. Before the first row: 0 and the root.
public struct ChainPosition: Sendable, Hashable {
  public var sequence: Int64
  public var hash: [UInt8]

  public init(sequence: Int64, hash: [UInt8]) {
    self.sequence = sequence
    self.hash = hash
  }
}

extension VaultReader {
  /// The hash of a row; for 0 the root's, and for the last row of an archive the archived one. Nil if the row is neither here nor
  /// known.
  public func auditHash(of sequence: Int64) throws -> [UInt8]? {
    guard let database, let vaultId = try vaultId() else { return nil }
    if sequence == 0 { return AuditChain.root(vaultId: vaultId) }
    return try database.statement(
      """
      SELECT hash FROM audit_event WHERE sequence = ?1 UNION ALL SELECT last_hash FROM audit_segment WHERE last_sequence = ?1 LIMIT 1
      """
    ).begin().bind(sequence).first { $0.blob(0) }
  }

  /// The last row that will not change any more: the one before the first that has no MAC yet (docs/audit-log.md, "MACs").
  public func lastBoundSequence() throws -> Int64 {
    guard let database else { return 0 }
    return try database.statement(
      """
      SELECT coalesce((SELECT min(sequence) - 1 FROM audit_event WHERE mac IS NULL), (SELECT max(sequence) FROM audit_event), \
      (SELECT max(last_sequence) FROM audit_segment), 0)
      """
    ).begin().first { $0.int(0) } ?? 0
  }

  /// The rows after a position, up to `last`, each proven to follow the one before.
  ///
  /// - Parameter body: returns false to stop; the row that it was given counts.
  /// - Returns: what is wrong with the first invalid row, which `body` has not seen.
  public func forEachAuditForm(
    after place: ChainPosition, through last: Int64, limit: Int, _ body: (CanonicalRowHash) throws -> Bool
  ) throws -> AuditChain.Fault? {
    guard let database else { return nil }
    let statement = try database.prepare(
      "SELECT \(auditColumns) FROM audit_event WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
    ).begin().bind(place.sequence).bind(last).bind(Int64(limit))
    var place = place
    var form = CanonicalRow()
    while try statement.step() {
      let next = place.sequence + 1
      guard statement.int(AuditField.sequence.rawValue) == next else { return .missing(sequence: next) }
      let isNext = statement.withBlob(AuditField.previousHash.rawValue) { $0.elementsEqual(place.hash) }
      guard isNext else { return .unbound(sequence: next) }
      guard place.hash.withUnsafeBytes({ form.put(statement, after: $0) }) else { return .changed(sequence: next) }
      let hash = form.hash()
      guard statement.withBlob(AuditField.hash.rawValue, { $0.elementsEqual(hash) }) else { return .changed(sequence: next) }
      let goesOn: Bool? = try statement.withBlob(AuditField.mac.rawValue) { mac in
        guard mac.count == 32 else { return nil }
        return try place.hash.withUnsafeBytes { previous in
          try body(CanonicalRowHash(sequence: next, form: form.bytes, previousHash: previous, hash: hash, mac: mac))
        }
      }
      guard let goesOn else { return .forged(sequence: next) }
      place = ChainPosition(sequence: next, hash: hash)
      if !goesOn { return nil }
    }
    return nil
  }
}
