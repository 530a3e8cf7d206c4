import Synchronization
import VaultModel
import VaultSecrets

/// What a service's answer means.
enum Reading<Value> {
  /// Some services say the request's id in the body.
  case value(Value, requestId: String? = nil)
  /// The service's own error.
  case refusal(code: String, text: String, requestId: String? = nil)
  /// No answer of AWS's.
  case garbled(String)
}

/// Makes calls by the SDKs' standard rules: 3 attempts, full jitter up to 20 s, a quota. Where AWS says that the clock is off, the call
/// is signed again with AWS's time, which is kept for the calls after it.
final class AWSCaller: Sendable {
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
  init(transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double) {
    self.transport = transport
    self.clock = clock
    self.random = random
  }

  /// AWS's time, as far as it is known.
  func now() -> Timestamp { clock.now().adding(seconds: offset.withLock { $0 }) }

  struct Answer<Value> {
    let value: Value
    let requestId: String?
    let attempts: Int
  }

  /// Makes one call, with its retries.
  ///
  /// - Parameters:
  ///   - mayRepeat: false for a call that must not be made twice where it is not known whether it was carried out.
  ///   - request: puts the request together, signed for the moment.
  ///   - read: what an answer means.
  /// - Throws: `AWSError`; cancellation.
  func call<Value>(
    _ action: String, at host: String, mayRepeat: Bool = true, request: (Timestamp) -> HTTPRequest,
    read: (HTTPResponse) -> Reading<Value>
  ) async throws -> Answer<Value> {
    var attempt = 1
    var paid: Int?
    var hasCorrectedClock = false
    while true {
      let failure: AWSError
      let pause: Double?
      switch await once(action, host, request(now()), read, attempt) {
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
      guard failure.isRetryable, mayRepeat || failure.isCertainlyUndone, attempt < Self.mostAttempts,
        let cost = quota.take(afterTimeout: failure.isTimeout)
      else {
        throw failure
      }
      paid = cost
      let delay = pause.map { min($0, Self.longestDelay) } ?? random() * min(Self.longestDelay, Double(1 << attempt))
      try await clock.sleep(until: clock.now().adding(milliseconds: Int64(delay * 1_000)))
      attempt += 1
    }
  }

  private enum Outcome<Value> {
    case answer(Answer<Value>)
    case failure(AWSError, retryAfter: Double?)
  }

  private func once<Value>(
    _ action: String, _ host: String, _ request: HTTPRequest, _ read: (HTTPResponse) -> Reading<Value>, _ attempt: Int
  ) async -> Outcome<Value> {
    let response: HTTPResponse
    do throws(TransportError) {
      response = try await transport.send(request)
    } catch {
      return .failure(AWSError(.transport(error), action: action, host: host, attempts: attempt), retryAfter: nil)
    }
    var requestId = response["x-amzn-requestid"]
    let cause: AWSError.Cause
    switch read(response) {
    case .value(let value, let id):
      requestId = requestId ?? id
      return .answer(Answer(value: value, requestId: requestId, attempts: attempt))
    case .refusal(let code, let text, let id):
      requestId = requestId ?? id
      cause = .service(code: code, text: text, status: response.status)
    case .garbled where response.status >= 400:
      cause = .service(code: "HTTP \(response.status)", text: "", status: response.status)
    case .garbled(let what): cause = .garbled(what)
    }
    let skew = response["date"].flatMap { HTTPDate.parse($0) }.map { $0.since(clock.now()) / 1_000 } ?? 0
    let retryAfter =
      (response["x-amz-retry-after"].flatMap { Double($0) }.map { $0 / 1_000 } ?? response["retry-after"].flatMap { Double($0) })
      .flatMap { $0 >= 0 && $0.isFinite ? $0 : nil }
    return .failure(
      AWSError(cause, action: action, requestId: requestId, host: host, attempts: attempt, clockOffset: skew),
      retryAfter: retryAfter)
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
