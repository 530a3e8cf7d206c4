import VaultModel

/// Selects rows of the audit log.
public struct AuditFilter: Sendable {
  /// The one row of this id (`evt_…`).
  public var id: String?
  public var profile: String?
  /// The role's full ARN, or its name.
  public var role: String?
  public var outcome: AuditOutcome?
  public var action: AuditAction?
  public var user: String?
  public var since: Timestamp?
  public var until: Timestamp?
  public var session: String?
  /// The requesting program's path, or its last part.
  public var program: String?
  /// The requesting process.
  public var pid: Int32?
  /// The name of a run of `exec --automation`.
  public var automation: String?
  /// The id of such a run (`run_…`).
  public var run: String?
  /// Only this many rows, the newest.
  public var limit: Int?
  public var reverse = false
  /// Only rows after this sequence number.
  public var after: Int64?
  /// Only rows up to this sequence number.
  public var upTo: Int64?
  /// Also intents whose outcome is known.
  public var includesIntents = false

  public init() {}
}
