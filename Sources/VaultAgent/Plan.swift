import VaultModel
import VaultSecrets

/// A chain made ready to be walked: every parameter decided, every session's name and digest known.
struct Plan: Sendable {
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

  /// The temporary form of access keys, where the chain needs one: for MFA, or because the keys themselves are what was asked for.
  struct TokenStep: Sendable {
    let keyName: String
    let mfaSerial: String?
    /// As long as one working day, so that one code serves it.
    let duration: SessionDuration
    let region: String?
    let endpoint: EndpointSettings
    let fingerprint: String
  }

  let profile: String
  let identity: IdentityLink
  let token: TokenStep?
  let steps: [Step]
  let region: String?

  /// - Parameters:
  ///   - duration, sessionName: what the person asked for this once, for the last role.
  ///   - standardName: the session name where the profile has none.
  init(
    _ chain: CredentialChain, duration: SessionDuration?, sessionName: RoleSessionName?, standardName: RoleSessionName
  ) {
    profile = chain.profile
    identity = chain.identity
    region = chain.region
    var digest = Digest()
    var token: TokenStep?
    if case .keys(let name, let accessKeyId, let ownSerial) = chain.identity {
      digest.add("keys", name, accessKeyId)
      let serial = chain.roles.isEmpty ? ownSerial : chain.roles[0].mfaSerial
      if chain.roles.isEmpty || serial != nil {
        digest.add(
          "GetSessionToken", serial, chain.endpoint.url, duration.flatMap { chain.roles.isEmpty ? String($0.seconds) : nil })
        token = TokenStep(
          keyName: name, mfaSerial: serial, duration: (chain.roles.isEmpty ? duration : nil) ?? .workingDay,
          region: chain.roles.first?.region ?? chain.region, endpoint: chain.roles.first?.endpoint ?? chain.endpoint,
          fingerprint: digest.text)
      }
    } else {
      digest.add("identity", "\(chain.identity)", nil)
    }
    self.token = token
    // Identity Center's and web identity's credentials come from a role themselves, so that the next role is a chained one.
    var chained: Bool
    switch chain.identity {
    case .keys, .environment, .process: chained = false
    default: chained = true
    }
    var steps: [Step] = []
    for (index, link) in chain.roles.enumerated() {
      let isLast = index == chain.roles.count - 1
      let asked = (isLast ? duration : nil) ?? link.duration ?? .standard
      let granted = asked.limited(chained: chained)
      let name = (isLast ? sessionName : nil) ?? link.roleSessionName ?? standardName
      digest.add(link, name: name, duration: granted)
      steps.append(
        Step(
          link: link, sessionName: name, duration: granted, cutFrom: granted == asked ? nil : asked, chained: chained,
          fingerprint: digest.text))
      chained = true
    }
    self.steps = steps
  }

  /// The profile and digest by which the session that is delivered is found; nil where there is none (credentials used as they are).
  var delivered: (profile: String, fingerprint: String)? {
    if let last = steps.last { return (profile, last.fingerprint) }
    if let token { return (profile, token.fingerprint) }
    return nil
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
    for tag in link.tags { add("tag", tag.key, tag.value) }
    for key in link.transitiveTagKeys { add("transitive", key) }
    for arn in link.policyARNs { add("policy", arn) }
  }

  private mutating func put(_ text: String) {
    bytes.append(contentsOf: String(text.utf8.count).utf8)
    bytes.append(UInt8(ascii: ":"))
    bytes.append(contentsOf: text.utf8)
  }

  var text: String {
    blake2b(bytes, length: 16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
