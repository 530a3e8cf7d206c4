import VaultDatabase
import VaultModel
import VaultSecrets

/// The condition under which a cached session may be used.
public enum Freshness: Sendable, Hashable {
  /// Not yet due for renewal.
  case notDue(at: Timestamp)
  /// Valid at this time, whatever follows.
  case alive(at: Timestamp)
  /// Valid now, and still at a later time.
  case livesUntil(Timestamp, at: Timestamp)

  /// The bounds for `expires_at` and `renews_at`: both must be later.
  var bounds: (expiry: Int64, renewal: Int64) {
    switch self {
    case .notDue(let now): (now.milliseconds, now.milliseconds)
    case .alive(let now): (now.milliseconds, Int64.min)
    case .livesUntil(let moment, let now): (max(moment, now).milliseconds, Int64.min)
    }
  }
}

/// Identifies a session that was taken back, or may have to be.
public struct ForgottenSession: Sendable, Hashable {
  public let profile: String
  public let fingerprint: String

  public init(profile: String, fingerprint: String) {
    self.profile = profile
    self.fingerprint = fingerprint
  }
}

/// A session with its opened secrets.
public struct Delivery: Sendable {
  public let session: SessionRecord
  public let credential: Credential
  public let permit: Withdrawals.Permit

  /// The same as the answer to a request.
  public func within(_ request: PendingRequest?) -> Delivery {
    Delivery(session: session, credential: credential, permit: permit.within(request))
  }
}

extension VaultStore {
  // MARK: delivering

  /// Opens the profile's session and logs its delivery; returns once that row has been committed.
  ///
  /// - Parameter event: the row, to which the session's details are added.
  /// - Returns: nil if no session is fresh enough; nothing is then logged.
  public func deliver(profile: String, fingerprint: String, freshness: Freshness, event: AuditEvent) async throws -> Delivery? {
    let request = DeliveryRequest(profile: profile, fingerprint: fingerprint, freshness: freshness, event: event)
    return executor.isBusy || !deliveries.isEmpty ? try await deliverTogether(request) : try deliverAlone(request)
  }

  func deliverAlone(_ request: DeliveryRequest) throws -> Delivery? {
    do {
      // One transaction for reading and logging: two would take SQLite's locks twice.
      return try change(.process) { store in
        guard let found = try store.openSession(for: request) else { return nil }
        try store.log(found, request)
        return found
      }
    } catch  where deferred.allows(error) {
      guard let found = try openSession(for: request) else { return nil }
      deferred.add(Self.event(request.event, of: found.session), at: clock.now(), because: error)
      report(.rowDeferred)
      return found
    }
  }

  func openSession(for request: DeliveryRequest) throws -> Delivery? {
    try openSession(profile: request.profile, fingerprint: request.fingerprint, freshness: request.freshness)
  }

  /// Call within a transaction: adds the row of a delivery.
  func log(_ delivery: Delivery, _ request: DeliveryRequest) throws {
    try append(Self.event(request.event, of: delivery.session))
    try countDelivery(delivery.session.id, at: clock.now())
  }

  private static func event(_ event: AuditEvent, of session: SessionRecord) -> AuditEvent {
    var event = event
    event.sessionId = session.id
    event.roleARN = session.roleARN
    event.roleSessionName = session.roleSessionName
    event.sourceIdentity = session.sourceIdentity
    event.accessKeyId = session.accessKeyId
    event.issuedAt = session.issuedAt
    event.expiresAt = session.expiresAt
    return event
  }

  /// Opens a session for the vault's own use, as the next hop's source. Nothing is delivered, so nothing is logged.
  public func openSession(profile: String, fingerprint: String, freshness: Freshness) throws -> Delivery? {
    guard cipher != nil else { throw StoreError.locked }
    let bounds = freshness.bounds
    let session = try database.statement(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at FROM session s \
      WHERE s.profile_id = (SELECT id FROM profile WHERE name = ?) AND s.fingerprint = ? AND s.ended_at IS NULL \
      AND s.expires_at > ? AND s.renews_at > ?
      """
    ).begin().bind(profile).bind(fingerprint).bind(bounds.expiry).bind(bounds.renewal).first {
      try SessionRows.read($0, from: 0, profile: profile)
    }
    guard let session else { return nil }
    let secret = try open(SecretIdentity(session))
    guard let credential = CredentialForm.split(secret, accessKeyId: session.accessKeyId, expiresAt: session.expiresAt) else {
      throw SealError.malformed(row: "session \(session.id)")
    }
    return Delivery(session: session, credential: credential, permit: withdrawals.permit(session.id))
  }

  // MARK: issuing

  /// Logs an imminent call to AWS; the row is on the disk when this returns.
  ///
  /// - Returns: the row's id, for ``complete(_:session:credential:event:)`` or ``fail(_:event:)``.
  public func begin(_ intent: AuditEvent) throws -> String {
    guard cipher != nil else { throw StoreError.locked }
    var intent = intent
    intent.outcome = .intent
    let id = try change { try $0.append(intent).id }
    openIntents[id] = intent.profile ?? ""
    return id
  }

  /// Stores a session that AWS issued: its sealed secrets, its row, the end of the one it replaces, and the outcome, in one
  /// transaction.
  ///
  /// - Parameters:
  ///   - moment: when the request for it began.
  ///   - isOwn: whether it is the profile's own session; a narrowed one, or one of another role, is not what `list` shows.
  public func complete(
    _ intentId: String, session: SessionRecord, credential: Credential, event: AuditEvent,
    begun moment: Withdrawals.Moment? = nil,
    isOwn: Bool = true
  ) throws {
    guard openIntents[intentId] != nil else { throw StoreError.unknownIntent(intentId) }
    if claimedIntents.contains(intentId) || moment.map({ withdrawals.wasClaimed(session.profile, since: $0) }) == true {
      // AWS issued it, and the log says so; after the profile was forgotten, the session must not be in the vault.
      var event = event
      event.detail = [event.detail, "forgotten meanwhile, and not stored"].compactMap { $0 }.joined(separator: "; ")
      try conclude(intentId, event: event)
      throw StoreError.forgottenMeanwhile(profile: session.profile)
    }
    try change { store in
      guard
        let profileId = try store.database.statement("SELECT id FROM profile WHERE name = ?").begin().bind(session.profile).first(
          { $0.int(0) })
      else { throw StoreError.unknownProfile(session.profile) }
      var replaced = try store.liveSession(profile: session.profile, fingerprint: session.fingerprint)
      if let replaced {
        let isOver = replaced.expiresAt <= store.clock.now()
        try store.end(
          replaced, as: isOver ? .expired : .replaced, action: isOver ? .sessionExpired : .sessionReplaced,
          trigger: event.trigger, event.requester)
      }
      // A session that expired before there was another is still replaced by it.
      if replaced == nil { replaced = try store.lastExpired(of: session.profile, profileId, fingerprint: session.fingerprint) }
      try store.insert(session, profileId: profileId)
      if isOwn {
        try store.database.statement(
          "UPDATE profile SET session_id = ?, session_expires_at = ?, session_renews_at = ?, attention = NULL WHERE id = ?"
        )
        .begin().bind(session.id).bind(session.expiresAt.milliseconds).bind(session.renewsAt.milliseconds).bind(profileId).run()
      }
      if let replaced {
        try store.database.statement("UPDATE session SET replaced_by = ? WHERE id = ?").begin().bind(session.id).bind(replaced.id)
          .run()
        // The last use is carried over: an agent that starts again sees from it which sessions to renew.
        try store.database.statement("UPDATE session SET last_used_at = ? WHERE id = ?").begin()
          .bind(replaced.lastUsedAt?.milliseconds).bind(session.id).run()
      }
      let version = try store.seal(CredentialForm.join(credential), for: SecretIdentity(session))
      var event = event
      event.intentId = intentId
      event.sessionId = session.id
      try store.append(event, subject: (session.id, version))
    }
    openIntents[intentId] = nil
  }

  private func lastExpired(of profile: String, _ profileId: Int64, fingerprint: String) throws -> SessionRecord? {
    try database.statement(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at FROM session s \
      WHERE s.id = (SELECT session_id FROM profile WHERE id = ?) AND s.fingerprint = ? AND s.end_reason = 'expired'
      """
    ).begin().bind(profileId).bind(fingerprint).first { try SessionRows.read($0, from: 0, profile: profile) }
  }

  private func insert(_ session: SessionRecord, profileId: Int64) throws {
    try database.statement(
      """
      INSERT INTO session (id, profile_id, kind, fingerprint, role_arn, role_session_name, source_identity, access_key_id, issued_at, expires_at, \
      renews_at, scope) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).begin().bind(session.id).bind(profileId).bind(session.kind.rawValue).bind(session.fingerprint).bind(session.roleARN)
      .bind(session.roleSessionName).bind(session.sourceIdentity).bind(session.accessKeyId).bind(session.issuedAt.milliseconds)
      .bind(session.expiresAt.milliseconds).bind(session.renewsAt.milliseconds).bind(session.scope).runOnce()
  }

  /// Logs that a call returned credentials that are not stored.
  public func conclude(_ intentId: String, event: AuditEvent) throws { try fail(intentId, event: event) }

  /// Logs that a call failed.
  ///
  /// - Throws: `StoreError.unknownIntent` if the intent already has its outcome, as ``complete(_:session:credential:event:)`` does.
  public func fail(_ intentId: String, event: AuditEvent) throws {
    guard openIntents[intentId] != nil else { throw StoreError.unknownIntent(intentId) }
    var event = event
    event.intentId = intentId
    try change { _ = try $0.append(event) }
    openIntents[intentId] = nil
    claimedIntents.remove(intentId)
  }

  // MARK: ending

  /// Ends the live sessions of a profile, or of all, and destroys their secrets.
  ///
  /// - Parameter evenUnderWay: do not store the results of calls in progress either.
  /// - Returns: the number of sessions.
  public func forget(profile: String?, requester: Requester, trigger: AuditTrigger, evenUnderWay: Bool = false) throws -> Int {
    if evenUnderWay { claimIntents(of: profile) }
    let live = try profile.map { try liveSessions(of: $0) } ?? liveSessions()
    guard !live.isEmpty else { return 0 }
    try change { store in
      for session in live { try store.end(session, as: .forgotten, action: .sessionForgotten, trigger: trigger, requester) }
    }
    return live.count
  }

  /// Marks the calls in progress for a profile, or for all: their results are not stored.
  func claimIntents(of profile: String?) {
    withdrawals.claim(profile)
    for (id, owner) in openIntents where profile == nil || owner == profile { claimedIntents.insert(id) }
  }

  /// The sessions forgotten since the last call, for any reason.
  public func consumeForgotten() -> Set<ForgottenSession> {
    defer { forgotten = [] }
    return forgotten
  }

  /// Why a session was taken back: forgotten or revoked; nil if it was not.
  public func withdrawal(of session: SessionRecord) throws -> SessionEnd? {
    try database.statement("SELECT end_reason FROM session WHERE id = ? AND end_reason IN ('forgotten', 'revoked')").begin()
      .bind(session.id).first { SessionEnd(rawValue: $0.text(0)) } ?? nil
  }

  /// Ends expired sessions and destroys their secrets, which are worthless.
  public func endExpired(requester: Requester) throws -> Int {
    let over = try liveSessions().filter { $0.expiresAt <= clock.now() }
    guard !over.isEmpty else { return 0 }
    try change { store in
      for session in over { try store.end(session, as: .expired, action: .sessionExpired, trigger: .rotation, requester) }
    }
    return over.count
  }

  /// When the next live session expires; nil if there is none.
  public func nextExpiry() throws -> Timestamp? {
    try database.statement("SELECT min(expires_at) FROM session WHERE ended_at IS NULL").begin().first {
      $0.optionalInt(0).map { Timestamp(milliseconds: $0) }
    } ?? nil
  }

  /// - Parameters:
  ///   - detail, why: for the row.
  func end(
    _ session: SessionRecord, as reason: SessionEnd, action: AuditAction, trigger: AuditTrigger, _ requester: Requester,
    detail: String? = nil, because why: String? = nil
  ) throws {
    try database.statement("UPDATE session SET ended_at = ?, end_reason = ? WHERE id = ?")
      .begin().bind(clock.now().milliseconds).bind(reason.rawValue).bind(session.id).run()
    if reason != .expired {
      try database.statement(
        "UPDATE profile SET session_expires_at = NULL, session_renews_at = NULL WHERE session_id = ?1 AND name = ?2"
      )
      .begin().bind(session.id).bind(session.profile).run()
    }
    if reason == .forgotten || reason == .revoked {
      forgotten.insert(ForgottenSession(profile: session.profile, fingerprint: session.fingerprint))
      ending.append(session)
    }
    let version = try destroy(table: "session", row: session.id)
    var event = AuditEvent(action: action, outcome: .success, trigger: trigger, profile: session.profile, requester: requester)
    event.sessionId = session.id
    event.roleARN = session.roleARN
    event.accessKeyId = session.accessKeyId
    event.expiresAt = session.expiresAt
    event.detail = detail
    event.reason = why
    try append(event, subject: (session.id, version))
  }

  /// The profiles whose own sessions, as `list` shows them, are of roles and have not ended.
  public func profilesWithLiveRoles() throws -> [String] {
    try database.statement(
      """
      SELECT p.name FROM profile p JOIN session s ON s.id = p.session_id WHERE s.ended_at IS NULL AND s.kind = 'role' ORDER BY p.name
      """
    ).begin().rows { $0.text(0) }
  }

  /// Sessions that have not ended, oldest first.
  public func liveSessions() throws -> [SessionRecord] {
    try database.statement(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at, p.name \
      FROM session s JOIN profile p ON p.id = s.profile_id WHERE s.ended_at IS NULL ORDER BY s.issued_at
      """
    ).begin().rows { try SessionRows.read($0, from: 0, profile: $0.text(15)) }
  }

  /// The last session of each profile that must always have one (`rotation = always`), ended or not, and of each whose last session
  /// was used since a given time and has expired. Excludes sessions that a user has forgotten.
  public func sessionsToKeep(usedSince moment: Timestamp) throws -> [SessionRecord] {
    try database.statement(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at, p.name \
      FROM profile p JOIN session s ON s.id = p.session_id \
      WHERE (p.rotation = 'always' OR (s.end_reason = 'expired' AND s.last_used_at > ?)) AND p.removed_at IS NULL \
      AND p.session_expires_at IS NOT NULL ORDER BY s.issued_at
      """
    ).begin().bind(moment.milliseconds).rows { try SessionRows.read($0, from: 0, profile: $0.text(15)) }
  }

  static let liveSessionsOfProfile: StaticString = """
    SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
    s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at FROM session s \
    WHERE s.profile_id = (SELECT id FROM profile WHERE name = ?) AND s.ended_at IS NULL ORDER BY s.issued_at
    """

  func liveSessions(of profile: String) throws -> [SessionRecord] {
    try database.statement(Self.liveSessionsOfProfile).begin().bind(profile).rows {
      try SessionRows.read($0, from: 0, profile: profile)
    }
  }

  public func liveSession(profile: String, fingerprint: String) throws -> SessionRecord? {
    try database.statement(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at FROM session s \
      WHERE s.profile_id = (SELECT id FROM profile WHERE name = ?) AND s.fingerprint = ? AND s.ended_at IS NULL
      """
    ).begin().bind(profile).bind(fingerprint).first { try SessionRows.read($0, from: 0, profile: profile) }
  }
}
