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

    public var isValid: Bool { owner.allows(self) }
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
}
