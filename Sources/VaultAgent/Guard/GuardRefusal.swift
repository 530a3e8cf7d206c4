import VaultModel

/// A guard rule, or the rule of a tree that acts by itself, refuses a request.
struct GuardRefusal: ReportableError, Hashable {
  let message: String
  let hint: String?
  let exitStatus: ExitStatus

  init(_ message: String, hint: String?, exitStatus: ExitStatus = .refused) {
    self.message = message
    self.hint = hint
    self.exitStatus = exitStatus
  }

  /// A refusal by one setting of a rule.
  ///
  /// - Parameter why: what the rule demands and the request lacks, unless the setting cannot be understood.
  init(
    _ profile: String, _ key: GuardKey, of rule: GuardRule, because why: String, hint: String, exitStatus: ExitStatus = .refused
  ) {
    let line = rule.line(of: key)
    let fault = rule.faults.first { $0.origin == line }
    self.init(
      "\(profile): \(fault?.text ?? why) ([\(rule.section)] at \(line))",
      hint: fault == nil ? hint : "correct that line; until then it guards all that it could mean (`vault guard list`)",
      exitStatus: exitStatus)
  }
}
