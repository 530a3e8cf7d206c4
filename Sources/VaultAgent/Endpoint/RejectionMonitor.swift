import Synchronization
import VaultModel

/// Counts rejected requests on loopback, and reports many of them once. Another user's connection is reported at once; requests
/// that no program of the vault's would make are reported when there are sixteen within a minute. The next report follows after a
/// minute at the earliest.
///
/// It locks nobody out. A token of 256 bits cannot be guessed, and a lockout would let an attacker stop a program by guessing.
final class RejectionMonitor: Sendable {
  /// The number of requests within ``window`` seconds that is reported.
  static let many = 16
  static let window: Int64 = 60

  private struct Count {
    var since = Timestamp(milliseconds: 0)
    var number = 0
  }
  private struct Guest: Hashable {
    let user: UInt32?
    let place: String
  }
  private struct State {
    var requests = Count()
    /// When a connection of another user was last reported, per user and place.
    var guests: [Guest: Timestamp] = [:]
  }
  private let state = Mutex(State())
  private let clock: any WallClock
  private let events: AgentEvents

  init(clock: any WallClock, events: AgentEvents) {
    self.clock = clock
    self.events = events
  }

  /// - Parameter why: the reason of the last rejection, for the log.
  func record(_ why: String) {
    let now = clock.now()
    let isMany = state.withLock { state in
      if Self.isOver(state.requests.since, now) { state.requests = Count(since: now) }
      state.requests.number += 1
      return state.requests.number == Self.many
    }
    if isMany { events.report(.requestsRefused("\(Self.many) requests were refused within a minute (\(why))")) }
  }

  /// - Parameter place: where the connection was rejected, if not at the credential endpoint.
  func record(_ peer: LoopbackPeer, at place: String = "") {
    guard let name = peer.name else { return }
    let now = clock.now()
    let guest = Guest(user: peer.user, place: place)
    let isNew = state.withLock { state in
      state.guests = state.guests.filter { !Self.isOver($0.value, now) }
      guard state.guests[guest] == nil, state.guests.count < Self.many else { return false }
      state.guests[guest] = now
      return true
    }
    if isNew { events.report(.requestsRefused("\(name) was refused\(place.isEmpty ? "" : " at \(place)")")) }
  }

  /// True also if the clock was set back.
  private static func isOver(_ since: Timestamp, _ now: Timestamp) -> Bool { !(0..<window * 1_000).contains(now.since(since)) }
}
