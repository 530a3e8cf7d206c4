import VaultDatabase
import VaultModel
import VaultSecrets

/// The vault's registration as a client of IAM Identity Center (`RegisterClient`).
public struct SSOClientRecord: Sendable, Hashable {
  /// `cli_…`
  public var id: String
  public var startURL: String
  public var region: String
  /// Separated by blanks.
  public var scopes: String
  public var flow: SignInFlow
  public var clientId: String
  public var expiresAt: Timestamp

  public init(
    startURL: String, region: String, scopes: String, flow: SignInFlow, clientId: String, expiresAt: Timestamp,
    id: String = Identifier.make("cli")
  ) {
    self.id = id
    self.startURL = startURL
    self.region = region
    self.scopes = scopes
    self.flow = flow
    self.clientId = clientId
    self.expiresAt = expiresAt
  }
}

extension VaultStore {
  /// The registration for this sign-in, with its secret; nil if none is valid until `moment`.
  public func ssoClient(startURL: String, region: String, scopes: String, flow: SignInFlow, livingUntil moment: Timestamp) throws
    -> (record: SSOClientRecord, secret: SecretBytes)?
  {
    guard cipher != nil else { throw StoreError.locked }
    guard let record = try ssoClient(startURL: startURL, region: region, scopes: scopes, flow: flow), record.expiresAt > moment
    else { return nil }
    return (record, try open(SecretIdentity(record)))
  }

  private func ssoClient(startURL: String, region: String, scopes: String, flow: SignInFlow) throws -> SSOClientRecord? {
    try database.statement(
      "SELECT id, client_id, expires_at FROM sso_client WHERE start_url = ? AND region = ? AND scopes = ? AND flow = ?"
    ).begin().bind(startURL).bind(region).bind(scopes).bind(flow.rawValue).first { row in
      SSOClientRecord(
        startURL: startURL, region: region, scopes: scopes, flow: flow, clientId: row.text(1),
        expiresAt: Timestamp(milliseconds: row.int(2)), id: row.text(0))
    }
  }

  /// Stores a registration, replacing the one for the same sign-in, with the outcome of its call.
  public func complete(_ intentId: String, client: SSOClientRecord, secret: SecretBytes, event: AuditEvent) throws {
    guard openIntents[intentId] != nil else { throw StoreError.unknownIntent(intentId) }
    try change { store in
      var record = client
      if let known = try store.ssoClient(
        startURL: record.startURL, region: record.region, scopes: record.scopes, flow: record.flow)
      {
        record.id = known.id
        try store.database.statement("UPDATE sso_client SET client_id = ?, expires_at = ? WHERE id = ?").begin()
          .bind(record.clientId).bind(record.expiresAt.milliseconds).bind(record.id).run()
      } else {
        try store.database.statement(
          "INSERT INTO sso_client (id, start_url, region, scopes, flow, client_id, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        ).begin().bind(record.id).bind(record.startURL).bind(record.region).bind(record.scopes).bind(record.flow.rawValue)
          .bind(record.clientId).bind(record.expiresAt.milliseconds).run()
      }
      let version = try store.seal(secret, for: SecretIdentity(record))
      var event = event
      event.intentId = intentId
      try store.append(event, subject: (record.id, version))
    }
    openIntents[intentId] = nil
  }
}
