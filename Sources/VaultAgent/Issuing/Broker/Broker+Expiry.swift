import VaultModel
import VaultStore

// Expired sessions.
extension Broker {
  /// Ends expired sessions, with their sealed secrets, now and whenever another one expires.
  func endExpired() async {
    do { _ = try await store.endExpired(requester: requesterOfFiles) } catch {
      AgentLog.write("expired sessions could not be removed: \(Failure(error).message)")
    }
    await observeExpiry()
  }

  /// Waits for the next session to expire. Sessions that expire within a minute are ended together; failures are retried at that
  /// time.
  func observeExpiry() async {
    guard let next = try? await store.nextExpiry() else { return }
    let moment = max(next, clock.now()).adding(seconds: 60)
    if let expiry, expiry.moment <= moment { return }
    expiry?.task.cancel()
    let task = Task(executorPreference: AgentExecutor.current) { [weak self, clock] in
      do { try await clock.sleep(until: moment) } catch { return }
      await self?.expiryCame()
    }
    expiry = (task, moment)
  }

  private func expiryCame() async {
    expiry = nil
    await endExpired()
  }
}
