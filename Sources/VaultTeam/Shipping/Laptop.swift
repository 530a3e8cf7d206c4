import VaultDatabase
import VaultModel

/// A laptop's vault, as the server knows it.
struct Laptop {
  var vaultId: String
  /// The owner of the rows, as the server reports it; for a vault that has shipped nothing, the login that it is enrolled for.
  var login: String
  /// `user@host`, as claimed by the first shipper.
  var name: String
  /// As claimed by the first shipper.
  var claimedKey: [UInt8]?
  /// As stated by the server's owner or the lead.
  var enrolled: (login: String, key: [UInt8])?
  var hasShipped: Bool

  var key: [UInt8]? { enrolled?.key ?? claimedKey }

  /// How many unenrolled vaults per login are examined; a login can make them up by the million.
  static let maxLoginsPerUser: Int64 = 20
  /// The maximum number of laptops.
  static let maximum = 100_000

  /// The enrolled vaults, then the first few unenrolled ones of each login.
  ///
  /// - Returns: also the number of unenrolled vaults for the logins that have more.
  static func all(_ vaultId: String?, login: String?, on server: Server) throws -> (
    laptops: [Laptop], others: [(login: String, count: Int64)]
  ) {
    var laptops: [Laptop] = []
    let wanted: [ServerValue] = [vaultId.map { .text($0) } ?? .null, login.map { .text($0) } ?? .null]
    func add(_ row: ServerRow, enrolled: (String, [UInt8])?) throws {
      guard laptops.count < Self.maximum, let id = row.text(0), let login = row.text(1) else { throw ServerError.senseless }
      laptops.append(
        Laptop(
          vaultId: id, login: login, name: "\(row.text(3) ?? "?")@\(row.text(2) ?? "?")", claimedKey: row.bytes(4),
          enrolled: enrolled, hasShipped: row.text(3) != nil))
    }
    try server.forEachRow(
      """
      SELECT left(e.vault_id, 100), left(coalesce(v.shipper, e.login), 100), left(v.host, 100), left(v.user_name, 100), v.public_key, \
      left(e.login, 100), e.public_key FROM vault_audit.audit_enrolment e LEFT JOIN vault_audit.audit_vault v ON v.vault_id = e.vault_id \
      WHERE ($1::text IS NULL OR e.vault_id = $1) AND ($2::text IS NULL OR coalesce(v.shipper, e.login) = $2) ORDER BY e.vault_id
      """, wanted
    ) { row in
      guard let login = row.text(5), let key = row.bytes(6) else { throw ServerError.senseless }
      try add(row, enrolled: (login, key))
    }
    var others: [(login: String, count: Int64)] = []
    // A vault's id selects exactly that vault, whatever its login.
    try server.forEachRow(
      """
      SELECT left(n.vault_id, 100), left(n.shipper, 100), left(n.host, 100), left(n.user_name, 100), n.public_key, n.place, n.count FROM \
      (SELECT v.*, row_number() OVER (PARTITION BY v.shipper ORDER BY v.first_shipped_at, v.vault_id) AS place, \
      count(*) OVER (PARTITION BY v.shipper) AS count FROM vault_audit.audit_vault v \
      WHERE NOT EXISTS (SELECT 1 FROM vault_audit.audit_enrolment e WHERE e.vault_id = v.vault_id) \
      AND ($1::text IS NULL OR v.vault_id = $1) AND ($2::text IS NULL OR v.shipper = $2)) n \
      WHERE n.place <= $3 ORDER BY n.shipper, n.place
      """, wanted + [.number(Self.maxLoginsPerUser)]
    ) { row in
      try add(row, enrolled: nil)
      guard let place = try row.number(5), let count = try row.number(6) else { throw ServerError.senseless }
      if place == 1, count > Self.maxLoginsPerUser { others.append((row.text(1) ?? "?", count)) }
    }
    return (laptops, others)
  }
}
