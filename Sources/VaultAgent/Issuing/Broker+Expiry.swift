import VaultModel
import VaultStore

// Sessions whose time is over.
extension Broker {
  /// Ends them, with their sealed secrets, now and each time that one more is over.
  func endExpired() async {
    do { _ = try await store.endExpired(requester: requesterOfFiles) } catch {
      AgentLog.write("sessions that are over could not be ended: \(Failure(error).message)")
    }
    await observeExpiry()
  }

  /// Waits for the end of the next session. Those that end within a minute are ended together, and what fails is tried again then.
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
