import VaultModel

/// A tree of processes that act by themselves: a run of `vault exec --automation`, or what a variable hints at.
struct AutomationTree: Sendable, Hashable {
  let run: AutomationRun
  let root: ProcessIdentity
  /// The scope from the run's options. See ``effectiveScope(allowed:)``.
  let scope: SessionScope
  /// The tree's own control group, as `/proc/PID/cgroup` shows it; nil where no user manager made one.
  var cgroup: String?
  /// From then on the tree gets nothing.
  var isRevoked = false
  /// Only a variable in the requester's environment says so. It narrows where a rule on automation says so, and binds nobody
  /// otherwise: ``Requester/automation`` is nil.
  var isHint = false

  /// The scope of its sessions: read-only if the options name none, unless a guard rule allows more.
  ///
  /// - Parameter allowed: whether the rules of the profile say `automation = allow` or `confirm`.
  func effectiveScope(allowed: Bool) -> SessionScope {
    isHint || allowed || scope.narrows ? scope : SessionScope(scope) { $0.isReadOnly = true }
  }

  /// A program that says of itself that it acts by itself, by the name of the variable that says so.
  static func hint(_ variable: String) -> AutomationTree {
    AutomationTree(unknownRootOf: AutomationRun(name: variable, run: "", rootPid: 0), scope: .none, isHint: true)
  }
}

extension AutomationTree {
  /// A tree whose root is not known: no process is taken for it.
  init(unknownRootOf run: AutomationRun, scope: SessionScope, isRevoked: Bool = false, isHint: Bool = false) {
    self.init(
      run: run, root: ProcessIdentity(pid: 0, started: 0, boot: ""), scope: scope, isRevoked: isRevoked, isHint: isHint)
  }
}

extension SessionScope {
  fileprivate init(_ scope: SessionScope, _ change: (inout SessionScope) -> Void) {
    self = scope
    change(&self)
  }
}
