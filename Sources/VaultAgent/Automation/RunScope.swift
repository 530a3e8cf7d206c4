import Glibc
import VaultConcurrency
import VaultKeys
import VaultModel

/// A control group of a run's own, which holds the processes that leave the chain of parents too.
enum RunScope {
  /// Milliseconds for the manager to move the process, after it has agreed to.
  private static let limit = 2_000

  /// Has the user's service manager make one.
  ///
  /// - Parameter buses: where the manager may be.
  /// - Returns: the group, as the root's `/proc/PID/cgroup` names it; nil without control groups of version 2, or without a manager.
  static func make(for run: AutomationRun, buses: [String]) async -> String? {
    guard !buses.isEmpty, ProcessFacts.controlGroup(of: run.rootPid) != nil else { return nil }
    let unit = "vault-automation-\(run.run).scope"
    return await BlockingPool.shared.run {
      let description = "vault exec --automation \(run.name)"
      guard buses.contains(where: { UserManager.startScope(unit, description: description, process: run.rootPid, on: $0) }) else {
        return nil
      }
      // The manager answers before its job is done; what counts is where the kernel says that the process is.
      for _ in 0..<limit {
        guard let group = ProcessFacts.controlGroup(of: run.rootPid) else { return nil }
        if group.hasSuffix("/" + unit) { return group }
        usleep(1_000)
      }
      return nil
    }
  }
}
