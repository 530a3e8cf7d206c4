import VaultAudit
import VaultDatabase
import VaultModel

/// Checks whether the server's copy of a vault's log belongs to this vault, and if not, whose it is.
///
/// The server accepts every row that follows the previous one from anyone who has the login. Only the signature of this vault's key
/// proves that this vault wrote the rows.
struct ServerStanding {
  /// How many checkpoints, newest first, are searched for one of this vault's.
  private static let maxCheckpoints: Int64 = 10_000

  private let reader: VaultReader
  private let vaultId: String

  init(_ reader: VaultReader, _ vaultId: String) {
    self.reader = reader
    self.vaultId = vaultId
  }

  /// - Throws: if the server's copy cannot be continued from the local log, with the reason.
  func check(_ end: ChainPosition, on server: Server) throws {
    let (signed, strange) = try newestCheckpoint(on: server)
    let last = try reader.lastSequence()
    if let signed, signed.sequence > last {
      throw refusal(
        "the server has this log up to row \(signed.sequence), signed by this vault, but here it ends at \(last): this is an old copy, or rows were cut off"
      )
    }
    if let signed, let own = try reader.auditHash(of: signed.sequence), own != signed.hash {
      throw refusal(
        "row \(signed.sequence) on the server differs from the one here, and is signed by this vault: this is a copy of a vault that continued elsewhere, or the log was rewritten"
      )
    }
    let own = try reader.auditHash(of: end.sequence)
    let isOurs = own.map { $0 == end.hash } ?? (end.sequence <= last)
    guard isOurs, !strange else {
      let first = (signed?.sequence ?? 0) + 1
      throw Failure(
        "rows were added to this log on the server by someone without this vault's key: "
          + (isOurs ? "it did not sign the checkpoints there" : "rows \(first) to \(end.sequence) are not from this vault"),
        hint:
          "anyone with this login's password can do this; the server's owner removes the rows (docs/team-audit.md, \"Rows added by someone else\")",
        exitStatus: .badData)
    }
  }

  private func refusal(_ message: String) -> Failure {
    Failure(
      message, hint: "`vault audit verify` checks the log here, `vault audit verify --from` the copy there",
      exitStatus: .badData)
  }

  /// The newest checkpoint signed by this vault's key, and whether there are newer ones that it did not sign.
  private func newestCheckpoint(on server: Server) throws -> (signed: AuditCheckpoint?, strange: Bool) {
    guard let key = try reader.auditPublicKey() else { return (nil, false) }
    var signed: AuditCheckpoint?
    var strange = false
    try server.forEachRow(
      """
      SELECT sequence, hash, signed_at, public_key, signature FROM vault_audit.audit_checkpoint WHERE vault_id = $1 \
      ORDER BY sequence DESC LIMIT $2
      """, [.text(vaultId), .number(Self.maxCheckpoints)]
    ) { row in
      guard signed == nil, let sequence = try row.number(0), let hash = row.bytes(1), let time = try row.number(2),
        let publicKey = row.bytes(3), let signature = row.bytes(4)
      else { return }
      let head = AuditCheckpoint(
        sequence: sequence, hash: hash, signedAt: Timestamp(milliseconds: time), publicKey: publicKey, signature: signature)
      if signature.count == 64, head.isSigned(by: key, vaultId: vaultId) { signed = head } else { strange = true }
    }
    return (signed, strange)
  }
}

extension Server {
  /// The columns of the server's table, which may be an earlier version's.
  func eventColumns() throws -> EventColumns {
    var hasAutomation = false
    try forEachRow(
      """
      SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('vault_audit.audit_event') AND attname = 'automation' \
      AND NOT attisdropped
      """
    ) { _ in hasAutomation = true }
    return EventColumns(hasAutomation: hasAutomation)
  }
}
