import VaultModel

/// A tree of processes that act by themselves: a run of `vault exec --automation`, or what a variable hints at.
struct AutomationTree: Sendable, Hashable {
  let run: AutomationRun
  let root: ProcessIdentity
  /// What the run's options narrow its sessions to. See ``effectiveScope(allowed:)``.
  let scope: SessionScope
  /// The tree's own control group, as `/proc/PID/cgroup` shows it; nil where no user manager made one.
  var cgroup: String?
  /// From then on the tree gets nothing.
  var isRevoked = false
  /// Only a variable in the requester's environment says so. It narrows where a rule on automation says so, and binds nobody
  /// otherwise: ``Requester/automation`` is nil.
  var isHint = false

  /// What its sessions are narrowed to. A tree that nobody narrowed is read-only, unless a guard rule allows it more.
  ///
  /// - Parameter allowed: whether the rules of the profile say `automation = allow` or `confirm`.
  func effectiveScope(allowed: Bool) -> SessionScope {
    isHint || allowed || scope.narrows ? scope : SessionScope(scope) { $0.isReadOnly = true }
  }

  /// A program that says of itself that it acts by itself, by the name of the variable that says so.
  static func hint(_ variable: String) -> AutomationTree {
    AutomationTree(
      run: AutomationRun(name: variable, run: "", rootPid: 0), root: ProcessIdentity(pid: 0, started: 0, boot: ""), scope: .none,
      isHint: true)
  }
}

extension SessionScope {
  fileprivate init(_ scope: SessionScope, _ change: (inout SessionScope) -> Void) {
    self = scope
    change(&self)
  }
}
