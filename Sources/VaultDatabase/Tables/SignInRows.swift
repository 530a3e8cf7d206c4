import VaultModel

/// The `sign_in` table.
public enum SignInRows {
  /// The sign-ins that have not ended, by name.
  public static func live(in database: Database) throws -> [SignInRecord] {
    try database.statement(
      """
      SELECT id, name, start_url, region, scopes, signed_in_at, expires_at, is_renewable, client_ends FROM sign_in \
      WHERE ended_at IS NULL ORDER BY name
      """
    ).begin().rows(read)
  }

  public static func live(named name: String, in database: Database) throws -> SignInRecord? {
    try database.statement(
      """
      SELECT id, name, start_url, region, scopes, signed_in_at, expires_at, is_renewable, client_ends FROM sign_in \
      WHERE name = ? AND ended_at IS NULL
      """
    ).begin().bind(name).first(read)
  }

  /// Reads the first nine columns, in the order of ``live(in:)``.
  public static func read(_ row: Statement) -> SignInRecord {
    SignInRecord(
      id: row.text(0), name: row.text(1), startURL: row.text(2), region: row.text(3), scopes: row.text(4),
      signedInAt: Timestamp(milliseconds: row.int(5)), expiresAt: Timestamp(milliseconds: row.int(6)),
      isRenewable: row.int(7) != 0, clientEndsAt: Timestamp(milliseconds: row.int(8)))
  }
}
