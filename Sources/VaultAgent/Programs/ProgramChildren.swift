import CSystem
import Synchronization
import VaultModel

/// The programs that the agent runs at this moment, and for whom.
///
/// A program that is run for a tree of processes that act by themselves is one of the tree's, although it stands below the agent. What
/// it leaves behind stays below the agent, and gets nothing.
final class ProgramChildren: Sendable {
  /// Who is served by a process below the agent.
  enum Owner: Hashable {
    case person
    case run(String)
    /// The process was left behind by a program that has ended.
    case nobody
  }

  private let owners = Mutex<[Int32: Owner]>([:])
  private let servedRun = Atomic(false)

  /// Whether a program has been run for a tree.
  var haveServedRun: Bool { servedRun.load(ordering: .relaxed) }

  /// Call before a program is started.
  func willBegin(for run: AutomationRun?) {
    guard run != nil, !servedRun.exchange(true, ordering: .relaxed) else { return }
    if sys_become_subreaper() != 0 {
      AgentLog.write("what programs leave behind cannot be kept below the agent (errno \(sys_errno()))")
    }
  }

  func began(_ pid: Int32, for run: AutomationRun?) { owners.withLock { $0[pid] = run.map { .run($0.run) } ?? .person } }

  func ended(_ pid: Int32) {
    owners.withLock { $0[pid] = nil }
    sys_reap_orphans()
  }

  /// - Parameter pid: a child of the agent.
  func owner(of pid: Int32) -> Owner { owners.withLock { $0[pid] } ?? .nobody }
}
