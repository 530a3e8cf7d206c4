import CSystem
import Glibc
import VaultModel

/// A process, distinct from every other that has or had its ID since the machine's start.
struct ProcessKey: Sendable, Hashable {
  let pid: Int32
  /// Clock ticks since the machine's start.
  let started: Int64

  /// Nil if no such process runs.
  init?(_ pid: Int32) {
    let started = pid > 0 ? sys_process_start(pid) : -1
    guard started >= 0 else { return nil }
    (self.pid, self.started) = (pid, started)
  }

  /// Whether it runs still. One that has ended keeps its ID until it was waited for.
  var isRunning: Bool {
    guard ProcessKey(pid) == self else { return false }
    let process = sys_pidfd_open(pid)
    guard process >= 0 else { return errno != ESRCH }
    defer { close(process) }
    var end = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
    return poll(&end, 1, 0) == 0
  }
}

/// The processes for which one confirmation is given: a run that acts by itself, or else the session of the process that asks, which
/// for most is a terminal's shell and what runs in it.
enum AskingTree: Sendable, Hashable {
  case run(String)
  /// All processes from this one down.
  case root(ProcessKey)
  /// The kernel does not say whose process it is: it has this tree to itself.
  case unknown(Int)

  /// - Parameter number: distinct for each call.
  init(of requester: Requester, number: Int) {
    if let run = requester.automation {
      self = .run(run.run)
    } else if let root = Self.root(requester.pid, uid: requester.uid) {
      self = .root(root)
    } else {
      self = .unknown(number)
    }
  }

  /// Whether it can be told apart from all others.
  var isKnown: Bool { if case .unknown = self { false } else { true } }

  /// Whether the questions of both count against one limit: those of one tree do, and those of all that are unknown.
  func shares(room other: AskingTree) -> Bool { self == other || !(isKnown || other.isKnown) }

  /// Whether a process belongs to it.
  ///
  /// - Parameter ancestry: the process, and those above it.
  func contains(_ requester: Requester, _ ancestry: Ancestry) -> Bool {
    switch self {
    case .run(let run): return requester.automation?.run == run
    case .unknown: return false
    case .root(let root):
      return Self.root(requester.pid, uid: requester.uid) == root
        || (CollectionOfOne(ancestry.pid) + ancestry.parents).contains { $0 == root.pid && ProcessKey($0) == root }
    }
  }

  private static func root(_ pid: Int32, uid: UInt32) -> ProcessKey? {
    guard pid > 0, case let session = getsid(pid), session >= 0 else { return nil }
    if session > 0, let leader = ProcessKey(session) { return leader }
    let chain = Ancestry(of: pid)
    guard chain.isComplete else { return nil }
    let above: Int32?
    if session > 0 {
      // The leader has ended. What is left of its session has an ID of its own, which no other session gets meanwhile.
      above = chain.parents.last { getsid($0) == session }
    } else {
      // The leader is outside this PID namespace (getsid(2)), as for a program that was started into a container.
      above = chain.parents.last { owner($0) == uid }
    }
    return ProcessKey(above ?? pid)
  }

  /// The owner of a process's files in `/proc`; nil if no such process runs.
  static func owner(_ pid: Int32) -> UInt32? {
    var status = stat()
    return stat("/proc/\(pid)", &status) == 0 ? status.st_uid : nil
  }
}
