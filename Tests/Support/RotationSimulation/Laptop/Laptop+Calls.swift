import AWSClient
import VaultAgent
import VaultModel

// What an agent's minter and client do: one call for all who wait for it, and up to three tries.
extension Laptop {
  /// Makes a new session, once for all who want it meanwhile.
  func issue(_ index: Int, mayWait: Bool = false) async throws -> SessionRecord {
    if singleFlights[index] != nil { return try await withCheckedThrowingContinuation { singleFlights[index]?.append($0) } }
    singleFlights[index] = []
    let result: Result<SessionRecord, any Error>
    do {
      let session = try await call(index, mayWait)
      sessions[index] = session
      result = .success(session)
    } catch {
      result = .failure(error)
    }
    let waiting = singleFlights[index] ?? []
    singleFlights[index] = nil
    for waiter in waiting { waiter.resume(with: result) }
    return try result.get()
  }

  /// As `AWSCaller` calls: three tries with full jitter, out of a quota, where somebody waits for it; else one. One, too,
  /// where nobody has answered of late.
  private func call(_ index: Int, _ mayWait: Bool) async throws -> SessionRecord {
    guard isSignedIn else { throw SignInError.needed(name: "corp") }
    var attempt = 1
    var paid: Int?
    while true {
      let failure: AWSError.Cause
      switch try await once() {
      case nil: failure = .transport(.connect(host: Self.host))
      case .session:
        quota.giveBack(paid)
        return session(index)
      case .throttled:
        throttledAt[index] = world.now
        failure = .service(code: "Throttling", text: "", status: 400)
      case .unavailable: failure = .service(code: "ServiceUnavailable", text: "", status: 503)
      }
      guard mayWait, attempt < 3, let cost = quota.consume(afterTimeout: false) else {
        throw AWSError(failure, action: "AssumeRole", host: Self.host, attempts: attempt)
      }
      paid = cost
      try await delay(chance.next() * Double(1 << attempt))
      attempt += 1
    }
  }

  /// One try. Nil where no answer came.
  private func once() async throws -> Account.Answer? {
    guard isOnline else {
      try await delay(0.05)
      return nil
    }
    let before = suspends
    let answer = account.call()
    try await delay(chance.between(0.08, 0.25))
    // The connection did not survive the suspend.
    return suspends == before && isOnline ? answer : nil
  }

  private func delay(_ seconds: Double) async throws {
    try await clock.sleep(until: world.now.later(by: seconds))
  }

  private func session(_ index: Int) -> SessionRecord {
    SessionRecord(
      id: "ses", profile: keys[index].profile, kind: .role, fingerprint: "f", roleARN: nil, roleSessionName: nil,
      sourceIdentity: nil, accessKeyId: "ASIA", issuedAt: world.now, expiresAt: world.now.later(by: 3_600))
  }
}
