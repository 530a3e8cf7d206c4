import Foundation
import SimulatorModel
import VaultModel

/// STS as it stands: the world, what was issued, and what was used up. A value; ``Simulator`` guards it.
struct Service: Sendable {
  var world: STSWorld
  private var settings: STSSettings
  private var sessions: [String: IssuedSession] = [:]
  private var mfaDevices = MFADevices()
  private var revokedKeys: Set<String> = []
  /// Sessions of a role that were issued up to a moment are denied everything.
  private var revokedRoles: [String: Timestamp] = [:]

  init(world: STSWorld) {
    self.world = world
    settings = world.settings
  }

  mutating func set(_ settings: STSSettings) { self.settings = settings }

  mutating func revoke(key: String) { revokedKeys.insert(key) }
  mutating func revoke(role: String, at now: Timestamp) { revokedRoles[role] = now }

  /// Finds the caller by key and token, and checks scope, date, expiry and signature.
  func identify(_ signature: SignatureV4, _ request: HTTPRequest, service: String = "sts", now: Timestamp) throws(AWSError)
    -> Caller
  {
    try signature.requireScope(service, regions: world.regions, now: now, request: request)
    let token = request["x-amz-security-token"]
    guard !revokedKeys.contains(signature.accessKeyId) else { throw .invalidClientTokenId }
    if let session = sessions[signature.accessKeyId] {
      guard token == session.sessionToken else { throw .invalidClientTokenId }
      guard now < session.expiresAt else { throw .expiredToken }
      try signature.requireSignature(secret: session.secretAccessKey, request: request)
      switch session.holder {
      case .role(let role, let name): return Caller(role: role, sessionName: name, session: session)
      case .user(let arn, let mfa):
        guard let user = world.users.first(where: { $0.arn == arn }) else { throw .invalidClientTokenId }
        return Caller(user: user, session: session, mfa: mfa)
      case .federated(let user, let name): return Caller(federated: name, of: user, session: session)
      }
    }
    guard token == nil else { throw .invalidClientTokenId }
    for user in world.users {
      guard let key = user.accessKeys.first(where: { $0.id == signature.accessKeyId }) else { continue }
      guard key.active else { throw .invalidClientTokenId }
      try signature.requireSignature(secret: key.secret, request: request)
      return Caller(user: user, session: nil, mfa: false)
    }
    throw .invalidClientTokenId
  }

  /// `AssumeRole`
  mutating func assumeRole(
    _ parameters: AssumeRoleParameters, caller: Caller, now: Timestamp
  ) throws(AWSError) -> (session: IssuedSession, packedPercent: Int?) {
    guard !caller.arn.hasSuffix(":root") else { throw .accessDenied("Roles may not be assumed by root accounts.") }
    guard !caller.isFederated else { throw .accessDenied("Roles may not be assumed by federated users.") }
    let target = parameters.role.text
    if caller.isRole, let session = caller.session, let revokedAt = revokedRoles[caller.principal], session.issuedAt <= revokedAt
    {
      throw .notAuthorized(caller.arn, "AssumeRole", on: target, because: " with an explicit deny in an identity-based policy")
    }
    let user = caller.isRole ? nil : world.users.first { $0.arn == caller.principal }
    let mfaNow = try mfaDevices.check(serial: parameters.serialNumber, code: parameters.tokenCode, user: user, now: now)
    guard let role = world[role: target] else { throw .notAuthorized(caller.arn, "AssumeRole", on: target) }
    if let trustPolicy = role.trustPolicy {
      try PolicyTrust(world: world, settings: settings, now: now).require(caller, trustPolicy, parameters, mfaNow: mfaNow)
    } else if !Trust(world: world).allows(caller, role, parameters, mfa: mfaNow || caller.mfa) {
      throw .notAuthorized(caller.arn, "AssumeRole", on: target)
    }
    let inherited = caller.session?.transitiveTags ?? []
    if !role.allowsTags, !parameters.tags.isEmpty || !inherited.isEmpty {
      throw .notAuthorized(caller.arn, "TagSession", on: target)
    }
    let inheritedKeys = Set(inherited.map { $0.key.lowercased() })
    guard !parameters.tags.contains(where: { inheritedKeys.contains($0.key.lowercased()) }) else {
      throw AWSError(
        400, "InvalidParameterValue",
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "
          + "calling session."
      )
    }
    let sourceIdentity = parameters.sourceIdentity ?? caller.session?.sourceIdentity
    if let before = caller.session?.sourceIdentity, before != sourceIdentity {
      throw .notAuthorized(caller.arn, "SetSourceIdentity", on: target)
    }
    if sourceIdentity != nil, !role.allowsSourceIdentity { throw .notAuthorized(caller.arn, "SetSourceIdentity", on: target) }
    guard !caller.isTemporary || parameters.duration <= 3_600 else { throw .longerThanChainAllows }
    guard parameters.duration <= role.maxSessionDuration else { throw .longerThanRoleAllows }
    let percent = try Self.packedPercent(parameters, inherited: inherited)
    let session = issue(
      to: .role(parameters.role, sessionName: parameters.sessionName), seconds: parameters.duration, now: now,
      tags: inherited + parameters.tags,
      transitiveTags: inherited + parameters.tags.filter { parameters.transitiveKeys.contains($0.key.lowercased()) },
      sourceIdentity: sourceIdentity, policies: sessionPolicies(parameters), isChained: caller.isRole)
    return (session, percent)
  }

  /// `GetSessionToken`
  mutating func sessionToken(_ parameters: CallParameters, caller: Caller, now: Timestamp) throws(AWSError) -> IssuedSession {
    try parameters.requireOnly(["DurationSeconds", "SerialNumber", "TokenCode"])
    let isRoot = caller.arn.hasSuffix(":root")
    var validation = Validation()
    let seconds = validation.number(
      parameters["DurationSeconds"], at: "durationSeconds", range: 900...129_600, defaultValue: isRoot ? 3_600 : 43_200)
    validation.text(parameters["SerialNumber"], at: "serialNumber", length: 9...256, pattern: .serialNumber)
    validation.text(parameters["TokenCode"], at: "tokenCode", length: 6...6, pattern: .digits)
    try validation.finish()
    guard !caller.isTemporary else { throw .accessDenied("Cannot call GetSessionToken with session credentials") }
    let user = world.users.first { $0.arn == caller.principal }
    let mfa = try mfaDevices.check(
      serial: parameters["SerialNumber"], code: parameters["TokenCode"], user: user, now: now)
    // "If the duration is longer than one hour, the session for AWS account owners defaults to one hour" (STS API).
    return issue(to: .user(arn: caller.arn, mfa: mfa), seconds: isRoot ? min(seconds, 3_600) : seconds, now: now)
  }

  /// `GetFederationToken`: of a user's long-lived key alone. What the policies allow is not judged here, but none is an error,
  /// since a session without one can do nothing.
  mutating func federationToken(_ parameters: CallParameters, caller: Caller, now: Timestamp) throws(AWSError) -> IssuedSession {
    try parameters.requireOnly(
      ["Name", "Policy", "DurationSeconds"], lists: [("PolicyArns", ["arn"]), ("Tags", ["Key", "Value"])])
    let arns = parameters.list("PolicyArns", ["arn"]).compactMap { $0["arn"] }
    let tags = parameters.list("Tags", ["Key", "Value"])
    var validation = Validation()
    let isRoot = caller.arn.hasSuffix(":root")
    let seconds = validation.number(
      parameters["DurationSeconds"], at: "durationSeconds", range: 900...129_600, defaultValue: isRoot ? 3_600 : 43_200)
    let name = parameters["Name"]
    validation.require(name != nil, nil, at: "name", "not be null")
    validation.text(name, at: "name", length: 2...32, pattern: .name)
    validation.text(parameters["Policy"], at: "policy", length: 1...2_048)
    validation.check(policyARNs: arns)
    validation.check(tags: tags)
    try validation.finish()
    guard !caller.isTemporary else { throw .accessDenied("Cannot call GetFederationToken with session credentials") }
    let account = caller.arn.split(separator: ":", omittingEmptySubsequences: false)[4]
    try AssumeRoleParameters.check(policy: parameters["Policy"], arns: arns, account: String(account))
    try AssumeRoleParameters.check(
      tags: tags.map { SessionTag(key: $0["Key"] ?? "", value: $0["Value"] ?? "") }, transitive: [])
    return issue(
      to: .federated(user: caller.arn, name: name ?? ""), seconds: isRoot ? min(seconds, 3_600) : seconds, now: now)
  }

  /// `DecodeAuthorizationMessage`: here, a message is the Base64 of what it says. Who may assume no role may do nothing at all.
  func decoded(_ parameters: CallParameters, caller: Caller) throws(AWSError) -> String {
    try parameters.requireOnly(["EncodedMessage"])
    guard mayAct(caller) else {
      let action = "sts:DecodeAuthorizationMessage"
      throw .accessDenied(
        "User: \(caller.arn) is not authorized to perform: \(action) because no identity-based policy allows the \(action) action"
      )
    }
    let plain = parameters["EncodedMessage"]?.replacing("-", with: "+").replacing("_", with: "/") ?? ""
    guard let bytes = Data(base64Encoded: plain), let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
      throw AWSError(400, "InvalidAuthorizationMessageException", "The encoded authorization message is invalid")
    }
    return text
  }

  /// Whether the policies of a user or a role allow anything.
  func mayAct(_ caller: Caller) -> Bool {
    let allowed =
      caller.isRole ? world[role: caller.principal]?.mayAssume : world.users.first { $0.arn == caller.principal }?.mayAssume
    return allowed?.isEmpty == false
  }

  func session(_ accessKeyId: String) -> IssuedSession? { sessions[accessKeyId] }

  mutating func issue(
    to holder: IssuedSession.Holder, seconds: Int, now: Timestamp, tags: [SessionTag] = [], transitiveTags: [SessionTag] = [],
    sourceIdentity: String? = nil, policies: [String]? = nil, isChained: Bool = false
  ) -> IssuedSession {
    // Expirations are whole seconds.
    let lifetime = settings.lifetimeSeconds ?? 0
    let expiresAt = Timestamp(seconds: now.seconds + Int64(lifetime > 0 ? lifetime : seconds))
    let session = IssuedSession(
      holder: holder, accessKeyId: Identity.temporaryAccessKeyId(), secretAccessKey: Identity.secretAccessKey(),
      sessionToken: Identity.sessionToken(), issuedAt: now, expiresAt: expiresAt, tags: tags, transitiveTags: transitiveTags,
      sourceIdentity: sourceIdentity, policies: policies, isChained: isChained)
    sessions[session.accessKeyId] = session
    return session
  }

  private func sessionPolicies(_ parameters: AssumeRoleParameters) -> [String]? {
    guard parameters.policy != nil || !parameters.policyARNs.isEmpty else { return nil }
    return (parameters.policy.map { [$0] } ?? []) + parameters.policyARNs.compactMap { world.managedPolicies?[$0] }
  }

  /// How much of the packed form's room policies and tags take. AWS does not say how it packs; this is near enough to have
  /// a limit.
  private static func packedPercent(_ parameters: AssumeRoleParameters, inherited: [SessionTag]) throws(AWSError) -> Int? {
    let tags = parameters.tags + inherited
    guard parameters.policy != nil || !parameters.policyARNs.isEmpty || !tags.isEmpty else { return nil }
    let bytes =
      (parameters.policy?.utf8.filter { $0 > 32 }.count ?? 0) + parameters.policyARNs.reduce(0) { $0 + $1.utf8.count }
      + tags.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 2 }
    let percent = max(1, bytes * 100 / 4_096)
    guard percent <= 100 else { throw .packedPolicyTooLarge(percent: percent) }
    return percent
  }
}
