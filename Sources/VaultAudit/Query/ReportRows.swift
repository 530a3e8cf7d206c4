import VaultDatabase
import VaultModel

/// A session as a span of time.
public struct SessionSpan: Sendable {
  public var id: String
  public var profile: String
  public var roleARN: String?
  /// The user who requested it; nil if the log has no row of it.
  public var user: String?
  public var issuedAt: Timestamp
  /// When it ended or will end.
  public var endsAt: Timestamp
  public var endReason: SessionEnd?
  public var deliveries: Int64
}

/// A profile and its last use.
public struct ProfileUse: Sendable {
  public var name: String
  public var roleARN: String?
  /// The profile from which its role is assumed, or the name of another source.
  public var source: String?
  public var origin: String
  public var lastUsedAt: Timestamp?
  /// Whether its role ever had a session, through any profile.
  public var roleWasAssumed: Bool
}

extension VaultReader {
  /// The times of the oldest and the newest row of the log; nil if it is empty.
  public func auditSpan() throws -> (first: Timestamp, last: Timestamp)? {
    guard let database else { return nil }
    return try database.statement(
      """
      SELECT a.time, b.time FROM audit_event a, audit_event b \
      WHERE a.sequence = (SELECT min(sequence) FROM audit_event) AND b.sequence = (SELECT max(sequence) FROM audit_event)
      """
    ).begin().first { (Timestamp(stored: $0.int(0)), Timestamp(stored: $0.int(1))) }
  }

  /// The newest sessions, at most `maximum`, that were live in the filter's period, oldest first. The rest of the filter applies by
  /// profile, role, user, session, and the requesters that it was delivered to.
  public func sessionSpans(_ filter: AuditFilter, maximum: Int) throws -> [SessionSpan] {
    guard let database else { return [] }
    // The rows that the session index does not have yet, read once for all sessions.
    let (pending, isIndexed) = indexing
    let ofProfile = filter.profile == nil ? "?1 IS NULL" : "s.profile_id = (SELECT id FROM profile WHERE name = ?1)"
    let asked = AuditQuery.requester(filter, schema: schema, from: 8)
    let isAsked = asked.map { " AND id IN (SELECT session_id FROM audit_event WHERE \($0.condition))" } ?? ""
    let statement = try database.prepare(
      """
      WITH newest AS MATERIALIZED ( \
        SELECT session_id, user, min(sequence) FROM audit_event WHERE \(pending) AND session_id IS NOT NULL GROUP BY session_id \
      ) SELECT * FROM ( \
        SELECT s.id, p.name, s.role_arn, \
          coalesce((SELECT user FROM audit_event a WHERE a.session_id = s.id AND \(isIndexed) ORDER BY a.sequence LIMIT 1), \
            (SELECT user FROM newest WHERE session_id = s.id)) AS asker, \
          s.issued_at, CASE WHEN s.end_reason = 'expired' THEN s.expires_at ELSE coalesce(s.ended_at, s.expires_at) END AS ends_at, \
          s.end_reason, s.deliveries \
        FROM session s JOIN profile p ON p.id = s.profile_id \
        WHERE \(ofProfile) AND (?2 IS NULL OR s.role_arn = ?2 OR substr(s.role_arn, -length(?2) - 1) = '/' || ?2) \
          AND (?3 IS NULL OR s.id = ?3) AND s.expires_at >= ?4 AND s.issued_at < ?5 \
      ) WHERE (?6 IS NULL OR asker = ?6)\(isAsked) ORDER BY issued_at DESC LIMIT ?7
      """
    ).begin()
    try statement.bind(filter.profile).bind(filter.role).bind(filter.session).bind(filter.since?.milliseconds ?? Int64.min)
      .bind(filter.until?.milliseconds ?? Int64.max).bind(filter.user).bind(Int64(maximum))
    for value in asked?.values ?? [] { try value.bind(to: statement) }
    return try statement.rows {
      SessionSpan(
        id: $0.text(0), profile: $0.text(1), roleARN: $0.optionalText(2), user: $0.optionalText(3),
        issuedAt: Timestamp(stored: $0.int(4)), endsAt: Timestamp(stored: $0.int(5)),
        endReason: $0.optionalText(6).flatMap { SessionEnd(rawValue: $0) }, deliveries: $0.int(7))
    }.reversed()
  }

  /// Every current profile, by name.
  public func profileUses() throws -> [ProfileUse] {
    guard let database else { return [] }
    return try database.statement(
      """
      SELECT p.name, p.role_arn, p.origin, (SELECT max(last_used_at) FROM session s WHERE s.profile_id = p.id), \
        coalesce(p.role_arn IN (SELECT role_arn FROM session), 0), p.source \
      FROM profile p WHERE p.removed_at IS NULL ORDER BY p.name
      """
    ).begin().rows {
      ProfileUse(
        name: $0.text(0), roleARN: $0.optionalText(1), source: $0.optionalText(5), origin: $0.text(2),
        lastUsedAt: $0.optionalInt(3).map { Timestamp(stored: $0) }, roleWasAssumed: $0.int(4) != 0)
    }
  }
}
