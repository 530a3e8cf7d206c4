import VaultModel
import VaultSecrets
import VaultStore

// Programs that are served on loopback, and the schedule's work for them.
extension Broker {
  /// Opens a lease that ends with the program: the client's own process becomes it, or it is the shell in which the client runs.
  func openLease(
    _ delivery: Delivery, session: IssuedCredentials.Session, request: CredentialRequest, requester: Requester
  ) async throws
    -> CredentialEndpoint.Lease
  {
    let lease = try endpoint.open(
      delivery.credential, permit: delivery.permit, renewsAt: session.record.renewsAt, inFile: request.tokenFile,
      run: requester.automation?.run)
    // Nil if the program has already ended.
    if let process = ProcessIdentity(running: requester.pid) {
      do {
        try await store.keep(
          LeaseRecord(
            id: lease.id, tokenHash: lease.tokenHash, port: lease.port, process: process, profile: request.profile,
            roleARN: session.record.roleARN, duration: request.duration, sessionName: request.sessionName, reason: request.reason,
            environment: request.environment, requester: requester, scope: request.scope, role: request.role))
      } catch {
        _ = endpoint.close(lease.id)
        throw error
      }
    }
    served[lease.id] = ServedProgram(request: request, roleARN: session.record.roleARN, requester: requester)
    await scheduler?.open(
      lease.id, key: session.key, request: request, session: session.record, requester: requester, at: session.endpoint)
    await retract(lease.id, ifForgotten: session.record)
    observe(lease.id, requester.pid)
    return lease
  }

  /// Its program has ended.
  func closeLease(_ id: String) async {
    guard let one = served.removeValue(forKey: id) else {
      // It was revoked before.
      _ = endpoint.close(id)
      return
    }
    await scheduler?.close(id)
    let requests = endpoint.close(id) ?? 0
    await logEnd(id, of: one, detail: requests == 1 ? "1 request" : "\(requests) requests")
  }

  /// Ends what a token is good for.
  ///
  /// - Returns: false if it is good for nothing.
  func endLease(of token: SecretBytes) async -> Bool {
    guard let id = endpoint.lease(of: token.withBytes { EndpointRequest.hash($0) }) else { return false }
    await closeLease(id)
    return true
  }

  func logEnd(_ id: String, of one: ServedProgram, detail: String) async {
    var event = AuditEvent(
      action: .leaseEnded, outcome: .success, trigger: .server, profile: one.request.profile, requester: one.requester)
    event.roleARN = one.roleARN
    event.detail = detail
    do { try await store.endLease(id, event: event) } catch {
      AgentLog.write("the end of a lease could not be logged: \(Failure(error).message)")
    }
  }

  /// Logs rejected requests on loopback.
  func logRefusal(_ detail: String) async {
    var event = AuditEvent(action: .endpointRefused, outcome: .refused, trigger: .server, requester: requesterOfFiles)
    event.detail = detail
    AgentLog.write("on loopback, \(detail)")
    do { try await store.record(event) } catch {
      AgentLog.write("the refusal could not be logged: \(Failure(error).message)")
    }
  }

  /// Logs that a process of an automation run used another program's token.
  ///
  /// - Parameter pid: 0 if the kernel does not show which process it was.
  func logRefusal(of run: AutomationRun, pid: Int32) async {
    var event = AuditEvent(action: .endpointRefused, outcome: .refused, trigger: .server, requester: requesterOfFiles)
    event.requester.automation = run
    let who = pid > 0 ? "process \(pid) of automation run" : "a process that the kernel does not show, perhaps of automation run"
    event.detail = "\(who) \(run.name) (\(run.run)) asked with the token of a program outside of it"
    AgentLog.write("on loopback, \(event.detail ?? "")")
    do { try await store.record(event) } catch {
      AgentLog.write("the refusal could not be logged: \(Failure(error).message)")
    }
  }

  /// The schedule's functions, performed by this broker.
  ///
  /// - Parameter requester: the agent itself.
  nonisolated func scheduledWork(_ requester: Requester, _ notifier: Notifier) -> Scheduler.Work {
    Scheduler.Work(
      renew: { request in
        do {
          return try await self.renew(request, requester: requester, prompter: NonInteractivePrompter(), asking: .never)
        } catch {
          AgentLog.write("\(request.profile): \(Failure(error).message)")
          throw error
        }
      },
      deliver: { request, lease, requester in try await self.serve(request, to: lease, requester: requester) },
      announce: { request, pendingAction, failure in
        if request.isOwn || pendingAction != .failing {
          do { try await self.store.setPendingAction(pendingAction, of: request.profile) } catch {
            AgentLog.write("\(request.profile): \(Failure(error).message)")
          }
        }
        // A person who locked the vault knows that.
        if failure.message != Failure(AgentError.locked).message {
          await notifier.announce(request, pendingAction: pendingAction, failure: failure)
        }
      })
  }

  /// Delivers a profile's new session to a lease, once that is logged.
  func serve(_ asked: CredentialRequest, to lease: String, requester: Requester) async throws {
    let isFile = await files.has(lease)
    guard let own = isFile ? await files.linked(lease, asked) : served[lease]?.request.again ?? asked else { return }
    try await pending(own, by: requester) { try await serve(own, asked, to: lease, isFile: isFile, requester: requester) }
  }

  private func serve(
    _ own: CredentialRequest, _ asked: CredentialRequest, to lease: String, isFile: Bool, requester: Requester
  ) async throws {
    let (request, plan) = try await admit(
      own, requester: requester, prompter: NonInteractivePrompter(),
      asking: admitted.contains(lease) ? .agreed : .never)
    // A file that was linked anew meanwhile has the session of that link.
    guard !isFile || [own.scope, request.scope].contains(asked.scope) else { return }
    guard let target = plan.delivered else { throw AgentError.unknownSession(profile: request.profile) }
    var event = AuditEvent(action: .deliver, outcome: .success, trigger: .server, profile: request.profile, requester: requester)
    event.scope = request.scope.shown
    try PendingRequest.current?.add(ForgottenSession(profile: target.profile, fingerprint: target.fingerprint))
    guard let fresh = try await deliver(target, .alive(at: clock.now()), event: event) else {
      throw AgentError.unknownSession(profile: request.profile)
    }
    if isFile {
      await files.update(lease, fresh.credential, permit: fresh.permit)
    } else {
      endpoint.update(lease, fresh.credential, permit: fresh.permit, renewsAt: fresh.session.renewsAt)
    }
    await retract(lease, ifForgotten: fresh.session)
  }

  /// Serves again after an unlock, and continues the schedule.
  func unlocked() async {
    await wakeLeases()
    await pickUpSchedule()
    await endExpired()
    await openFiles()
  }

  /// Continues where the previous agent ended: with every valid session that was used recently, and with those that are always
  /// renewed, if they still match their profiles. A narrowed session is none of these: it is renewed for the program that has it, or
  /// not at all.
  func pickUpSchedule() async {
    let now = clock.now()
    let since = now.adding(seconds: -RotationRule.default.idle)
    guard let scheduler, let live = try? await store.liveSessions(),
      let kept = try? await store.sessionsToKeep(usedSince: since)
    else { return }
    let used = live.filter { session in
      session.lastUsedAt.map { now.since($0) < RotationRule.default.idle * 1_000 } ?? false
    }
    for session in kept + used where session.kind == .role {
      let plan = try? await catalog.plan(
        for: session.profile, duration: nil, sessionName: nil, environment: [:], prompter: NonInteractivePrompter(),
        requester: .nobody)
      guard let plan, plan.delivered?.fingerprint == session.fingerprint else { continue }
      let key = Scheduler.Key(profile: session.profile, fingerprint: session.fingerprint)
      guard !scheduler.touch(key) else { continue }
      await scheduler.add(
        key, request: CredentialRequest(rotating: session.profile), session: session, rule: plan.rotation, at: plan.endpoint)
    }
  }
}

extension Requester {
  /// A requester for calls that need one and log nothing.
  static let nobody = Requester(
    user: "", uid: 0, pid: 0, program: "", executable: "", directory: "", parent: "", host: "")
}
