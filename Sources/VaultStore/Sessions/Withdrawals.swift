import Synchronization
import VaultModel

/// What may no longer be handed out: sessions that were forgotten or revoked, and everything that was opened before a lock.
///
/// Any thread may ask, at the last moment before credentials leave the agent. What was opened earlier and is still on its way, or is
/// ready at the credential endpoint, is refused from the moment on in which the change has been committed.
public final class Withdrawals: Sendable {
  /// The right to hand out what was opened, for as long as nothing has taken it back.
  public struct Permit: Sendable {
    /// Nil for credentials that are no stored session.
    public let session: String?
    fileprivate let locks: Int
    fileprivate let owner: Withdrawals
    /// The request for which it was opened.
    fileprivate var request: PendingRequest?

    public var isValid: Bool { request?.isRevoked != true && owner.allows(self) }
    /// The right to answer a request with it.
    public func within(_ request: PendingRequest?) -> Permit {
      var permit = self
      permit.request = request
      return permit
    }
    /// Whether the vault was locked since.
    public var isFromBeforeLock: Bool { owner.state.withLock { $0.locks != locks } }
  }

  /// A point in the order of requests and withdrawals.
  public struct Moment: Sendable, Hashable {
    fileprivate let number: UInt64
  }

  private struct State {
    var locks = 0
    /// When each session that was withdrawn expires: from then on, nothing hands it out anyway.
    var sessions: [String: Timestamp] = [:]
    var latest: UInt64 = 0
    /// The latest withdrawal of all profiles, and of each.
    var ofAll: UInt64 = 0
    var ofProfile: [String: UInt64] = [:]
    var requests: [ObjectIdentifier: PendingRequest] = [:]
  }
  private let state = Mutex(State())

  public init() {}

  // MARK: what was opened

  public func permit(_ session: String? = nil) -> Permit {
    Permit(session: session, locks: state.withLock { $0.locks }, owner: self)
  }

  private func allows(_ permit: Permit) -> Bool {
    state.withLock { state in
      guard permit.locks == state.locks else { return false }
      guard !state.sessions.isEmpty, let session = permit.session else { return true }
      return state.sessions[session] == nil
    }
  }

  func lock() { state.withLock { $0.locks += 1 } }

  func withdraw(_ sessions: [SessionRecord], at now: Timestamp) {
    state.withLock { state in
      state.sessions = state.sessions.filter { $0.value > now }
      for session in sessions { state.sessions[session.id] = session.expiresAt }
    }
  }

  // MARK: what is under way

  public var moment: Moment { Moment(number: state.withLock { $0.latest }) }

  /// The results of calls that began before are not kept.
  ///
  /// - Parameter profile: nil for all.
  func claim(_ profile: String?) {
    state.withLock { state in
      state.latest += 1
      if let profile { state.ofProfile[profile] = state.latest } else { state.ofAll = state.latest }
    }
  }

  /// Whether a profile's sessions were taken back since.
  public func wasClaimed(_ profile: String, since moment: Moment) -> Bool {
    state.withLock { max($0.ofAll, $0.ofProfile[profile] ?? 0) > moment.number }
  }

  /// A request is under way until ``end(_:)``.
  public func begin(_ request: PendingRequest) { state.withLock { $0.requests[ObjectIdentifier(request)] = request } }

  public func end(_ request: PendingRequest) {
    request.end()
    state.withLock { $0.requests[ObjectIdentifier(request)] = nil }
  }

  /// Whether a request is under way that a revocation would cover.
  public func hasRequests(of target: RevocationTarget) -> Bool {
    state.withLock { $0.requests.values.contains { $0.isMeant(by: target) } }
  }

  /// Nothing is handed out from now on for the requests that a target covers.
  ///
  /// - Returns: how many clients wait for theirs, and the sessions that all of them may bring.
  public func revoke(_ target: RevocationTarget) -> (clients: Int, sessions: Set<ForgottenSession>) {
    var (clients, sessions) = (0, Set<ForgottenSession>())
    for request in state.withLock({ Array($0.requests.values) }) {
      guard let own = request.revoke(target) else { continue }
      if request.isAsked { clients += 1 }
      sessions.formUnion(own)
    }
    return (clients, sessions)
  }
}
