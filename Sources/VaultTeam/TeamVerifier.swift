import VaultDatabase
import VaultModel
import VaultSecrets

/// Proves the logs that the team's server has, one laptop's after the other: what the server could have been made to hold is found.
struct TeamVerifier {
  /// A laptop's vault, as the server knows it.
  struct Laptop {
    var vaultId: String
    var name: String
    var publicKey: [UInt8]?
  }

  struct Verdict {
    var rows: Int64 = 0
    var archived: Int64 = 0
    /// The last row that a signed head bears out; 0 for none.
    var signed: Int64 = 0
    var fault: String?
  }

  /// Laptops, and heads of one, that are taken from a server.
  private static let most = 1_000_000

  private let connect: () throws -> Server
  private var server: Server
  /// What an auditor was given for a vault; believed before what the server says.
  private let key: AuditVerificationKey?
  private let publicKey: [UInt8]?

  init(key: AuditVerificationKey?, publicKey: [UInt8]?, connect: @escaping () throws -> Server) throws {
    self.key = key
    self.publicKey = publicKey
    self.connect = connect
    server = try connect()
  }

  func laptops(_ wanted: String?) throws -> [Laptop] {
    var laptops: [Laptop] = []
    try server.forEachRow(
      """
      SELECT vault_id, host, user_name, public_key FROM vault_audit.audit_vault WHERE $1::text IS NULL OR vault_id = $1 ORDER BY vault_id
      """, [wanted.map { .text($0) } ?? .null]
    ) { row in
      guard laptops.count < Self.most else { throw ServerError.senseless }
      laptops.append(
        Laptop(vaultId: row.text(0) ?? "", name: "\(row.text(2) ?? "?")@\(row.text(1) ?? "?")", publicKey: row.bytes(3)))
    }
    return laptops
  }

  mutating func verify(_ laptop: Laptop) throws -> Verdict {
    let heads = try heads(of: laptop.vaultId)
    var verdict = Verdict()
    let signer = publicKey ?? laptop.publicKey ?? heads.last?.publicKey
    for head in heads where !(signer.map { head.isSigned(by: $0, vaultId: laptop.vaultId) } ?? false) {
      verdict.fault = AuditChain.Fault.checkpoint(sequence: head.sequence).description
      return verdict
    }
    var pass = TeamPass(vaultId: laptop.vaultId, heads: heads, key: key)
    struct Stop: Error {}
    do {
      try server.forEachRow(
        """
        SELECT sequence, hash, previous_sequence, previous_hash, mac, form, \(EventColumns.names) FROM vault_audit.audit_event \
        WHERE vault_id = $1 ORDER BY sequence
        """, [.text(laptop.vaultId)]
      ) { row in
        guard let fault = try pass.fault(in: row) else { return }
        verdict.fault = fault
        throw Stop()
      }
    } catch is Stop {
      // The rest of the rows would still come over the old one.
      server = try connect()
    }
    if verdict.fault == nil { verdict.fault = pass.end() }
    verdict.rows = pass.rows
    verdict.archived = pass.archived
    verdict.signed = heads.last { $0.sequence <= pass.place.sequence }?.sequence ?? 0
    return verdict
  }

  private func heads(of vaultId: String) throws -> [AuditCheckpoint] {
    var heads: [AuditCheckpoint] = []
    try server.forEachRow(
      """
      SELECT sequence, hash, signed_at, public_key, signature FROM vault_audit.audit_checkpoint WHERE vault_id = $1 ORDER BY sequence, signed_at
      """, [.text(vaultId)]
    ) { row in
      guard let sequence = try row.number(0), let hash = row.bytes(1), let time = try row.number(2), let key = row.bytes(3),
        let signature = row.bytes(4)
      else { throw ServerError.senseless }
      guard heads.count < Self.most else { throw ServerError.senseless }
      heads.append(
        AuditCheckpoint(
          sequence: sequence, hash: hash, signedAt: Timestamp(milliseconds: time), publicKey: key, signature: signature))
    }
    return heads
  }
}
