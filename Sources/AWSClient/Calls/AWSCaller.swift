import Synchronization
import VaultModel
import VaultSecrets

/// One call of a service.
struct AWSCall {
  /// `AssumeRole`, …
  let action: String
  let host: String
  var retries = RetryRule.standard
  /// Makes the request, separately for each attempt, at AWS's time.
  let request: (Timestamp) -> HTTPRequest
}

/// After which failures a call is retried; there are three attempts in all.
enum RetryRule {
  /// After every transient failure.
  case standard
  /// Only if it is certain that nothing was done: for calls that create something each time.
  case unlessDone
  /// Only if there was a response: for an address that may not be in use.
  case answered
  case never

  func allows(_ error: AWSError) -> Bool {
    guard error.isRetryable else { return false }
    switch (self, error.cause) {
    case (.standard, _), (.unlessDone, .transport(.connect)), (.unlessDone, .transport(.resolve)): return true
    case (.unlessDone, .service(let code, _, let status)): return AWSError.throttling.contains(code) || status == 429
    case (.unlessDone, _): return false
    case (.answered, .transport), (.never, _): return false
    case (.answered, _): return true
    }
  }
}

/// The response of a service.
struct AWSResponse<Document> {
  let document: Document
  let requestId: String?
  let attempts: Int
  let action: String
  let host: String

  /// Decodes the response with `body`.
  ///
  /// - Throws: `AWSError`, malformed response, if it is invalid.
  func read<Value>(_ body: (Document) throws(MalformedResponse) -> Value) throws(AWSError) -> Value {
    do throws(MalformedResponse) {
      return try body(document)
    } catch {
      throw AWSError(.malformedResponse(error.what), action: action, requestId: requestId, host: host, attempts: attempts)
    }
  }
}

/// The fault of a response.
struct MalformedResponse: Error {
  let what: String
}

/// Calls AWS, with retries as in the SDKs' standard mode: 3 attempts, full jitter up to 20 s and a quota.
///
/// If AWS reports that the clock is off, the call is signed again with AWS's time, which is kept for later calls. Times from AWS
/// are then converted to the machine's clock, so that the vault and the programs that it serves see a session expire at the right
/// moment.
final class AWSCaller: Sendable {
  static let maxAttempts = 3
  static let maxDelay = 20.0
  /// Seconds; AWS tolerates 300 (AWS General Reference, "Signature Version 4").
  static let toleratedSkew: Int64 = 240

  private let transport: any HTTPTransport
  private let clock: any WallClock
  private let random: @Sendable () -> Double
  private let quota = RetryQuota()
  /// Seconds to add to the machine's clock to get AWS's.
  private let offset = Mutex<Int64>(0)
  /// The same as of the latest response, however little it is.
  private let latestOffset = Mutex<Int64>(0)

  /// - Parameter random: from 0 up to 1, for the jitter.
  init(transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double) {
    self.transport = transport
    self.clock = clock
    self.random = random
  }

  /// The machine's time.
  func now() -> Timestamp { clock.now() }
  /// AWS's time, as the latest response had it. That counts whole seconds, so this is up to one later.
  func serverTime() -> Timestamp { clock.now().adding(seconds: latestOffset.withLock { $0 } + 1) }

  /// Waits before a job of AWS's is asked for again.
  func pause(seconds: Int64) async throws { try await clock.sleep(until: clock.now().adding(seconds: seconds)) }

  /// A time from AWS on the machine's clock, as far as the offset is known.
  func local(_ moment: Timestamp?) -> Timestamp? { moment?.adding(seconds: -offset.withLock { $0 }) }

  /// - Throws: `AWSError`; `CancellationError` if a wait between attempts is cancelled.
  func call<Document>(_ call: AWSCall, _ form: ResponseDecoder<Document>) async throws -> AWSResponse<Document> {
    var attempt = 1
    var paid: Int?
    var hasCorrectedClock = false
    while true {
      let failure: AWSError
      let serverDelay: Double?
      switch await once(call, as: form, attempt: attempt) {
      case .answer(let answer):
        quota.giveBack(paid)
        return answer
      case .failure(let error, let retryAfter):
        failure = error
        serverDelay = retryAfter
      }
      // Compared with the time used for signing, not with the machine's: an offset learnt earlier may be wrong now.
      if failure.blamesClock, !hasCorrectedClock, abs(failure.clockOffset - offset.withLock { $0 }) > Self.toleratedSkew {
        hasCorrectedClock = true
        offset.withLock { $0 = failure.clockOffset }
        continue
      }
      guard call.retries.allows(failure), attempt < Self.maxAttempts, let cost = quota.consume(afterTimeout: failure.isTimeout)
      else { throw failure }
      paid = cost
      let delay = serverDelay.map { min($0, Self.maxDelay) } ?? random() * min(Self.maxDelay, Double(1 << attempt))
      try await clock.sleep(until: clock.now().adding(milliseconds: Int64(delay * 1_000)))
      attempt += 1
    }
  }

  private enum Outcome<Document> {
    case answer(AWSResponse<Document>)
    case failure(AWSError, retryAfter: Double?)
  }

  private func once<Document>(_ call: AWSCall, as form: ResponseDecoder<Document>, attempt: Int) async -> Outcome<Document> {
    let response: HTTPResponse
    do throws(TransportError) {
      response = try await transport.send(call.request(clock.now().adding(seconds: offset.withLock { $0 })))
    } catch {
      return .failure(AWSError(.transport(error), action: call.action, host: call.host, attempts: attempt), retryAfter: nil)
    }
    let requestId = response["x-amzn-requestid"] ?? form.requestId(response)
    let skew = response["date"].flatMap { HTTPDate.parse($0) }.map { $0.since(clock.now()) / 1_000 }
    if let skew { latestOffset.withLock { $0 = skew } }
    if (200..<300).contains(response.status), let document = form.document(response.body) {
      // Unsigned calls (the portal of Identity Center) are answered whatever the clock says.
      if let skew {
        offset.withLock { if abs(skew - $0) > Self.toleratedSkew { $0 = abs(skew) > Self.toleratedSkew ? skew : 0 } }
      }
      return .answer(
        AWSResponse(document: document, requestId: requestId, attempts: attempt, action: call.action, host: call.host))
    }
    let error = AWSError(
      Self.cause(response, form), action: call.action, requestId: requestId, host: call.host, attempts: attempt,
      clockOffset: skew ?? 0
    )
    return .failure(error, retryAfter: Self.retryAfter(response))
  }

  private static func cause<Document>(_ response: HTTPResponse, _ form: ResponseDecoder<Document>) -> AWSError.Cause {
    if let refusal = form.refusal(response) { return .service(code: refusal.code, text: refusal.text, status: response.status) }
    if response.status >= 400 { return .service(code: "HTTP \(response.status)", text: "", status: response.status) }
    return .malformedResponse("status \(response.status) and \(response.body.count) bytes that are not \(form.name)")
  }

  /// Seconds.
  private static func retryAfter(_ response: HTTPResponse) -> Double? {
    let seconds =
      response["x-amz-retry-after"].flatMap { Double($0) }.map { $0 / 1_000 } ?? response["retry-after"].flatMap { Double($0) }
    return seconds.flatMap { $0 >= 0 && $0.isFinite ? $0 : nil }
  }
}
