import AWSClient
import VaultModel
import VaultStore

/// Runs one call between the row that says that it is tried and the row that says how it ended.
///
/// - Parameter body: the call; puts into the event what the log is to know of the answer.
func audited<Result>(
  _ intent: AuditEvent, in store: VaultStore, isolation: isolated (any Actor)? = #isolation,
  _ body: (inout AuditEvent) async throws -> Result
) async throws -> Result {
  var event = intent
  let id = try await store.begin(intent)
  let result: Result
  do {
    result = try await body(&event)
  } catch {
    event.fail(error)
    try await store.fail(id, event: event)
    throw error
  }
  event.outcome = .success
  try await store.conclude(id, event: event)
  return result
}

extension AuditEvent {
  /// Says why what was tried came to nothing.
  mutating func fail(_ error: any Error) {
    let failure = Failure(error)
    outcome = failure.exitStatus == .refused ? .refused : .failure
    self.error = failure.message
    requestId =
      (error as? AWSError)?.requestId ?? (error as? SSOPortalError)?.requestId ?? (error as? SSOOIDCError)?.requestId ?? requestId
  }
}
