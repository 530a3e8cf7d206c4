import VaultModel
import VaultSecrets

/// What a call brought, and what the audit log wants to know of it.
public struct STSResult: Sendable {
  public let credential: Credential
  /// `arn:aws:sts::…:assumed-role/…`; nil for `GetSessionToken`.
  public let assumedRoleARN: String?
  public let packedPolicySize: Int?
  public let sourceIdentity: String?
  public let requestId: String?
  public let attempts: Int
}

/// Who a credential is.
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
  /// With the link's MFA serial.
  public var tokenCode: SecretBytes?

  public init(link: RoleLink, sessionName: RoleSessionName, duration: SessionDuration, tokenCode: SecretBytes? = nil) {
    self.link = link
    self.sessionName = sessionName
    self.duration = duration
    self.tokenCode = tokenCode
  }
}

/// Speaks to the AWS Security Token Service (API version 2011-06-15). Retries as ``AWSCaller`` says.
public final class STSClient: Sendable {
  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// - Parameter isPatient: whether it is tried again where that may help; else who calls will call again in his own time.
  public func assumeRole(
    _ request: AssumeRoleRequest, signedBy credential: Credential, at endpoint: STSEndpoint, via route: Route,
    isPatient: Bool = true
  ) async throws -> STSResult {
    var form = FormBody(action: "AssumeRole")
    let link = request.link
    form.add("RoleArn", link.roleARN.text)
    form.add("RoleSessionName", request.sessionName.text)
    form.add("DurationSeconds", String(request.duration.seconds))
    form.add("ExternalId", link.externalId)
    form.add("SourceIdentity", link.sourceIdentity)
    form.add("Policy", link.policy)
    for (index, arn) in link.policyARNs.enumerated() { form.add("PolicyArns.member.\(index + 1).arn", arn) }
    for (index, tag) in link.tags.enumerated() {
      form.add("Tags.member.\(index + 1).Key", tag.key)
      form.add("Tags.member.\(index + 1).Value", tag.value)
    }
    for (index, key) in link.transitiveTagKeys.enumerated() { form.add("TransitiveTagKeys.member.\(index + 1)", key) }
    if let code = request.tokenCode {
      form.add("SerialNumber", link.mfaSerial)
      form.add("TokenCode", code)
    }
    return try await mint("AssumeRole", form.finish(), credential, endpoint, route, isPatient ? .standard : .never)
  }

  /// - Parameter mfa: the device's serial number and its code.
  public func getSessionToken(
    duration: SessionDuration?, mfa: (serial: String, code: SecretBytes)?, signedBy credential: Credential,
    at endpoint: STSEndpoint, via route: Route
  ) async throws -> STSResult {
    var form = FormBody(action: "GetSessionToken")
    form.add("DurationSeconds", duration.map { String($0.seconds) })
    if let mfa {
      form.add("SerialNumber", mfa.serial)
      form.add("TokenCode", mfa.code)
    }
    return try await mint("GetSessionToken", form.finish(), credential, endpoint, route)
  }

  public func getCallerIdentity(signedBy credential: Credential, at endpoint: STSEndpoint, via route: Route) async throws
    -> CallerIdentity
  {
    let form = FormBody(action: "GetCallerIdentity")
    let answer = try await call("GetCallerIdentity", form.finish(), credential, endpoint, route)
    return try answer.read { elements throws(Nonsense) in
      guard let arn = elements.text("GetCallerIdentityResult/Arn"),
        let account = elements.text("GetCallerIdentityResult/Account"),
        let userId = elements.text("GetCallerIdentityResult/UserId")
      else { throw Nonsense(what: "no identity in it") }
      return CallerIdentity(arn: arn, account: account, userId: userId)
    }
  }

  /// - Parameter credential: nil for a call that proves who asks by what it holds.
  func mint(
    _ action: String, _ form: SecretBytes, _ credential: Credential?, _ endpoint: STSEndpoint, _ route: Route,
    _ retries: RetryRule = .standard
  ) async throws -> STSResult {
    let answer = try await call(action, form, credential, endpoint, route, retries)
    return try answer.read { elements throws(Nonsense) in
      try IssuedCredentials.read(
        elements, action: action, from: caller, requestId: answer.requestId, attempts: answer.attempts)
    }
  }

  private func call(
    _ action: String, _ form: SecretBytes, _ credential: Credential?, _ endpoint: STSEndpoint, _ route: Route,
    _ retries: RetryRule = .standard
  ) async throws -> Answer<XMLElements> {
    let signer = credential.map { QueryRequest.Signer(credential: $0, region: endpoint.signingRegion, service: "sts") }
    let query = QueryRequest(form: form, address: endpoint.address, signer: signer, route: route)
    return try await caller.call(
      AWSCall(action: action, host: endpoint.host, retries: retries, request: query.request(at:)), .xml)
  }
}
