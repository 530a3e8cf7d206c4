import VaultModel

/// What `vault iam check` found last for a profile.
public struct IAMCheckRecord: Sendable, Hashable {
  public let checkedAt: Timestamp
  /// A list of findings, JSON.
  public let findings: String
}

extension VaultReader {
  /// - Returns: nil if the profile was never checked.
  public func iamCheck(of profile: String) throws -> IAMCheckRecord? {
    // A vault that no agent of this version has opened yet has no such table.
    guard let database, schema >= Schema.iamChecks else { return nil }
    return try database.statement(
      "SELECT checked_at, findings FROM iam_check WHERE profile_id = (SELECT id FROM profile WHERE name = ? AND removed_at IS NULL)"
    ).begin().bind(profile).first { IAMCheckRecord(checkedAt: Timestamp(milliseconds: $0.int(0)), findings: $0.text(1)) }
  }
}
