import VaultConcurrency
import VaultModel

/// When each session is due, and which due sessions wait for their endpoint.
///
/// Both are heaps, so that ten thousand sessions cost no more to manage than ten. A session that is postponed, removed or inserted
/// again leaves its old place behind; an outdated place is recognized by its generation and skipped.
struct RenewalQueue {
  /// A session's place in one of the heaps.
  struct Place: Comparable {
    /// Sessions that serve a running program come first.
    let tier: Int
    /// In the agenda, when the session is due; in an endpoint's line, when it expires.
    let moment: Timestamp
    let generation: Int
    let key: Scheduler.Key

    static func < (a: Place, b: Place) -> Bool { (a.tier, a.moment, a.generation) < (b.tier, b.moment, b.generation) }
  }

  /// Milliseconds before a served session expires at which it stops waiting for a token: from then on, botocore and the Java SDK
  /// ask for a new one.
  static let urgency: Int64 = 15 * 60_000

  /// The due sessions of one endpoint.
  struct EndpointQueue {
    let endpoint: String
    var bucket: TokenBucket
    var waiting = PriorityQueue<Place>()
    /// Unanswered calls since the last answer.
    var silences = 0
    /// Sessions that are retried after a pause.
    var pausing: [Scheduler.Key] = []

    /// Whether the endpoint has not answered for a while.
    var isDown: Bool { silences >= 3 }
  }

  private var due = PriorityQueue<Place>()
  /// In the order of their first use.
  private(set) var lines: [EndpointQueue] = []
  private var numbers: [String: Int] = [:]
  /// The generation of each session's valid place.
  private var generations: [Scheduler.Key: Int] = [:]
  private var lastGeneration = 0

  /// The endpoint's index in ``lines``.
  mutating func line(_ endpoint: String, at now: Timestamp) -> Int {
    if let number = numbers[endpoint] { return number }
    lines.append(EndpointQueue(endpoint: endpoint, bucket: TokenBucket(at: now)))
    numbers[endpoint] = lines.count - 1
    return lines.count - 1
  }

  /// Runs `body` on an endpoint's line.
  mutating func withLine(_ line: Int, _ body: (inout EndpointQueue) -> Void) { body(&lines[line]) }

  /// Runs `body` on an endpoint's bucket.
  mutating func withBucket(_ line: Int, _ body: (inout TokenBucket) -> Void) { body(&lines[line].bucket) }

  /// Schedules a session for a moment.
  mutating func put(_ key: Scheduler.Key, due moment: Timestamp) {
    due.insert(Place(tier: 0, moment: moment, generation: generation(for: key), key: key))
  }

  /// Puts a due session into its endpoint's line, ordered by expiry.
  mutating func queue(_ key: Scheduler.Key, in line: Int, served: Bool, endsAt: Timestamp) {
    lines[line].waiting.insert(Place(tier: served ? 0 : 1, moment: endsAt, generation: generation(for: key), key: key))
  }

  /// Removes a session, wherever it is.
  mutating func withdraw(_ key: Scheduler.Key) { generations[key] = nil }

  /// Removes every session. The lines stay, since running calls still refer to theirs.
  mutating func removeAll() {
    generations.removeAll()
    due = PriorityQueue()
    for line in lines.indices { lines[line].waiting = PriorityQueue() }
  }

  /// Removes and returns the next session that is due.
  mutating func nextDue(at now: Timestamp) -> Scheduler.Key? {
    guard let moment = firstDue(), moment <= now else { return nil }
    return taken(due.removeFirst())
  }

  /// When the next session is due.
  mutating func firstDue() -> Timestamp? {
    while let place = due.first, generations[place.key] != place.generation { due.removeFirst() }
    return due.first?.moment
  }

  /// Removes and returns the next session of a line that has a token, or that is too urgent to wait for one and pays for it
  /// afterwards.
  mutating func next(in line: Int, at now: Timestamp) -> Scheduler.Key? {
    guard let place = first(in: line) else { return nil }
    if let urgent = urgentAt(place, in: line), urgent <= now {
      lines[line].bucket.charge(1, at: now)
    } else if !lines[line].bucket.consume(at: now) {
      return nil
    }
    return taken(lines[line].waiting.removeFirst())
  }

  /// When the first line can continue.
  mutating func nextToken(at now: Timestamp) -> Timestamp? {
    var next: Timestamp?
    for line in lines.indices {
      guard let place = first(in: line) else { continue }
      let token = lines[line].bucket.nextToken(at: now)
      next = min(next ?? token, token, urgentAt(place, in: line) ?? token)
    }
    return next
  }

  /// When a session stops waiting for a token; nil if it always waits, as all do in an outage.
  private func urgentAt(_ place: Place, in line: Int) -> Timestamp? {
    place.tier == 0 && !lines[line].isDown ? place.moment.adding(milliseconds: -Self.urgency) : nil
  }

  private mutating func first(in line: Int) -> Place? {
    while let place = lines[line].waiting.first, generations[place.key] != place.generation { lines[line].waiting.removeFirst() }
    return lines[line].waiting.first
  }

  private mutating func generation(for key: Scheduler.Key) -> Int {
    lastGeneration += 1
    generations[key] = lastGeneration
    return lastGeneration
  }

  private mutating func taken(_ place: Place?) -> Scheduler.Key? {
    if let place { generations[place.key] = nil }
    return place?.key
  }
}
