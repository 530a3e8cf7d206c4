import CSystem
import Glibc

/// The processes above one, as the kernel reports them at this moment.
struct Ancestry: Sendable {
  /// No person's process is as deep; what is deeper is not told apart from a tree that hides.
  private static let maxDepth = 1_024

  let pid: Int32
  /// The nearest first.
  let parents: [Int32]
  /// Whether every one of them could be read, up to the first process of this PID namespace.
  let isComplete: Bool
  /// Whether there are more than were looked at.
  let isTooDeep: Bool

  init(of pid: Int32, maxDepth: Int = Self.maxDepth) {
    self.pid = pid
    guard pid > 0 else {
      (parents, isComplete, isTooDeep) = ([], false, false)
      return
    }
    var found = Int32(-1)
    parents = withUnsafeTemporaryAllocation(of: Int32.self, capacity: maxDepth) { buffer in
      let count = sys_ancestors(pid, buffer.baseAddress!, Int32(buffer.count))
      found = count
      return Array(buffer[..<max(0, Int(count))])
    }
    (isComplete, isTooDeep) = (found >= 0, found == SYS_TOO_DEEP)
  }

  /// The process itself, or the one above it, that is nearest below those that adopt; nil if it is one of those.
  ///
  /// - Parameter adopters: from the first process of the machine down.
  func topmost(below adopters: [Int32]) -> Int32? {
    let line = parents.reversed() + CollectionOfOne(pid)
    let shared = zip(line, adopters).prefix { $0 == $1 }.count
    return line.dropFirst(shared).first
  }
}
