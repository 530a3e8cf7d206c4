import Synchronization
import VaultModel

/// Counts who is turned away on loopback, and tells of it once for many: of another user's connection at once, of requests
/// that no program of ours would make when there are sixteen within a minute; then not again for a minute.
///
/// Nobody is locked out by it. A token of 256 bits cannot be guessed, and whoever could lock a program out by guessing had a way to stop it.
final class RejectionMonitor: Sendable {
  /// Requests within ``window`` seconds of which is told.
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
    /// When a user's connection was told of last, where it knocked.
    var guests: [Guest: Timestamp] = [:]
    var tell: (@Sendable (String) -> Void)?
  }
  private let state = Mutex(State())
  private let clock: any WallClock

  init(clock: any WallClock) { self.clock = clock }

  /// Names who is told.
  func observe(_ tell: @escaping @Sendable (String) -> Void) { state.withLock { $0.tell = tell } }

  /// - Parameter why: the last of many, for the log.
  func record(_ why: String) {
    let now = clock.now()
    let tell = state.withLock { state -> (@Sendable (String) -> Void)? in
      if Self.isOver(state.requests.since, now) { state.requests = Count(since: now) }
      state.requests.number += 1
      return state.requests.number == Self.many ? state.tell : nil
    }
    tell?("\(Self.many) requests were refused within a minute (\(why))")
  }

  /// - Parameter place: where it was turned away, other than where programs are served.
  func record(_ peer: LoopbackPeer, at place: String = "") {
    guard let name = peer.name else { return }
    let now = clock.now()
    let guest = Guest(user: peer.user, place: place)
    let tell = state.withLock { state -> (@Sendable (String) -> Void)? in
      state.guests = state.guests.filter { !Self.isOver($0.value, now) }
      guard state.guests[guest] == nil, state.guests.count < Self.many else { return nil }
      state.guests[guest] = now
      return state.tell
    }
    tell?("\(name) was refused\(place.isEmpty ? "" : " at \(place)")")
  }

  /// Also where the clock was set back.
  private static func isOver(_ since: Timestamp, _ now: Timestamp) -> Bool { !(0..<window * 1_000).contains(now.since(since)) }
}
