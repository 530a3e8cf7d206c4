import VaultDatabase
import VaultModel

/// How well a profile's sessions were renewed.
public struct RotationHealth: Sendable {
  public var profile: String
  /// The agent had the new session before the old one expired.
  public var onTime: Int64
  /// The agent's new session came after the old one had expired.
  public var late: Int64
  /// Renewed on request of a program or a user.
  public var onRequest: Int64
  /// Failed renewals by the agent.
  public var failed: Int64
  public var ended: Int64
  /// Expired without being delivered to a program or used for role chaining.
  public var endedUnused: Int64
}

extension VaultReader {
  /// By profile, those with the most sessions first. Of a filter, profile, role and times apply: a session has no user of its own.
  public func rotationHealth(_ filter: AuditFilter) throws -> [RotationHealth] {
    guard let database else { return [] }
    // "outcome <> 'success'" and "+profile" make SQLite use the small partial index rather than scan the whole log by profile. The
    // rows that the session index does not have yet are read once for all sessions.
    let (pending, isIndexed) = indexing
    let ofProfile = filter.profile == nil ? "?1 IS NULL" : "o.profile_id = (SELECT id FROM profile WHERE name = ?1)"
    let trigger = AuditTable.name("trigger", at: schema)
    let statement = try database.prepare(
      """
      WITH newest AS MATERIALIZED ( \
        SELECT session_id, \(trigger), min(sequence) FROM audit_event \
        WHERE \(pending) AND session_id IS NOT NULL AND action <> 'Deliver' GROUP BY session_id \
      ), wanted AS MATERIALIZED ( \
        SELECT p.name, o.*, n.issued_at AS next_at, \
          coalesce((SELECT \(trigger) FROM audit_event a WHERE a.session_id = n.id AND a.action <> 'Deliver' AND \(isIndexed) \
            ORDER BY sequence LIMIT 1), (SELECT \(trigger) FROM newest WHERE session_id = n.id)) AS next_trigger \
        FROM session o JOIN profile p ON p.id = o.profile_id LEFT JOIN session n ON n.id = o.replaced_by \
        WHERE \(ofProfile) AND (?2 IS NULL OR o.role_arn = ?2 OR substr(o.role_arn, -length(?2) - 1) = '/' || ?2) \
          AND o.expires_at >= ?3 AND o.issued_at < ?4 \
      ), sources AS ( \
        SELECT source_access_key_id AS id FROM audit_event WHERE action = 'AssumeRole' AND action <> 'Deliver' AND source_access_key_id IS NOT NULL \
      ), failures AS MATERIALIZED ( \
        SELECT profile, count(*) AS failed FROM audit_event \
        WHERE outcome <> 'success' AND outcome <> 'intent' AND \(trigger) = 'rotation' AND time >= ?3 AND time < ?4 \
          AND (?1 IS NULL OR profile = ?1) AND (?2 IS NULL OR role_arn = ?2 OR substr(role_arn, -length(?2) - 1) = '/' || ?2) \
        GROUP BY +profile \
      ) \
      SELECT w.name, count(*) FILTER (WHERE next_trigger = 'rotation' AND next_at < expires_at), \
        count(*) FILTER (WHERE next_trigger = 'rotation' AND next_at >= expires_at), count(*) FILTER (WHERE next_trigger <> 'rotation'), \
        coalesce((SELECT failed FROM failures f WHERE f.profile = w.name), 0), count(ended_at), \
        count(*) FILTER (WHERE ended_at IS NOT NULL AND deliveries = 0 AND access_key_id NOT IN (SELECT id FROM sources)) \
      FROM wanted w GROUP BY w.name ORDER BY count(*) DESC, w.name
      """
    ).begin()
    try statement.bind(filter.profile).bind(filter.role).bind(filter.since?.milliseconds ?? Int64.min)
      .bind(filter.until?.milliseconds ?? Int64.max)
    return try statement.rows {
      RotationHealth(
        profile: $0.text(0), onTime: $0.int(1), late: $0.int(2), onRequest: $0.int(3), failed: $0.int(4), ended: $0.int(5),
        endedUnused: $0.int(6))
    }
  }
}
