import Glibc
import VaultModel

/// A process, with what the kernel says about its place among others.
struct ProcessPlace: Sendable, Hashable {
  let pid: Int32
  /// In clock ticks since the machine's start.
  let began: Int64
  /// The device of its controlling terminal; 0 if it has none.
  let terminal: UInt32
  /// The owner of its files in `/proc`: its user, or root for a process that does not let its user look at it.
  let uid: UInt32
  /// Its control group; nil without control groups of version 2.
  let controlGroup: String?

  var isOnPseudoTerminal: Bool { ProcessFacts.pseudoTerminal(terminal) != nil }
  /// The first process of a PID namespace, to which come the processes that have lost their parents.
  var isFirst: Bool { pid == 1 }

  init(pid: Int32, began: Int64, terminal: UInt32, uid: UInt32, controlGroup: String?) {
    (self.pid, self.began, self.terminal, self.uid, self.controlGroup) = (pid, began, terminal, uid, controlGroup)
  }

  /// Nil if no such process runs.
  init?(_ pid: Int32) {
    guard let status = ProcessFacts.status(of: pid), let uid = AskingTree.owner(pid) else { return nil }
    self.init(
      pid: pid, began: status.began, terminal: status.terminal, uid: uid, controlGroup: ProcessFacts.controlGroup(of: pid))
  }

  /// One process is the same wherever it has moved to since.
  static func == (one: ProcessPlace, other: ProcessPlace) -> Bool { one.pid == other.pid && one.began == other.began }
  func hash(into hasher: inout Hasher) { hasher.combine(pid) }

  /// A process and those above it, the nearest first.
  static func line(_ ancestry: Ancestry) -> [ProcessPlace] {
    ancestry.pid > 0 ? (CollectionOfOne(ancestry.pid) + ancestry.parents).compactMap { ProcessPlace($0) } : []
  }
}
