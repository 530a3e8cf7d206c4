import AWSClient
import AWSPolicy
import VaultBytes
import VaultModel
import VaultSecrets
import VaultStore

/// A chain with every parameter decided, and every session's name and fingerprint known.
struct CredentialPlan: Sendable {
  /// One `AssumeRole`.
  struct Step: Sendable {
    let link: RoleLink
    let sessionName: RoleSessionName
    let duration: SessionDuration
    /// The requested duration, if a chained role gets less.
    let cutFrom: SessionDuration?
    let chained: Bool
    /// What the role's trust policy and the caller's own have to allow.
    let needs: AccessNeeds?
    /// The digest of this call and all before it.
    let fingerprint: String
  }

  /// The identity's own temporary credentials. Access keys need them for MFA, or if the keys themselves were requested; every other
  /// identity always has them.
  struct IdentityStep: Sendable {
    /// The profile that owns the session.
    var owner: String
    var mfa: Device?
    var duration: SessionDuration
    /// For a token or an assertion.
    var sessionName: RoleSessionName
    var region: String?
    var endpoint: EndpointSettings
    /// By `GetFederationToken`: for the console, or because no other call narrows the session of access keys.
    var isFederated = false
    /// What a federation token is narrowed to.
    var scope = SessionScope.none
    fileprivate(set) var fingerprint = ""
  }

  /// An MFA device, and the command that prints its code.
  struct Device: Sendable, Hashable {
    let serial: String
    let process: String?
    /// The profile that names it.
    let owner: String
  }

  let profile: String
  /// See ``CredentialChain/deliveredRoleARNs``.
  let deliveredRoleARNs: [String]
  /// Whether the delivered session is the profile's own: neither narrowed nor of another role.
  let isOwn: Bool
  /// The profiles through which it is reached, including itself.
  var profiles: Set<String> { Set([profile] + steps.map(\.link.profile) + (own.map { [$0.owner] } ?? [])) }
  let source: any IdentitySource
  /// Nil if access keys sign the first role's call themselves.
  let own: IdentityStep?
  let steps: [Step]
  let region: String?
  let partition: Partition?
  let rotation: RotationRule
  /// The host that issues the delivered session; calls to it share one rate limit. Empty if no host is called.
  let endpoint: String

  /// - Parameters:
  ///   - duration, sessionName: the person's values for this request, for the last role.
  ///   - defaultSessionName: the session name if the profile has none.
  ///   - keyUse: the requested use of access keys.
  ///   - scope: what the chain was narrowed to, for the session of access keys.
  ///   - run: the automation run that alone gets the delivered session. What comes before it in the chain is everybody's.
  ///   - isOwn: whether the chain is the profile's.
  ///   - proxy: the proxy for the calls, without its password.
  init(
    _ chain: CredentialChain, duration: SessionDuration?, sessionName: RoleSessionName?, defaultSessionName: RoleSessionName,
    keyUse: KeyUse = .session, scope: SessionScope = .none, run: AutomationRun? = nil, isOwn: Bool = true, proxy: String? = nil
  ) {
    profile = chain.profile
    deliveredRoleARNs = chain.deliveredRoleARNs
    self.isOwn = isOwn
    source = chain.identity.source
    region = chain.region
    partition = chain.partition
    rotation = chain.rotation
    var digest = PlanDigest()
    // A session that was obtained by another route does not match this request.
    if let proxy { digest.add("proxy", proxy) }
    if let caBundle = chain.endpoint.caBundle { digest.add("certificates", caBundle) }
    // Only the long-lived key can get more than an hour, with the code in the role's own call.
    let first = (chain.roles.count == 1 ? duration : nil) ?? chain.roles.first?.duration ?? .default
    let use = first == first.limited(chained: true) ? keyUse : .themselves
    let asked = chain.roles.isEmpty ? (duration, sessionName) : (nil, nil)
    let ofRun = run.map { RoleSessionName(of: $0) }
    if chain.roles.isEmpty, let run { digest.add("run", run.run) }
    own = Self.identityStep(
      source,
      for: IdentityRequest(
        chain: chain, duration: asked.0, sessionName: asked.1, keyUse: use, scope: chain.roles.isEmpty ? scope : .none, run: run),
      defaultSessionName: (chain.roles.isEmpty ? ofRun : nil) ?? defaultSessionName, digest: &digest)
    var chained = chain.identity.isRole
    let needs = AccessNeeds.calls(of: chain).suffix(chain.roles.count)
    var steps: [Step] = []
    for (index, link) in chain.roles.enumerated() {
      let isLast = index == chain.roles.count - 1
      let asked = (isLast ? duration : nil) ?? link.duration ?? .default
      let granted = asked.limited(chained: chained)
      let name = (isLast ? sessionName : nil) ?? link.roleSessionName ?? (isLast ? ofRun : nil) ?? defaultSessionName
      // The profile may give every session the same name.
      if isLast, let run { digest.add("run", run.run) }
      digest.add(link, name: name, duration: granted)
      steps.append(
        Step(
          link: link, sessionName: name, duration: granted, cutFrom: granted == asked ? nil : asked, chained: chained,
          needs: needs.dropFirst(index).first, fingerprint: digest.text))
      chained = true
    }
    self.steps = steps
    let link = steps.last?.link
    if link == nil, let host = source.host {
      endpoint = host
    } else {
      let region = link.map { $0.region } ?? own?.region
      let settings = link?.endpoint ?? own?.endpoint
      // An invalid endpoint fails at the call, and reports the reason there.
      endpoint = settings.flatMap { try? STSEndpoint(region: region ?? chain.region, settings: $0) }?.host ?? ""
    }
  }

  /// The profile and fingerprint of the delivered session; nil if there is none (credentials used as they are).
  var delivered: (profile: String, fingerprint: String)? {
    if let last = steps.last { return (profile, last.fingerprint) }
    if let own { return (own.owner, own.fingerprint) }
    return nil
  }
}

extension CredentialPlan {
  private static func identityStep(
    _ source: any IdentitySource, for request: IdentityRequest, defaultSessionName: RoleSessionName, digest: inout PlanDigest
  ) -> IdentityStep? {
    // An identity that has no profile in the config file belongs to its first role.
    var step = IdentityStep(
      owner: request.role?.profile ?? request.chain.profile, duration: request.duration ?? .default,
      sessionName: defaultSessionName, region: request.role?.region ?? request.chain.region,
      endpoint: request.role?.endpoint ?? request.chain.endpoint)
    guard source.plan(&step, for: request, digest: &digest) else { return nil }
    step.fingerprint = digest.text
    return step
  }

  /// The access keys of a plan that uses them as they are.
  func keys(in store: VaultStore) async throws -> Credential {
    guard let name = source.keyName else { throw AgentError.unknownSession(profile: profile) }
    guard let credential = try await store.openAccessKey(name: name) else {
      throw AgentError.noKeyForProfile(profile: profile, key: name)
    }
    return credential
  }

  /// One line that names the options without an effect here, with the reason; nil if there are none.
  func withoutEffect(_ request: CredentialRequest) -> String? {
    var options: [String] = []
    if request.duration != nil, steps.isEmpty, !source.acceptsDuration { options.append("--duration (its source decides it)") }
    if request.sessionName != nil, steps.isEmpty, !source.acceptsSessionName {
      options.append("--session-name (it assumes no role)")
    }
    if request.mfaCode != nil, own?.mfa == nil, !steps.contains(where: { $0.link.mfaSerial != nil }) {
      options.append("--mfa-code (it has no mfa_serial\(steps.isEmpty ? "" : " of its own"))")
    }
    if request.keyUse == .themselves, source.keyName == nil { options.append("--no-session (it has no access keys)") }
    return options.isEmpty ? nil : "\(profile): these options have no effect: \(options.joined(separator: ", "))"
  }
}

/// An incremental digest of length-prefixed pieces, so that no two lists of pieces give the same input.
struct PlanDigest {
  private var bytes: [UInt8] = []

  mutating func add(_ pieces: String?...) { add(pieces) }

  mutating func add(_ pieces: [String?]) {
    for piece in pieces { if let piece { put(piece) } else { bytes.append(0xFF) } }
  }

  mutating func add(_ link: RoleLink, name: RoleSessionName, duration: SessionDuration) {
    add(
      "AssumeRole", link.roleARN.text, name.text, String(duration.seconds), link.externalId, link.mfaSerial, link.sourceIdentity,
      link.policy, link.endpoint.url)
    if let caBundle = link.endpoint.caBundle { add("certificates", caBundle) }
    for tag in link.tags { add("tag", tag.key, tag.value) }
    for key in link.transitiveTagKeys { add("transitive", key) }
    for arn in link.policyARNs { add("policy", arn) }
  }

  private mutating func put(_ text: String) {
    bytes.append(contentsOf: String(text.utf8.count).utf8)
    bytes.append(UInt8(ascii: ":"))
    bytes.append(contentsOf: text.utf8)
  }

  var text: String { hex(blake2b(bytes, length: 16)) }
}
