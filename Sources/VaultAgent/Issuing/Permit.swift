import VaultStore

extension Withdrawals.Permit {
  /// Checked where credentials leave the agent: what was taken back after it was opened goes no further.
  ///
  /// - Throws: if the vault was locked meanwhile, or the session taken back.
  func require(for profile: String) throws {
    guard !isValid else { return }
    try PendingRequest.current?.require()
    if isFromBeforeLock { throw AgentError.locked }
    throw StoreError.forgottenMeanwhile(profile: profile)
  }
}
