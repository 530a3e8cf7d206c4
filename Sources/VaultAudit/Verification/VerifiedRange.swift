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
