import VaultModel

/// When each session is due, and which of the due ones wait for their endpoint.
///
/// Both are heaps, so that ten thousand sessions cost no more to look after than ten. What is put off, taken out or put in anew leaves its old
/// place behind, which is known by its ticket and passed over.
struct RenewalQueue {
  /// A session's place in one of the heaps.
  struct Place: Comparable {
    /// Those that a running program is served come first.
    let tier: Int
    /// In the agenda when it is due; in an endpoint's line when it ends.
    let moment: Timestamp
    let generation: Int
    let key: Scheduler.Key

    static func < (a: Place, b: Place) -> Bool { (a.tier, a.moment, a.generation) < (b.tier, b.moment, b.generation) }
  }

  /// Milliseconds before the end of a session that a running program is served, from which on it waits for no token: botocore and the Java
  /// SDK ask for a new one from then on.
  static let urgency: Int64 = 15 * 60_000

  /// The due sessions of one endpoint.
  struct EndpointQueue {
    let endpoint: String
    var bucket: TokenBucket
    var waiting = PriorityQueue<Place>()
    /// Calls without an answer since the last one that had one.
    var silences = 0
    /// Those that will be tried again after a pause.
    var pausing: [Scheduler.Key] = []

    /// Whether nobody has answered for a while.
    var isDown: Bool { silences >= 3 }
  }

  private var due = PriorityQueue<Place>()
  /// In the order of their first use.
  private(set) var lines: [EndpointQueue] = []
  private var numbers: [String: Int] = [:]
  /// Each session's valid place.
  private var generations: [Scheduler.Key: Int] = [:]
  private var lastGeneration = 0

  /// The endpoint's number in ``lines``.
  mutating func line(_ endpoint: String, at now: Timestamp) -> Int {
    if let number = numbers[endpoint] { return number }
    lines.append(EndpointQueue(endpoint: endpoint, bucket: TokenBucket(at: now)))
    numbers[endpoint] = lines.count - 1
    return lines.count - 1
  }

  /// Does something with an endpoint's line.
  mutating func withLine(_ line: Int, _ body: (inout EndpointQueue) -> Void) { body(&lines[line]) }

  /// Does something with an endpoint's bucket.
  mutating func withBucket(_ line: Int, _ body: (inout TokenBucket) -> Void) { body(&lines[line].bucket) }

  /// Puts a session where it is due at a moment.
  mutating func put(_ key: Scheduler.Key, due moment: Timestamp) {
    due.insert(Place(tier: 0, moment: moment, generation: generation(for: key), key: key))
  }

  /// Puts a due session into its endpoint's line, which goes by what ends first.
  mutating func queue(_ key: Scheduler.Key, in line: Int, served: Bool, endsAt: Timestamp) {
    lines[line].waiting.insert(Place(tier: served ? 0 : 1, moment: endsAt, generation: generation(for: key), key: key))
  }

  /// Takes a session out of wherever it is.
  mutating func withdraw(_ key: Scheduler.Key) { generations[key] = nil }

  /// Takes out every session. The lines stay, since calls that are under way will speak of theirs.
  mutating func removeAll() {
    generations.removeAll()
    due = PriorityQueue()
    for line in lines.indices { lines[line].waiting = PriorityQueue() }
  }

  /// Takes out the next session that is due by now.
  mutating func nextDue(at now: Timestamp) -> Scheduler.Key? {
    guard let moment = firstDue(), moment <= now else { return nil }
    return taken(due.removeFirst())
  }

  /// When the next one is due.
  mutating func firstDue() -> Timestamp? {
    while let place = due.first, generations[place.key] != place.generation { due.removeFirst() }
    return due.first?.moment
  }

  /// Takes out the next session of a line for which there is a token, or which is too urgent to wait for one and pays for it afterwards.
  mutating func next(in line: Int, at now: Timestamp) -> Scheduler.Key? {
    guard let place = first(in: line) else { return nil }
    if let urgent = urgentAt(place, in: line), urgent <= now {
      lines[line].bucket.charge(1, at: now)
    } else if !lines[line].bucket.take(at: now) {
      return nil
    }
    return taken(lines[line].waiting.removeFirst())
  }

  /// When the first line can go on.
  mutating func nextToken(at now: Timestamp) -> Timestamp? {
    var next: Timestamp?
    for line in lines.indices {
      guard let place = first(in: line) else { continue }
      let token = lines[line].bucket.nextToken(at: now)
      next = min(next ?? token, token, urgentAt(place, in: line) ?? token)
    }
    return next
  }

  /// When a session waits no longer for a token; nil where it always does, as all do in an outage.
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
