import Synchronization
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

/// Speaks to the AWS Security Token Service (API version 2011-06-15).
///
/// Retries as the SDKs' standard mode: 3 attempts, full jitter up to 20 s, a quota. Where AWS says that the clock is off, the call is signed
/// again with AWS's time, which is kept for the calls after it.
public final class STSClient: Sendable {
  static let mostAttempts = 3
  static let longestDelay = 20.0
  /// Seconds; AWS tolerates 300 (AWS General Reference, "Signature Version 4").
  static let toleratedSkew: Int64 = 240

  private let transport: any HTTPTransport
  private let clock: any WallClock
  private let random: @Sendable () -> Double
  private let quota = RetryQuota()
  /// Seconds to add to our clock for AWS's.
  private let offset = Mutex<Int64>(0)

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    self.transport = transport
    self.clock = clock
    self.random = random
  }

  public func assumeRole(
    _ request: AssumeRoleRequest, signedBy credential: Credential, at endpoint: STSEndpoint, via route: Route
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
    return try await mint("AssumeRole", form.finish(), credential, endpoint, route)
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
    var form = FormBody(action: "GetCallerIdentity")
    let answer = try await call("GetCallerIdentity", form.finish(), credential, endpoint, route)
    guard let arn = answer.elements.text("GetCallerIdentityResult/Arn"),
      let account = answer.elements.text("GetCallerIdentityResult/Account"),
      let userId = answer.elements.text("GetCallerIdentityResult/UserId")
    else {
      throw AWSError(.garbled("no identity in it"), action: "GetCallerIdentity", requestId: answer.requestId, host: endpoint.host)
    }
    return CallerIdentity(arn: arn, account: account, userId: userId)
  }

  private func mint(
    _ action: String, _ body: SecretBytes, _ credential: Credential, _ endpoint: STSEndpoint, _ route: Route
  ) async throws -> STSResult {
    let answer = try await call(action, body, credential, endpoint, route)
    do {
      return try IssuedCredentials.read(
        answer.elements, action: action, now: now(), requestId: answer.requestId, attempts: answer.attempts)
    } catch {
      throw AWSError(
        .garbled(error.what), action: action, requestId: answer.requestId, host: endpoint.host, attempts: answer.attempts)
    }
  }

  /// AWS's time, as far as it is known.
  private func now() -> Timestamp { clock.now().adding(seconds: offset.withLock { $0 }) }

  // MARK: one call, with its retries

  private struct Answer {
    let elements: XMLElements
    let requestId: String?
    let attempts: Int
  }

  private func call(
    _ action: String, _ body: SecretBytes, _ credential: Credential, _ endpoint: STSEndpoint, _ route: Route
  ) async throws -> Answer {
    var attempt = 1
    var paid: Int?
    var hasCorrectedClock = false
    while true {
      let failure: AWSError
      let pause: Double?
      switch await once(action, body, credential, endpoint, route, attempt) {
      case .answer(let answer):
        quota.giveBack(paid)
        return answer
      case .failure(let error, let retryAfter):
        failure = error
        pause = retryAfter
      }
      // Against the time that was signed with, not the machine's: what was learnt before may be what is wrong now.
      if failure.blamesClock, !hasCorrectedClock, abs(failure.clockOffset - offset.withLock { $0 }) > Self.toleratedSkew {
        hasCorrectedClock = true
        offset.withLock { $0 = failure.clockOffset }
        continue
      }
      guard failure.isRetryable, attempt < Self.mostAttempts, let cost = quota.take(afterTimeout: failure.isTimeout) else {
        throw failure
      }
      paid = cost
      let delay = pause.map { min($0, Self.longestDelay) } ?? random() * min(Self.longestDelay, Double(1 << attempt))
      try await clock.sleep(until: clock.now().adding(milliseconds: Int64(delay * 1_000)))
      attempt += 1
    }
  }

  private enum Outcome {
    case answer(Answer)
    case failure(AWSError, retryAfter: Double?)
  }

  private func once(
    _ action: String, _ body: SecretBytes, _ credential: Credential, _ endpoint: STSEndpoint, _ route: Route, _ attempt: Int
  ) async -> Outcome {
    let response: HTTPResponse
    do throws(TransportError) {
      response = try await transport.send(signed(body, credential, endpoint, route))
    } catch {
      return .failure(AWSError(.transport(error), action: action, host: endpoint.host, attempts: attempt), retryAfter: nil)
    }
    let elements = XMLElements(response.body)
    let requestId = response["x-amzn-requestid"] ?? elements?.text("RequestId")
    if (200..<300).contains(response.status), let elements {
      return .answer(Answer(elements: elements, requestId: requestId, attempts: attempt))
    }
    let skew = response["date"].flatMap { HTTPDate.parse($0) }.map { $0.since(clock.now()) / 1_000 } ?? 0
    let cause: AWSError.Cause
    if let code = elements?.text("Error/Code") {
      cause = .service(code: code, text: elements?.text("Error/Message") ?? "", status: response.status)
    } else if response.status >= 400 {
      cause = .service(code: "HTTP \(response.status)", text: "", status: response.status)
    } else {
      cause = .garbled("status \(response.status) and \(response.body.count) bytes that are not XML")
    }
    let retryAfter =
      (response["x-amz-retry-after"].flatMap { Double($0) }.map { $0 / 1_000 } ?? response["retry-after"].flatMap { Double($0) })
      .flatMap { $0 >= 0 && $0.isFinite ? $0 : nil }
    return .failure(
      AWSError(cause, action: action, requestId: requestId, host: endpoint.host, attempts: attempt, clockOffset: skew),
      retryAfter: retryAfter)
  }

  private func signed(_ body: SecretBytes, _ credential: Credential, _ endpoint: STSEndpoint, _ route: Route) -> HTTPRequest {
    let moment = now()
    var headers: [(name: String, value: String)] = [
      ("Host", endpoint.host), ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
      ("X-Amz-Date", moment.iso8601Basic),
    ]
    if let token = credential.sessionToken {
      headers.append(("X-Amz-Security-Token", token.withBytes { String(decoding: $0, as: UTF8.self) }))
    }
    let payloadHash = body.withBytes { bytes -> String in
      var copy = Array(bytes)
      defer { wipe(&copy) }
      return SigV4.hex(sha256(copy))
    }
    let signable = SignableRequest(method: "POST", path: endpoint.address.path, query: "", headers: headers, body: [])
    headers.append(
      (
        "Authorization",
        SigV4.authorization(
          signable, payloadHash: payloadHash, credential: credential, region: endpoint.signingRegion, service: "sts", at: moment)
      ))
    return HTTPRequest(
      method: "POST", url: endpoint.url, headers: headers, body: body, caBundle: route.caBundle,
      proxy: route.proxies.proxy(for: endpoint.address))
  }
}

/// How a call gets to AWS: through which proxy, trusting which certificates.
public struct Route: Sendable, Hashable {
  public var proxies: ProxySettings
  public var caBundle: String?

  public init(proxies: ProxySettings, caBundle: String?) {
    self.proxies = proxies
    self.caBundle = caBundle
  }
}
