import VaultModel
import VaultStore

// Profiles whose keys are kept fresh in a credentials file.
extension Broker {
  /// Puts a profile's keys in a file, and keeps them fresh there until ``unlink(_:requester:)``.
  func link(_ link: CredentialsLink, _ wish: Wish, requester: Requester, prompter: any Prompter) async throws {
    try await open(link, wish, requester, prompter)
    try await store.add(link, requester: requester)
  }

  func unlink(_ link: CredentialsLink, requester: Requester) async throws {
    await scheduler?.close(CredentialFiles.lease(link))
    try await files.remove(link)
    try await store.remove(link, requester: requester)
  }

  private func open(_ link: CredentialsLink, _ wish: Wish, _ requester: Requester, _ prompter: any Prompter) async throws {
    let issued = try await issue(wish, to: requester, prompter: prompter)
    try await files.add(link, issued.credential)
    let plan = try await catalogue.plan(
      for: wish.profile, duration: wish.duration, sessionName: wish.sessionName, environment: wish.environment,
      prompter: prompter, requester: requester)
    guard let target = plan.delivered, let session = try await store.liveSessions().first(where: { $0.id == issued.sessionId })
    else { return }
    let key = Scheduler.Key(profile: target.profile, fingerprint: target.fingerprint)
    await scheduler?.open(CredentialFiles.lease(link), key, wish, session, requester, at: plan.endpoint)
  }

  /// Fills the files again, after a start or an unlocking.
  func openFiles() async {
    guard let links = try? await store.credentialsLinks() else { return }
    for link in links where await !files.has(CredentialFiles.lease(link)) {
      do {
        try await open(link, Wish(rotating: link.profile), requesterOfFiles, Nobody())
      } catch {
        AgentLog.write("\(link.path): \(Failure(error).message)")
      }
    }
  }

  /// Takes the keys out of the files, for as long as the vault is locked or no agent runs.
  func clearFiles() async {
    for lease in await files.clear((try? await store.credentialsLinks()) ?? []) { await scheduler?.close(lease) }
  }
}
