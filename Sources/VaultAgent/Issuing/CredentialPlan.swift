import AWSClient
import VaultBytes
import VaultModel
import VaultSecrets

/// A chain made ready to be walked: every parameter decided, every session's name and digest known.
struct CredentialPlan: Sendable {
  /// One `AssumeRole`.
  struct Step: Sendable {
    let link: RoleLink
    let sessionName: RoleSessionName
    let duration: SessionDuration
    /// What was asked, where a chained role gets less.
    let cutFrom: SessionDuration?
    let chained: Bool
    /// The digest of this call and all before it.
    let fingerprint: String
  }

  /// The identity's own temporary credentials. Access keys need them for MFA, or where the keys themselves are what was asked for;
  /// every other identity has no other.
  struct IdentityStep: Sendable {
    /// The profile whose session they are.
    let owner: String
    let mfa: Device?
    /// Of access keys, as long as one working day, so that one code serves it.
    let duration: SessionDuration
    /// For a token or an assertion.
    let sessionName: RoleSessionName
    let region: String?
    let endpoint: EndpointSettings
    /// By `GetFederationToken`, for the console.
    var isFederated = false
    let fingerprint: String
  }

  /// An MFA device, and the command that prints its code.
  struct Device: Sendable, Hashable {
    let serial: String
    let process: String?
    /// The profile that names it.
    let owner: String
  }

  let profile: String
  /// Those over which it is reached, itself among them.
  var profiles: Set<String> { Set([profile] + steps.map(\.link.profile) + (own.map { [$0.owner] } ?? [])) }
  let identity: IdentityLink
  /// Nil where access keys sign the first role's call themselves.
  let own: IdentityStep?
  let steps: [Step]
  let region: String?
  let partition: Partition?
  let rotation: RotationRule
  /// The host that issues the session that is delivered: what goes there has one pace. Empty where no host is called.
  let endpoint: String

  /// - Parameters:
  ///   - duration, sessionName: what the person asked for this once, for the last role.
  ///   - defaultSessionName: the session name where the profile has none.
  ///   - keyUse: what access keys are wanted for.
  ///   - proxy: which the calls go through, without its password.
  init(
    _ chain: CredentialChain, duration: SessionDuration?, sessionName: RoleSessionName?, defaultSessionName: RoleSessionName,
    keyUse: KeyUse = .session, proxy: String? = nil
  ) {
    profile = chain.profile
    identity = chain.identity
    region = chain.region
    partition = chain.partition
    rotation = chain.rotation
    var digest = Digest()
    // What came by another way than AWS's own is not what is asked for by this one.
    if let proxy { digest.add("proxy", proxy) }
    if let caBundle = chain.endpoint.caBundle { digest.add("certificates", caBundle) }
    // Longer than the hour is had with the long-lived key alone, which gives the code in the role's own call.
    let first = (chain.roles.count == 1 ? duration : nil) ?? chain.roles.first?.duration ?? .standard
    let use = first == first.limited(chained: true) ? keyUse : .themselves
    own = Self.identityStep(chain, duration: chain.roles.isEmpty ? duration : nil, sessionName, defaultSessionName, use, &digest)
    var chained = chain.identity.isRole
    var steps: [Step] = []
    for (index, link) in chain.roles.enumerated() {
      let isLast = index == chain.roles.count - 1
      let asked = (isLast ? duration : nil) ?? link.duration ?? .standard
      let granted = asked.limited(chained: chained)
      let name = (isLast ? sessionName : nil) ?? link.roleSessionName ?? defaultSessionName
      digest.add(link, name: name, duration: granted)
      steps.append(
        Step(
          link: link, sessionName: name, duration: granted, cutFrom: granted == asked ? nil : asked, chained: chained,
          fingerprint: digest.text))
      chained = true
    }
    self.steps = steps
    endpoint = Self.issuer(steps.last?.link, chain, own)
  }

  /// The profile and digest by which the session that is delivered is found; nil where there is none (credentials used as they are).
  var delivered: (profile: String, fingerprint: String)? {
    if let last = steps.last { return (profile, last.fingerprint) }
    if let own { return (own.owner, own.fingerprint) }
    return nil
  }
}

extension CredentialPlan {
  private static func issuer(_ link: RoleLink?, _ chain: CredentialChain, _ own: IdentityStep?) -> String {
    if let link { return host(link.region ?? chain.region, link.endpoint) }
    if case .sso(_, _, _, let place) = chain.identity {
      return (try? ServiceEndpoint(.portal, region: place.region, settings: place.portal))?.host ?? ""
    }
    return own.map { host($0.region ?? chain.region, $0.endpoint) } ?? ""
  }

  /// An endpoint that can't be called fails where it is called, and says why there.
  private static func host(_ region: String?, _ settings: EndpointSettings) -> String {
    (try? STSEndpoint(region: region, settings: settings))?.host ?? ""
  }

  /// - Parameter duration: what the person asked for, where the identity's credentials are what is delivered.
  private static func identityStep(
    _ chain: CredentialChain, duration: SessionDuration?, _ sessionName: RoleSessionName?, _ defaultSessionName: RoleSessionName,
    _ use: KeyUse, _ digest: inout Digest
  ) -> IdentityStep? {
    let first = chain.roles.first
    var owner = chain.profile
    var device: Device?
    var isFederated = false
    var length = duration ?? .standard
    var name = defaultSessionName
    var region = first?.region ?? chain.region
    var endpoint = first?.endpoint ?? chain.endpoint
    switch chain.identity {
    case .keys(let keyName, let accessKeyId, let ownSerial):
      owner = keyName
      digest.add("keys", keyName, accessKeyId)
      let serial = first == nil ? ownSerial : first?.mfaSerial
      guard use != .themselves, first == nil || serial != nil else { return nil }
      isFederated = first == nil && use == .console
      if isFederated {
        (name, length) = (sessionName ?? name, duration ?? .workingDay)
        digest.add("GetFederationToken", name.text, String(length.seconds))
        break
      }
      device = serial.map {
        Device(
          serial: $0, process: first == nil ? chain.mfaProcess : first?.mfaProcess, owner: first?.profile ?? chain.profile)
      }
      length = duration ?? .workingDay
      digest.add("GetSessionToken", serial, chain.endpoint.url, duration.map { String($0.seconds) })
    case .sso(let profile, let account, let role, let place):
      owner = profile
      digest.add("sso", place.name, place.startURL, place.region, account, role, place.portal.url)
    case .webIdentity(let link, let token):
      (owner, region, endpoint) = (link.profile, link.region, link.endpoint)
      (name, length) = ((first == nil ? sessionName : nil) ?? link.roleSessionName ?? name, duration ?? link.duration ?? length)
      digest.add("web identity", "\(token)")
      digest.add(link, name: name, duration: length)
    case .saml(let link, let provider, let command):
      (owner, region, endpoint) = (link.profile, link.region, link.endpoint)
      length = duration ?? link.duration ?? length
      digest.add("saml", provider, command)
      digest.add(link, name: name, duration: length)
    case .process(let profile, let command):
      owner = profile
      digest.add("process", command)
    case .container, .instance, .environment:
      // These are nobody's in the config file: the role over them names them.
      owner = first?.profile ?? owner
      digest.add("\(chain.identity)")
    }
    return IdentityStep(
      owner: owner, mfa: device, duration: length, sessionName: name, region: region, endpoint: endpoint,
      isFederated: isFederated, fingerprint: digest.text)
  }
}

/// A running digest over length-prefixed pieces, so that no two lists of pieces are alike.
private struct Digest {
  private var bytes: [UInt8] = []

  mutating func add(_ label: String, _ pieces: String?...) {
    put(label)
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
