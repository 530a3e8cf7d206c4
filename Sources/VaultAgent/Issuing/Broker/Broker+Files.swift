import VaultModel
import VaultStore

// Profiles whose keys are kept fresh in a credentials file.
extension Broker {
  /// Writes a profile's keys to a file, and keeps them fresh there until ``unlink(_:requester:)``.
  func link(_ link: CredentialsLink, _ request: CredentialRequest, requester: Requester, prompter: any Prompter) async throws {
    let issued = try await issue(request, to: requester, prompter: prompter)
    let region = try? await catalog.region(of: link.profile, request.environment)
    try await files.add(link, issued.credential, permit: issued.permit, region: region, request: request)
    await keepFresh(link, issued: issued, request: request, requester: requester)
    try await store.add(link, environment: request.environment, requester: requester)
    do { try PendingRequest.current?.require() } catch {
      // Revoked before there was a link that the revocation could have found.
      try await unlink(link, requester: requester)
      throw error
    }
  }

  func unlink(_ link: CredentialsLink, requester: Requester) async throws {
    await scheduler?.close(CredentialFiles.lease(link))
    try await files.forget(link)
    try await store.remove(link, requester: requester)
  }

  private func keepFresh(
    _ link: CredentialsLink, issued: IssuedCredentials, request: CredentialRequest, requester: Requester
  ) async {
    guard let session = issued.session else { return }
    let lease = CredentialFiles.lease(link)
    await scheduler?.open(
      lease, key: session.key, request: request, session: session.record, requester: requester, at: session.endpoint)
    // The link may have been removed, or the vault locked, meanwhile.
    if await !files.has(lease) { await scheduler?.close(lease) }
    await retract(lease, ifForgotten: session.record)
  }

  /// Fills the files again, after a start or an unlock.
  func openFiles() async {
    guard await store.isUnlocked else { return }
    do {
      let (links, foreign) = try await store.provenLinks()
      for fault in foreign { try await report(fault) }
      await expect(links)
    } catch let fault as RowError {
      try? await report(fault)
    } catch {
      AgentLog.write("credentials files are not updated: \(Failure(error).message)")
    }
  }

  /// Reports that rows are from another program, and that nothing is done because of them.
  func report(_ fault: RowError) async throws {
    AgentLog.write(fault.message)
    try await catalog.log(fault, requesterOfFiles)
  }

  private func expect(_ links: [CredentialsLink]) async {
    for link in links where await files.expect(link) {
      // Not awaited: it ends with the link, or once the file has its keys.
      Task(executorPreference: AgentExecutor.current) { await self.fill(link) }
    }
  }

  /// Retries until keys are available: a laptop may start without a network, or before anybody has signed in.
  func fill(_ link: CredentialsLink) async {
    let lease = CredentialFiles.lease(link)
    let request: CredentialRequest
    do { request = try await self.request(of: link) } catch {
      return AgentLog.write("\(link.path): \(Failure(error).message)")
    }
    var delay = CredentialFiles.delay
    while await files.has(lease) {
      do {
        let issued = try await issue(request, to: requesterOfFiles, prompter: NonInteractivePrompter(), asking: .never)
        let region = try? await catalog.region(of: link.profile, request.environment)
        await files.fill(link, issued.credential, permit: issued.permit, region: region)
        return await keepFresh(link, issued: issued, request: request, requester: requesterOfFiles)
      } catch {
        AgentLog.write("\(link.path): \(Failure(error).message)")
        if case SignInError.needed = error {} else { delay = min(2 * delay, 3_600) }
        try? await clock.sleep(until: clock.now().adding(seconds: delay))
      }
    }
  }

  /// The request for a link's keys when nobody waits for them.
  func request(of link: CredentialsLink) async throws -> CredentialRequest {
    if let known = await files.request(link) { return known }
    return CredentialRequest(link, in: try await store.environment(of: link))
  }

  /// Removes the keys from the files while the vault is locked or no agent is running.
  func clearFiles() async {
    for lease in await files.clear((try? await store.credentialsLinks()) ?? []) { await scheduler?.close(lease) }
  }
}
