import VaultModel

// What a person asked for that changes nothing.
extension CredentialPlan {
  /// One line that names the options without an effect here, and why they have none; nil where there is none.
  func withoutEffect(_ request: CredentialRequest) -> String? {
    var options: [String] = []
    if request.duration != nil, steps.isEmpty, decidesLength { options.append("--duration (its source decides that)") }
    if request.sessionName != nil, steps.isEmpty, !namesSession { options.append("--session-name (no role is assumed by it)") }
    if request.mfaCode != nil, own?.mfa == nil, !steps.contains(where: { $0.link.mfaSerial != nil }) {
      options.append("--mfa-code (it has no mfa_serial\(steps.isEmpty ? "" : " of its own"))")
    }
    if request.keyUse == .themselves, !isOverKeys { options.append("--no-session (it has no access keys)") }
    return options.isEmpty ? nil : "\(profile): without effect: \(options.joined(separator: ", "))"
  }

  private var isOverKeys: Bool { if case .keys = identity { true } else { false } }

  /// Whether the identity itself says how long its credentials live.
  private var decidesLength: Bool {
    switch identity {
    case .keys, .webIdentity, .saml: false
    case .sso, .process, .container, .instance, .environment: true
    }
  }

  private var namesSession: Bool { if case .webIdentity = identity { true } else { false } }
}
