/// Something that goes wrong with the next calls.
public struct STSFault: Codable, Sendable, Hashable {
  /// What goes wrong. Down to `accessDenied` the call is not carried out; from `garbage` on it is, and the answer suffers.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// 400 `Throttling`
    case throttle
    /// 500 `InternalFailure`
    case http500
    /// 503 `ServiceUnavailable`
    case http503
    /// 502 with a page of HTML, as a load balancer gives it.
    case http502
    /// The error that `code`, `status` and `text` name.
    case error
    /// The connection is reset once the request was read.
    case reset
    /// The connection is closed in order, without an answer.
    case close
    /// No answer for `delayMs`, or until the caller goes away; then the connection closes.
    case stall
    /// The simulator's clock is `seconds` off for this call: its verdict and its `Date`.
    case skew
    /// 403 `AccessDenied`
    case accessDenied
    /// 403 `ExpiredToken`
    case expiredToken
    /// 403 `InvalidClientTokenId`
    case invalidClientTokenId

    /// A 200 whose body is not XML.
    case garbage
    /// A 200 whose body is XML, but not of STS.
    case strangeXML
    /// Bytes that are not HTTP.
    case notHTTP
    /// A whole `Content-Length` and half the body, then the end.
    case truncate
    /// The right answer, byte by byte over `delayMs`.
    case slow
    /// The call is carried out, the answer is lost with the connection.
    case dropAnswer
  }

  public var kind: Kind
  /// How many calls it befalls.
  public var count: Int
  /// `AssumeRole`, …; nil for any.
  public var action: String?
  /// The `Retry-After` header of an error, in seconds.
  public var retryAfter: Int?
  /// For `stall` and `slow`.
  public var delayMs: Int?
  /// For `skew`.
  public var seconds: Int?
  /// For `error`.
  public var status: Int?
  /// For `error`.
  public var code: String?
  /// The message of an error, or the bytes of `garbage`.
  public var text: String?

  public init(
    _ kind: Kind, count: Int = 1, action: String? = nil, retryAfter: Int? = nil, delayMs: Int? = nil, seconds: Int? = nil,
    status: Int? = nil, code: String? = nil, text: String? = nil
  ) {
    self.kind = kind
    self.count = count
    self.action = action
    self.retryAfter = retryAfter
    self.delayMs = delayMs
    self.seconds = seconds
    self.status = status
    self.code = code
    self.text = text
  }

  /// Whether every number is one that can be waited for, sent or moved a clock by.
  public var isPlausible: Bool {
    let tenYears = 315_360_000
    return (1...1_000_000).contains(count) && (0...tenYears).contains(retryAfter ?? 0) && (0...tenYears).contains(delayMs ?? 0)
      && (-tenYears...tenYears).contains(seconds ?? 0) && (200...599).contains(status ?? 200)
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    kind = try values.decode(Kind.self, forKey: .kind)
    count = try values.decodeIfPresent(Int.self, forKey: .count) ?? 1
    action = try values.decodeIfPresent(String.self, forKey: .action)
    retryAfter = try values.decodeIfPresent(Int.self, forKey: .retryAfter)
    delayMs = try values.decodeIfPresent(Int.self, forKey: .delayMs)
    seconds = try values.decodeIfPresent(Int.self, forKey: .seconds)
    status = try values.decodeIfPresent(Int.self, forKey: .status)
    code = try values.decodeIfPresent(String.self, forKey: .code)
    text = try values.decodeIfPresent(String.self, forKey: .text)
  }
}
