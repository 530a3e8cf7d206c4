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

  /// The process itself, or the one above it, that is nearest below those that adopt; nil if it is one of those.
  ///
  /// - Parameter adopters: from the first process of the machine down.
  func topmost(below adopters: [Int32]) -> Int32? {
    let line = parents.reversed() + CollectionOfOne(pid)
    let shared = zip(line, adopters).prefix { $0 == $1 }.count
    return line.dropFirst(shared).first
  }
}
