import VaultDatabase
import VaultModel

extension VaultStore {
  /// Keeps what a check found, in place of what an earlier one did; nothing for a profile that was removed meanwhile.
  ///
  /// - Parameter findings: a list of findings, JSON.
  public func keepIAMCheck(of profile: String, findings: String) throws {
    try database.transaction {
      try database.statement(
        """
        INSERT INTO iam_check (profile_id, checked_at, findings) SELECT id, ?, ? FROM profile WHERE name = ? AND removed_at IS NULL \
        ON CONFLICT (profile_id) DO UPDATE SET checked_at = excluded.checked_at, findings = excluded.findings
        """
      ).begin().bind(clock.now().milliseconds).bind(findings).bind(profile).run()
    }
  }
}
