import VaultModel
import VaultSecrets

/// The result of a call, with details for the audit log.
public struct STSResult: Sendable {
  public let credential: Credential
  /// `arn:aws:sts::…:assumed-role/…`; nil for `GetSessionToken`.
  public let assumedRoleARN: String?
  public let packedPolicySize: Int?
  public let sourceIdentity: String?
  public let requestId: String?
  public let attempts: Int
}

extension STSResult {
  /// Accepts a response only if it matches the request: the account, the role's name and, if it was chosen here, the session name
  /// in `AssumedRoleUser.Arn` (`arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`, without the role's path).
  func require(_ role: RoleARN, _ sessionName: RoleSessionName?) throws(MalformedResponse) {
    guard let arn = assumedRoleARN else { throw MalformedResponse(what: "no assumed role in it") }
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    let names = parts.count == 6 ? parts[5].split(separator: "/", omittingEmptySubsequences: false) : []
    guard names.count == 3, parts[0] == "arn", parts[2] == "sts", names[0] == "assumed-role", parts[1] == role.partition,
      parts[4] == role.account, names[1] == role.name, sessionName == nil || names[2] == sessionName!.text
    else { throw MalformedResponse(what: "credentials of \(arn) instead of \(role.text)") }
  }
}

/// The identity of a credential.
public struct CallerIdentity: Sendable, Hashable {
  public let arn: String
  public let account: String
  public let userId: String
}

/// `AssumeRole`'s parameters (STS API).
public struct AssumeRoleRequest: Sendable {
  public var link: RoleLink
  public var sessionName: RoleSessionName
  public var duration: SessionDuration
  /// Requires the link's MFA serial.
  public var tokenCode: SecretBytes?

  public init(link: RoleLink, sessionName: RoleSessionName, duration: SessionDuration, tokenCode: SecretBytes? = nil) {
    self.link = link
    self.sessionName = sessionName
    self.duration = duration
    self.tokenCode = tokenCode
  }
}

/// `GetFederationToken`'s parameters (STS API).
public struct FederationRequest: Sendable {
  /// The maximum length of a name, in characters.
  public static let maxNameLength = 32
  /// Restricts nothing: without a policy such a session has no permissions at all, and with this one it has those of its user.
  static let policy = #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#

  public var name: RoleSessionName
  public var duration: SessionDuration
  /// Its policies and tags.
  public var scope: SessionScope
  public var partition: Partition

  public init(
    name: RoleSessionName, duration: SessionDuration, scope: SessionScope = .none, partition: Partition = .aws
  ) {
    self.name = name
    self.duration = duration
    self.scope = scope
    self.partition = partition
  }
}

/// A client for the AWS Security Token Service (API version 2011-06-15). Retries as described at ``AWSCaller``.
public final class STSClient: Sendable {
  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// - Parameter mayWait: whether to retry; if false, the caller does so at its own pace.
  public func assumeRole(
    _ request: AssumeRoleRequest, signedBy credential: Credential, at endpoint: STSEndpoint, via route: NetworkSettings,
    mayWait: Bool = true
  ) async throws -> STSResult {
    var form = FormBody(action: "AssumeRole")
    let link = request.link
    form.add("RoleArn", link.roleARN.text)
    form.add("RoleSessionName", request.sessionName.text)
    form.add("DurationSeconds", String(request.duration.seconds))
    form.add("ExternalId", link.externalId)
    form.add("SourceIdentity", link.sourceIdentity)
    form.add("Policy", link.policy)
    form.add(policyARNs: link.policyARNs)
    form.add(tags: link.tags)
    for (index, key) in link.transitiveTagKeys.enumerated() { form.add("TransitiveTagKeys.member.\(index + 1)", key) }
    if let code = request.tokenCode {
      form.add("SerialNumber", link.mfaSerial)
      form.add("TokenCode", code)
    }
    return try await mint(
      "AssumeRole", form.finish(), signedBy: credential, at: endpoint, via: route, retries: mayWait ? .standard : .never,
      for: (link.roleARN, request.sessionName))
  }

  /// - Parameter mfa: the device's serial number and code.
  public func getSessionToken(
    duration: SessionDuration?, mfa: (serial: String, code: SecretBytes)?, signedBy credential: Credential,
    at endpoint: STSEndpoint, via route: NetworkSettings
  ) async throws -> STSResult {
    var form = FormBody(action: "GetSessionToken")
    form.add("DurationSeconds", duration.map { String($0.seconds) })
    if let mfa {
      form.add("SerialNumber", mfa.serial)
      form.add("TokenCode", mfa.code)
    }
    return try await mint("GetSessionToken", form.finish(), signedBy: credential, at: endpoint, via: route)
  }

  public func getFederationToken(
    _ request: FederationRequest, signedBy credential: Credential, at endpoint: STSEndpoint, via route: NetworkSettings
  ) async throws -> STSResult {
    var form = FormBody(action: "GetFederationToken")
    form.add("Name", String(request.name.text.prefix(FederationRequest.maxNameLength)))
    let scope = request.scope
    form.add("Policy", scope.narrows ? scope.policy : FederationRequest.policy)
    form.add(policyARNs: scope.managedPolicies(in: request.partition.rawValue))
    form.add(tags: scope.tags)
    form.add("DurationSeconds", String(request.duration.seconds))
    return try await mint("GetFederationToken", form.finish(), signedBy: credential, at: endpoint, via: route)
  }

  public func getCallerIdentity(signedBy credential: Credential, at endpoint: STSEndpoint, via route: NetworkSettings)
    async throws
    -> CallerIdentity
  {
    let form = FormBody(action: "GetCallerIdentity")
    let answer = try await call("GetCallerIdentity", form.finish(), signedBy: credential, at: endpoint, via: route)
    return try answer.read { elements throws(MalformedResponse) in
      guard let arn = elements.text("GetCallerIdentityResult/Arn"),
        let account = elements.text("GetCallerIdentityResult/Account"),
        let userId = elements.text("GetCallerIdentityResult/UserId")
      else { throw MalformedResponse(what: "no identity in it") }
      return CallerIdentity(arn: arn, account: account, userId: userId)
    }
  }

  /// The details of a refusal that a service encoded.
  ///
  /// - Parameter message: at most 10,240 characters.
  /// - Returns: a JSON document, and the request's id.
  public func decodeAuthorizationMessage(
    _ message: String, signedBy credential: Credential, at endpoint: STSEndpoint, via route: NetworkSettings
  ) async throws -> (text: String, requestId: String?) {
    let action = "DecodeAuthorizationMessage"
    guard message.plain(1...10_240) != nil else {
      throw AWSError(.invalid("the encoded message is not 1 to 10240 printable characters"), action: action, host: endpoint.host)
    }
    var form = FormBody(action: action)
    form.add("EncodedMessage", message)
    let answer = try await call(action, form.finish(), signedBy: credential, at: endpoint, via: route)
    let text = try answer.read { elements throws(MalformedResponse) in
      guard let text = elements.text("DecodeAuthorizationMessageResult/DecodedMessage") else {
        throw MalformedResponse(what: "no message in it")
      }
      return text
    }
    return (text, answer.requestId)
  }

  /// - Parameters:
  ///   - credential: nil for a call whose content proves who is calling.
  ///   - asked: the role and session name that the response must have; nil for a call that names none.
  private func mint(
    _ action: String, _ form: SecretBytes, signedBy credential: Credential?, at endpoint: STSEndpoint, via route: NetworkSettings,
    retries: RetryRule = .standard, for asked: (role: RoleARN, sessionName: RoleSessionName?)? = nil
  ) async throws -> STSResult {
    let answer = try await call(action, form, signedBy: credential, at: endpoint, via: route, retries: retries)
    return try answer.read { elements throws(MalformedResponse) in
      let result = try CredentialParser.read(
        elements, action: action, from: caller, requestId: answer.requestId, attempts: answer.attempts)
      if let asked { try result.require(asked.role, asked.sessionName) }
      return result
    }
  }

  private func call(
    _ action: String, _ form: SecretBytes, signedBy credential: Credential?, at endpoint: STSEndpoint, via route: NetworkSettings,
    retries: RetryRule = .standard
  ) async throws -> AWSResponse<XMLElements> {
    let signer = credential.map { QueryRequest.Signer(credential: $0, region: endpoint.signingRegion, service: "sts") }
    let query = QueryRequest(form: form, address: endpoint.address, signer: signer, route: route)
    return try await caller.call(
      AWSCall(action: action, host: endpoint.host, retries: retries, request: query.request(at:)), .xml)
  }
}

extension FormBody {
  fileprivate mutating func add(policyARNs: [String]) {
    for (index, arn) in policyARNs.enumerated() { add("PolicyArns.member.\(index + 1).arn", arn) }
  }

  fileprivate mutating func add(tags: [SessionTag]) {
    for (index, tag) in tags.enumerated() {
      add("Tags.member.\(index + 1).Key", tag.key)
      add("Tags.member.\(index + 1).Value", tag.value)
    }
  }
}

/// The parameters of a role request in which an identity provider's statement replaces a signature.
public struct FederatedRoleRequest: Sendable {
  public var roleARN: RoleARN
  public var duration: SessionDuration?
  /// A session policy, JSON.
  public var policy: String?
  public var policyARNs: [String]

  public init(roleARN: RoleARN, duration: SessionDuration? = nil, policy: String? = nil, policyARNs: [String] = []) {
    self.roleARN = roleARN
    self.duration = duration
    self.policy = policy
    self.policyARNs = policyARNs
  }

  fileprivate func add(to form: inout FormBody) {
    form.add(policyARNs: policyARNs)
    form.add("Policy", policy)
    form.add("DurationSeconds", duration.map { String($0.seconds) })
  }
}

extension STSClient {
  /// `AssumeRoleWithWebIdentity`: unsigned.
  ///
  /// - Parameter token: an OpenID Connect token, 4 to 20,000 characters.
  public func assumeRoleWithWebIdentity(
    _ request: FederatedRoleRequest, sessionName: RoleSessionName, token: SecretBytes, at endpoint: STSEndpoint,
    via route: NetworkSettings
  ) async throws -> STSResult {
    let action = "AssumeRoleWithWebIdentity"
    guard token.plain(4...20_000) != nil else {
      throw AWSError(
        .invalid("the web identity token is not 4 to 20000 printable characters"), action: action, host: endpoint.host)
    }
    var form = FormBody(action: action)
    form.add("RoleArn", request.roleARN.text)
    form.add("RoleSessionName", sessionName.text)
    form.add("WebIdentityToken", token)
    request.add(to: &form)
    return try await mint(action, form.finish(), signedBy: nil, at: endpoint, via: route, for: (request.roleARN, sessionName))
  }

  /// `AssumeRoleWithSAML`: unsigned.
  ///
  /// - Parameters:
  ///   - request: with a role from the assertion.
  ///   - principalARN: the provider that the assertion lists with that role.
  public func assumeRoleWithSAML(
    _ request: FederatedRoleRequest, principalARN: String, assertion: SAMLAssertion, at endpoint: STSEndpoint,
    via route: NetworkSettings
  ) async throws -> STSResult {
    var form = FormBody(action: "AssumeRoleWithSAML")
    form.add("RoleArn", request.roleARN.text)
    form.add("PrincipalArn", principalARN)
    form.add("SAMLAssertion", assertion.encoded)
    request.add(to: &form)
    return try await mint(
      "AssumeRoleWithSAML", form.finish(), signedBy: nil, at: endpoint, via: route, for: (request.roleARN, nil))
  }
}
