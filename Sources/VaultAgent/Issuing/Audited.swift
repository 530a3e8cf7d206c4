import AWSClient
import VaultModel
import VaultStore

/// Runs one call between the row that says that it is tried and the row that says how it ended.
///
/// - Parameters:
///   - body: the call; puts into the event what the log is to know of the answer.
///   - keep: writes the row of a success, given the intent's id, in one transaction with what is kept; nil where nothing is.
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
  /// Says why what was tried came to nothing.
  mutating func fail(_ error: any Error) {
    let failure = Failure(error)
    outcome = failure.exitStatus == .refused ? .refused : .failure
    self.error = failure.message
    requestId =
      (error as? AWSError)?.requestId ?? (error as? SSOPortalError)?.requestId ?? (error as? SSOOIDCError)?.requestId ?? requestId
  }

  /// Says where a call goes, and how, where the way is not AWS's own.
  mutating func go(to place: some NetworkPlace, by route: NetworkSettings) {
    endpoint = place.address.hostHeader
    let way = [place.address.scheme == "https" ? nil : "by plain http", route.detail].compactMap { $0 }
    guard !way.isEmpty else { return }
    detail = ([detail].compactMap { $0 } + way).joined(separator: "; ")
  }
}
