import Synchronization
import VaultModel

/// A request for credentials that is under way. Once a revocation covers it, nothing is handed out for it, whatever it waits for.
///
/// What it was given before is found by its rows; this is for the time until there are any.
public final class PendingRequest: Sendable {
  /// The request for which the current task works.
  @TaskLocal public static var current: PendingRequest?

  fileprivate struct State {
    var requester: Requester
    var profiles: Set<String> = []
    /// Whether the asker passes what it gets on to the process that started it, as `vault env` and `vault credentials` do.
    var isPassedOn = false
    /// Those that it may bring.
    var sessions: Set<ForgottenSession> = []
    var isRevoked = false
    var hasEnded = false
  }
  /// Whether a client waits for it; else the agent asks for a program that it serves, or for a file.
  let isAsked: Bool
  private let state: Mutex<State>

  public init(_ requester: Requester, isAsked: Bool) {
    state = Mutex(State(requester: requester))
    self.isAsked = isAsked
  }

  /// Whether work for it goes on: a task that it left behind works for itself.
  public var isUnderWay: Bool { state.withLock { !$0.hasEnded } }

  /// - Throws: ``StoreError/revokedMeanwhile(mayAskAgain:)``.
  public func require() throws(StoreError) { try change { _ in } }

  /// It asks for a profile.
  public func add(profile: String, trigger: AuditTrigger) throws(StoreError) {
    try change {
      $0.profiles.insert(profile)
      if trigger == .env || trigger == .credentials { $0.isPassedOn = true }
    }
  }

  /// It may be answered with this session, or bring it.
  public func add(_ session: ForgottenSession) throws(StoreError) {
    try change {
      $0.profiles.insert(session.profile)
      $0.sessions.insert(session)
    }
  }

  /// Its requester is the root of a run from now on.
  public func join(_ run: AutomationRun) throws(StoreError) { try change { $0.requester.automation = run } }

  private func change(_ body: (inout State) -> Void) throws(StoreError) {
    let (isRevoked, isOfRun) = state.withLock { state in
      body(&state)
      return (state.isRevoked, state.requester.automation != nil)
    }
    if isRevoked { throw .revokedMeanwhile(mayAskAgain: !isOfRun) }
  }

  func end() { state.withLock { $0.hasEnded = true } }

  var isRevoked: Bool { state.withLock { $0.isRevoked } }

  func isMeant(by target: RevocationTarget) -> Bool { state.withLock { $0.isMeant(by: target) } }

  /// - Returns: the sessions that it may bring; nil if the target does not cover it.
  func revoke(_ target: RevocationTarget) -> Set<ForgottenSession>? {
    state.withLock { state in
      guard state.isMeant(by: target) else { return nil }
      state.isRevoked = true
      return state.sessions
    }
  }
}

extension PendingRequest.State {
  fileprivate func isMeant(by target: RevocationTarget) -> Bool {
    switch target {
    case .all: true
    case .profile(let name): profiles.contains(name)
    // A session that is ended is handed out no more, whoever asks.
    case .session: false
    case .automation(let name): requester.automation?.name == name
    case .process(let pid, _): requester.pid == pid || isPassedOn && requester.parents.first?.pid == pid
    }
  }
}
