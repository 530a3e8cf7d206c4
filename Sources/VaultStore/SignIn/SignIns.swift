import VaultDatabase
import VaultModel
import VaultSecrets

/// The tokens of a sign-in, and the client that received them: only that client can renew it.
public struct SignInTokens: Sendable {
  public let accessToken: SecretBytes
  public let refreshToken: SecretBytes?
  public let clientId: String
  public let clientSecret: SecretBytes
  /// The hosts that issued the tokens and accept them, if they are outside AWS; sealed with them, so that they open for no others.
  public let hosts: String?

  public init(
    accessToken: SecretBytes, refreshToken: SecretBytes?, clientId: String, clientSecret: SecretBytes, hosts: String? = nil
  ) {
    self.hosts = hosts
    self.accessToken = accessToken
    self.refreshToken = refreshToken
    self.clientId = clientId
    self.clientSecret = clientSecret
  }

  fileprivate var sealedForm: SecretBytes {
    SecretPieces.join(
      [accessToken, refreshToken ?? SecretBytes(""), SecretBytes(clientId), clientSecret]
        + (hosts.map { [SecretBytes($0)] } ?? []))
  }

  fileprivate init?(_ form: SecretBytes) {
    guard let pieces = SecretPieces.split(form, count: 4) ?? SecretPieces.split(form, count: 5) else { return nil }
    self.init(
      accessToken: pieces[0], refreshToken: pieces[1].count == 0 ? nil : pieces[1],
      clientId: pieces[2].withBytes { String(decoding: $0, as: UTF8.self) }, clientSecret: pieces[3],
      hosts: pieces.count == 5 ? pieces[4].withBytes { String(decoding: $0, as: UTF8.self) } : nil)
  }
}

extension VaultStore {
  public func signIns() throws -> [SignInRecord] { try SignInRows.live(in: database) }
  public func signIn(named name: String) throws -> SignInRecord? { try SignInRows.live(named: name, in: database) }

  /// Opens a sign-in's tokens for the vault's own use. Nothing is delivered, so nothing is logged.
  public func openSignIn(named name: String) throws -> (record: SignInRecord, tokens: SignInTokens)? {
    guard cipher != nil else { throw StoreError.locked }
    guard let record = try signIn(named: name) else { return nil }
    let owner = SecretIdentity(record)
    guard let tokens = SignInTokens(try open(owner)) else { throw SealError.malformed(row: owner.name) }
    return (record, tokens)
  }

  /// Stores a sign-in, replacing the one of the same name, with the outcome of its call.
  ///
  /// - Parameter id: the renewed sign-in. If it has ended meanwhile (the user signed in again, or out), the result of the renewal
  ///   is not stored.
  /// - Throws: `StoreError.unknownIntent` if the intent already has its outcome.
  public func complete(
    _ intentId: String, signIn record: SignInRecord, tokens: SignInTokens, event: AuditEvent, renewing id: String? = nil
  ) throws {
    guard openIntents[intentId] != nil else { throw StoreError.unknownIntent(intentId) }
    if let id, try signIn(named: record.name)?.id != id { return try conclude(intentId, event: event) }
    try change { store in
      if let before = try store.signIn(named: record.name) {
        try store.end(before, as: .replaced)
        var event = AuditEvent(
          action: .signInEnded, outcome: .success, trigger: event.trigger, profile: event.profile, requester: event.requester)
        event.detail = "\(before.name): replaced"
        try store.append(event, subject: (before.id, try store.destroy(table: "sign_in", row: before.id)))
      }
      try store.insert(record)
      let version = try store.seal(tokens.sealedForm, for: SecretIdentity(record))
      var event = event
      event.intentId = intentId
      try store.append(event, subject: (record.id, version))
      try store.database.statement("UPDATE profile SET attention = NULL WHERE sign_in = ? AND attention = 'needs-login'")
        .begin().bind(record.name).run()
    }
    openIntents[intentId] = nil
  }

  private func insert(_ record: SignInRecord) throws {
    try database.statement(
      """
      INSERT INTO sign_in (id, name, start_url, region, scopes, signed_in_at, expires_at, is_renewable, client_ends) \
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).begin().bind(record.id).bind(record.name).bind(record.startURL).bind(record.region).bind(record.scopes)
      .bind(record.signedInAt.milliseconds).bind(record.expiresAt.milliseconds).bind(record.isRenewable ? 1 : 0)
      .bind(record.clientEndsAt.milliseconds).runOnce()
  }

  /// Ends a sign-in: its tokens are destroyed and, unless a user signed out, its profiles are marked as waiting for a login.
  ///
  /// - Parameter id: the sign-in to end; nil for the current one.
  /// - Returns: false if there was none.
  @discardableResult
  public func endSignIn(
    _ name: String, id: String? = nil, as reason: SignInEnd, trigger: AuditTrigger, requester: Requester
  ) throws -> Bool {
    guard let record = try signIn(named: name), id == nil || record.id == id else { return false }
    try change { store in
      try store.end(record, as: reason)
      var event = AuditEvent(
        action: reason == .signedOut ? .signedOut : .signInEnded, outcome: .success, trigger: trigger, requester: requester)
      event.detail = "\(name): \(reason.rawValue)"
      try store.append(event, subject: (record.id, try store.destroy(table: "sign_in", row: record.id)))
      try store.database.statement("UPDATE profile SET attention = 'needs-login' WHERE sign_in = ? AND removed_at IS NULL")
        .begin().bind(name).run()
    }
    return true
  }

  private func end(_ record: SignInRecord, as reason: SignInEnd) throws {
    try database.statement("UPDATE sign_in SET ended_at = ?, end_reason = ? WHERE id = ?")
      .begin().bind(clock.now().milliseconds).bind(reason.rawValue).bind(record.id).run()
  }

  /// Ends the sessions whose credentials came from a sign-in.
  ///
  /// - Returns: the number of sessions.
  public func forgetSessions(ofSignIn name: String, requester: Requester) throws -> Int {
    let profiles = try database.statement("SELECT name FROM profile WHERE sign_in = ?").begin().bind(name).rows { $0.text(0) }
    return try profiles.reduce(0) { try $0 + forget(profile: $1, requester: requester, trigger: .manual, evenUnderWay: true) }
  }

  // MARK: pending actions of profiles

  /// Marks every profile of a sign-in as waiting for a login.
  public func setNeedsLogin(signIn name: String) throws {
    try database.statement(
      "UPDATE profile SET attention = 'needs-login' WHERE sign_in = ? AND removed_at IS NULL AND attention IS NOT 'needs-login'"
    ).begin().bind(name).run()
  }

  /// Sets a profile's pending action, for `vault list`; nil once nothing is wrong.
  ///
  /// - Returns: whether it changed.
  @discardableResult
  public func setPendingAction(_ pendingAction: SessionState?, of profile: String) throws -> Bool {
    try database.statement("UPDATE profile SET attention = ?1 WHERE name = ?2 AND attention IS NOT ?1").begin()
      .bind(pendingAction?.rawValue).bind(profile).run()
    return database.changes == 1
  }
}
