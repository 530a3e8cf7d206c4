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

  init(of pid: Int32) {
    self.pid = pid
    guard pid > 0 else {
      (parents, isComplete) = ([], false)
      return
    }
    var isComplete = false
    parents = withUnsafeTemporaryAllocation(of: Int32.self, capacity: Self.maxDepth) { buffer in
      let count = sys_ancestors(pid, buffer.baseAddress!, Int32(buffer.count))
      isComplete = count >= 0
      return Array(buffer[..<max(0, Int(count))])
    }
    self.isComplete = isComplete
  }
}
