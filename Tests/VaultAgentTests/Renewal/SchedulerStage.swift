import Synchronization
import TestSupport
import VaultModel
import VaultSecrets
import VirtualTime

@testable import VaultAgent

/// A schedule in virtual time, over an AWS that does as it is told.
final class Stage: Sendable {
  struct State {
    var renewals: [(profile: String, at: Timestamp)] = []
    var announced: [(profile: String, pendingAction: SessionState)] = []
    var delivered: [String] = []
    /// What the next renewals of a profile end with.
    var failures: [String: [any Error]] = [:]
  }
  let clock = FakeClock()
  let executor = VirtualLane()
  let state = Mutex(State())
  let scheduler: Scheduler
  private let box: Box

  private final class Box: Sendable {
    let stage = Mutex<Stage?>(nil)
  }

  init(life: Int64 = 3_600, random: Double = 0) {
    let box = Box()
    self.box = box
    let clock = clock
    scheduler = Scheduler(
      clock: clock, random: { random }, executor: executor,
      work: Scheduler.Work(
        renew: { request in
          let error = box.stage.withLock { $0 }?.state.withLock { state -> (any Error)? in
            state.renewals.append((request.profile, clock.now()))
            guard state.failures[request.profile]?.isEmpty == false else { return nil }
            return state.failures[request.profile]?.removeFirst()
          }
          if let error { throw error }
          return Stage.session(request.profile, at: clock.now(), life: life)
        },
        deliver: { _, lease, _ in box.stage.withLock { $0 }?.state.withLock { $0.delivered.append(lease) } },
        announce: { request, pendingAction, _ in
          box.stage.withLock { $0 }?.state.withLock { $0.announced.append((request.profile, pendingAction)) }
        }))
    box.stage.withLock { $0 = self }
  }

  /// The box holds the stage, and the stage the box.
  func end() async {
    await scheduler.stop()
    box.stage.withLock { $0 = nil }
  }

  static func session(_ profile: String, at now: Timestamp, life: Int64) -> SessionRecord {
    SessionRecord(
      id: "ses_1", profile: profile, kind: .role, fingerprint: "f", roleARN: nil, roleSessionName: nil, sourceIdentity: nil,
      accessKeyId: "ASIA", issuedAt: now, expiresAt: now.adding(seconds: life))
  }

  func add(_ profile: String, life: Int64 = 3_600, rule: RotationRule = .default, at endpoint: String = "sts") async {
    await scheduler.add(
      Scheduler.Key(profile: profile, fingerprint: "f"), request: CredentialRequest(rotating: profile),
      session: Self.session(profile, at: clock.now(), life: life), rule: rule, at: endpoint)
  }

  func touch(_ profile: String) { _ = scheduler.touch(Scheduler.Key(profile: profile, fingerprint: "f")) }

  /// Moves the clock in steps, and lets what is due be done at each.
  func advance(minutes: Int, step: Int64 = 60) {
    for _ in 0..<minutes * 60 / Int(step) {
      clock.advance(seconds: step)
      resolve()
    }
  }

  /// Until nothing more happens: whatever was due is done, or sleeps again.
  func resolve() { executor.run() }

  var renewals: [(profile: String, at: Timestamp)] { state.withLock { $0.renewals } }
}
