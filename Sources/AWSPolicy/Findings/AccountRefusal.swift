// Which side refuses the call, where AWS's words do not say it and the policies could be read.
extension AccountCheck {
  /// The finding about a call that AWS refused.
  func refused(_ text: String) -> Finding {
    var finding = Finding(.assumeRole, .differs, detail: text)
    finding.refusal = refusal(Denial(text, operation: String(needs.door.action.dropFirst("sts:".count))))
    return finding
  }

  /// - Returns: nil if neither AWS's words nor what was read decides it.
  private func refusal(_ denial: Denial?) -> Finding.Refusal? {
    if let denial {
      let cause = DenialCause(denial, call: needs)
      if cause.refusedBy != .unknown { return Finding.Refusal(cause.refusedBy, isExplicit: cause.isExplicit, sid: cause.sid) }
    }
    // A role that does not exist trusts nobody.
    if case .absent = snapshot.role { return Finding.Refusal(.trustPolicy) }
    let denied = (snapshot.simulation.value ?? []).filter { !$0.isAllowed }
    if denied.contains(where: { $0.isAllowedByOrganization == false }) { return Finding.Refusal(.scp) }
    let refusals = decision?.refusals ?? []
    let action = denial?.action?.lowercased()
    if let refusal = refusals.first(where: { $0.action.lowercased() == action }) ?? refusals.first {
      return self.refusal(refusal)
    }
    if denied.contains(where: { $0.isAllowedByBoundary == false }) { return Finding.Refusal(.permissionsBoundary) }
    return denied.first.map { Finding.Refusal(.identityPolicy, isExplicit: $0.isExplicitDeny) }
  }

  private func refusal(_ refusal: AssumeRoleDecision.Refusal) -> Finding.Refusal {
    let place = refusal.decision.statement
    func found(_ side: DenialCause.Side) -> Finding.Refusal {
      Finding.Refusal(side, isExplicit: refusal.isExplicit, sid: place?.sid)
    }
    switch refusal.action {
    case "sts:TagSession": return found(.tags)
    case "sts:SetSourceIdentity": return found(.sourceIdentity)
    default: break
    }
    // A statement that would allow the call but for its conditions.
    let near = refusal.decision.nearMisses.first?.mismatches ?? []
    let keys = near.compactMap { mismatch -> String? in
      if case .condition(let condition, _) = mismatch { condition.key.lowercased() } else { nil }
    }
    if !keys.isEmpty, keys.count == near.count, let side = keys.compactMap(DenialCause.Side.init(conditionKey:)).first {
      return found(side)
    }
    return found(DenialCause.Side(refusal.side))
  }
}

extension DenialCause.Side {
  /// The side that a condition is about, where it is about what the call carries and not about who calls.
  fileprivate init?(conditionKey key: String) {
    switch key {
    case "aws:multifactorauthpresent", "aws:multifactorauthage": self = .mfa
    case "sts:externalid": self = .externalId
    case "sts:sourceidentity": self = .sourceIdentity
    case "aws:tagkeys", "sts:transitivetagkeys": self = .tags
    case _ where key.hasPrefix("aws:requesttag/"): self = .tags
    default: return nil
    }
  }

  fileprivate init(_ side: AssumeRoleDecision.Side) {
    switch side {
    case .identityPolicy: self = .identityPolicy
    case .trustPolicy: self = .trustPolicy
    case .permissionsBoundary: self = .permissionsBoundary
    case .sessionPolicy: self = .sessionPolicy
    case .serviceControlPolicy: self = .scp
    case .resourceControlPolicy: self = .rcp
    }
  }
}

extension DenialCause {
  /// Whether AWS's words leave open which policy refuses.
  public var isOpen: Bool { refusedBy == .unknown || !possible.isEmpty }

  /// The cause with what `vault iam check` found in the account, where AWS's words leave it open.
  public func completed(by findings: [Finding]) -> DenialCause {
    guard isOpen, let refused = findings.last(where: { $0.check == .assumeRole }),
      let refusal = refused.refusal
    else { return self }
    var cause = self
    cause.refusedBy = refusal.side
    (cause.isExplicit, cause.sid) = (refusal.isExplicit || isExplicit, refusal.sid ?? sid)
    let wrong = findings.filter { $0.state != .ok && Self.checks(of: refusal.side).contains($0.check) }
    let differing = wrong.filter { $0.state == .differs }
    let shown = differing.isEmpty ? wrong : differing
    guard let first = shown.first else {
      cause.possible = []
      return cause
    }
    cause.explanation = shown.map { Self.sentence($0) }.joined(separator: " ")
    // The owner of what differs is that of the possibility about the same side.
    let side: Side = first.check == .trustPolicy || first.check == .role ? .trustPolicy : .identityPolicy
    let owner = possible.first { $0.side == refusal.side } ?? possible.first { $0.side == side }
    let document = shown.compactMap { $0.fix?.document }.first.flatMap {
      try? PolicyDocument(json: $0, kind: side == .trustPolicy ? .trust : .permissionSetInline)
    }
    cause.fix = owner?.fix.map { Fix(who: $0.who, document: document) }
    cause.possible = []
    return cause
  }

  private static func checks(of side: Side) -> Set<Finding.Check> {
    switch side {
    case .trustPolicy: [.trustPolicy, .role]
    case .identityPolicy, .permissionsBoundary, .scp: [.assumePolicy, .permissionSet]
    case .duration: [.maxSessionDuration]
    default: [.trustPolicy, .assumePolicy]
    }
  }

  private static func sentence(_ finding: Finding) -> String {
    let subject = finding.check == .trustPolicy && finding.detail.hasPrefix("it ") ? "The trust policy:" : ""
    let text = finding.detail.hasPrefix("it ") ? finding.detail : finding.detail.capitalizedFirst
    return (subject.isEmpty ? text : "\(subject) \(text)") + "."
  }
}
