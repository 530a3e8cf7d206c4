import AWSClient
import VaultModel
import VaultStore

/// Runs one call between its intent row and its outcome row.
///
/// - Parameters:
///   - body: the call; adds the facts of the response to the event for the log.
///   - keep: writes the row of a success, given the intent's ID, in one transaction with the result; nil if nothing is stored.
func audited<Result>(
  _ intent: AuditEvent, in store: VaultStore, isolation: isolated (any Actor)? = #isolation,
  _ body: (inout AuditEvent) async throws -> Result, keep: ((String, Result, AuditEvent) async throws -> Void)? = nil
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
  if let keep { try await keep(id, result, event) } else { try await store.conclude(id, event: event) }
  return result
}

extension AuditEvent {
  /// Records why the attempt failed.
  mutating func fail(_ error: any Error) {
    let failure = Failure(error)
    outcome = failure.exitStatus == .refused ? .refused : .failure
    self.error = failure.message
    requestId =
      (error as? AWSError)?.requestId ?? (error as? SSOPortalError)?.requestId ?? (error as? SSOOIDCError)?.requestId ?? requestId
  }

  /// Records the destination of a call and its route, if the route is not AWS's own.
  mutating func go(to place: some NetworkPlace, by route: NetworkSettings) {
    endpoint = place.address.hostHeader
    let way = [place.address.scheme == "https" ? nil : "by plain http", route.detail].compactMap { $0 }
    guard !way.isEmpty else { return }
    detail = ([detail].compactMap { $0 } + way).joined(separator: "; ")
  }
}
