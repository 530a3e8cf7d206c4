import Glibc

/// A part of the log in which every row follows the one before.
struct VerifiedRange: Sendable {
  /// The position before its first row, by what that row's predecessor states of itself.
  var start: ChainPosition
  private(set) var end: ChainPosition
  private(set) var lastTime: Int64 = 0
  /// As in ``VerificationPass``.
  private(set) var firstWith: Int64?
  private(set) var firstWithout: Int64?
  private var beginsWithout = false

  init(at start: ChainPosition) {
    self.start = start
    end = start
  }

  init(_ pass: borrowing VerificationPass, from start: ChainPosition) {
    self.start = start
    end = ChainPosition(sequence: pass.sequence, hash: pass.hash)
    lastTime = pass.lastTime
    firstWith = pass.firstWith
    firstWithout = pass.firstWithout
    beginsWithout = firstWith != start.sequence + 1
  }

  /// Appends the part that follows.
  ///
  /// - Returns: false if it does not follow, or only one of the two has the MACs that it should have.
  mutating func append(_ next: VerifiedRange) -> Bool {
    guard next.start == end else { return false }
    if firstWith != nil {
      // MACs have no gaps.
      guard next.firstWith == nil || firstWithout == nil && !next.beginsWithout else { return false }
      firstWithout = firstWithout ?? (next.beginsWithout ? next.start.sequence + 1 : next.firstWithout)
    } else {
      (firstWith, firstWithout) = (next.firstWith, next.firstWithout)
    }
    (end, lastTime) = (next.end, next.lastTime)
    return true
  }
}

/// Work for several cores.
enum Cores {
  private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// Runs `body` for each number below `count` at once, each on a thread of its own, and waits for all.
  static func each<Result: Sendable>(_ count: Int, _ body: @Sendable (Int) -> Result) -> [Result] {
    withoutActuallyEscaping(body) { body in
      let results = UnsafeMutablePointer<Result?>.allocate(capacity: count)
      results.initialize(repeating: nil, count: count)
      defer {
        results.deinitialize(count: count)
        results.deallocate()
      }
      let threads = (0..<count).map { number -> pthread_t? in
        let work = Unmanaged.passRetained(Work { results[number] = body(number) })
        var thread = pthread_t()
        let status = pthread_create(
          &thread, nil,
          { context in
            if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
            return nil
          }, work.toOpaque())
        if status == 0 { return thread }
        work.takeRetainedValue().body()
        return nil
      }
      for thread in threads { if let thread { pthread_join(thread, nil) } }
      return (0..<count).compactMap { results[$0] }
    }
  }
}
