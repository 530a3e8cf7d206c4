/// Reads AWS's sentence about a refusal, wherever it stands in a text: alone, in a line of the AWS CLI or an SDK, or in a trace.
///
/// The words are those of the IAM User Guide, "Troubleshoot access denied error messages" and "Troubleshoot access denied error
/// messages with authorization ID".
struct DenialWords {
  private let text: ByteText
  /// The piece of the text that belongs to the refusal.
  private var start: Int?
  private var end = 0
  private var denial = Denial(message: "")

  /// - Returns: nil if the text tells of no refusal.
  static func read(_ text: ByteText, code: String? = nil, operation: String? = nil) -> Denial? {
    var words = DenialWords(text: text)
    guard words.sentence() || words.otherRefusal() || words.isRefusal(code: code) else { return nil }
    words.heading()
    words.authorization()
    words.encoded()
    var denial = words.denial
    denial.code = code ?? denial.code
    denial.operation = operation ?? denial.operation
    let start = words.start ?? 0
    let end = max(words.end, min(start, text.bytes.count))
    denial.message = text.text(start..<max(start, min(end, start + 4_096)))
    return denial
  }

  private init(text: ByteText) { self.text = text }

  private mutating func take(_ range: Range<Int>) {
    start = min(start ?? range.lowerBound, range.lowerBound)
    end = max(end, range.upperBound)
  }

  // MARK: User: ARN is not authorized to perform: ACTION on resource: ARN because …

  /// The last sentence of this form: a trace ends with the error that counts.
  private mutating func sentence() -> Bool {
    var limit = text.bytes.count
    for _ in 0..<16 {
      guard let mark = text.findLast("not authorized to perform", before: limit) else { return false }
      limit = mark.lowerBound
      var place = mark.upperBound
      if place < text.bytes.count, text.bytes[place] == UInt8(ascii: ":") { place += 1 }
      place = text.skip(place)
      guard let action = text.word(at: place, limit: 256), action.text.contains(":") else { continue }
      denial.action = action.text
      take(mark)
      take(action.range)
      if let user = text.findLast("User: ", before: mark.lowerBound), mark.lowerBound - user.upperBound < 2_200,
        let name = text.word(at: user.upperBound)?.text, name != "is"
      {
        denial.principal = name
        take(user)
      }
      resource(after: action.range.upperBound)
      reason(after: end)
      return true
    }
    return false
  }

  private mutating func resource(after place: Int) {
    guard let mark = text.find("on resource:", from: place, before: place + 16) else { return }
    var place = text.skip(mark.upperBound)
    while place < text.bytes.count, [UInt8(ascii: "\""), UInt8(ascii: "\\")].contains(text.bytes[place]) { place += 1 }
    guard let first = text.word(at: place) else { return }
    denial.resource = first.text
    take(mark.lowerBound..<first.range.upperBound)
    // IAM names some of its own without an ARN: "user ann", "role dev", "instance profile x".
    guard !first.text.contains(":"), first.text != "*", let second = text.word(at: text.skip(first.range.upperBound)),
      !["because", "with", "status", "Go"].contains(second.text)
    else { return }
    denial.resource = first.text + " " + second.text
    take(second.range)
  }

  /// `because no TYPE allows the ACTION action`, or `with an explicit deny in a TYPE: POLICY`.
  private mutating func reason(after place: Int) {
    let limit = min(place + 1_024, text.bytes.count)
    if let mark = text.find("with an explicit deny", from: place, before: limit) {
      denial.isExplicit = true
      take(mark)
      guard let type = type(from: mark.upperBound, before: mark.upperBound + 80) else { return }
      denial.policyType = type.kind
      take(type.range)
      // An SCP may refuse through an endpoint policy's name (IAM User Guide, "… transitively through a service control policy").
      if let through = text.find("transitively through a service control policy", from: type.range.upperBound, before: limit),
        through.lowerBound - type.range.upperBound < 4
      {
        denial.policyType = .serviceControl
        take(through)
      }
      if let arn = text.find("arn:", from: end, before: end + 24), let name = text.word(at: arn.lowerBound) {
        denial.policyARN = name.text
        take(name.range)
      }
      return
    }
    guard let mark = text.find("because no ", from: place, before: limit),
      let type = type(from: mark.upperBound, before: mark.upperBound + 40)
    else { return }
    denial.policyType = type.kind
    take(mark.lowerBound..<type.range.upperBound)
    guard let allows = text.find("allows the ", from: type.range.upperBound, before: type.range.upperBound + 16),
      let action = text.word(at: allows.upperBound, limit: 256), action.text.contains(":")
    else { return }
    // It may be another than the one that was called: ec2:CreateVpcEndpoint fails for want of vpce:AllowMultiRegion.
    denial.action = action.text
    take(allows.lowerBound..<action.range.upperBound)
    if let last = text.find(" action", from: end, before: end + 7) { take(last) }
  }

  private func type(from start: Int, before end: Int) -> (kind: Denial.PolicyType, range: Range<Int>)? {
    var first: (kind: Denial.PolicyType, range: Range<Int>)?
    for kind in Denial.PolicyType.allCases {
      guard let range = text.find(kind.rawValue, from: start, before: end) else { continue }
      if first.map({ range.lowerBound < $0.range.lowerBound }) ?? true { first = (kind, range) }
    }
    return first
  }

  // MARK: other refusals

  /// What refuses without that sentence.
  private static let phrases = [
    "MultiFactorAuthentication failed", "The requested DurationSeconds exceeds", "STS is not activated in this region",
    "Roles may not be assumed by root accounts", "Signature expired", "Signature not yet current", "not yet current",
    "You are not authorized to perform this operation", "not authorized to perform", "you are not assigned",
    "The security token included in the request is", "Credential should be scoped to a valid region",
    "The ciphertext refers to a customer master key", "you are not allowed to access", "at 'durationSeconds'",
    "Incorrect token audience", "not able to validate the provided access credentials",
    // API Gateway, whose authorizer refused.
    "not authorized to access this resource",
    // The answer to a HEAD has no body, and an SDK has the status alone.
    "(403) when calling the ", "api error Forbidden", "Forbidden: Forbidden",
  ]

  private mutating func otherRefusal() -> Bool {
    for phrase in Self.phrases {
      guard let mark = text.findLast(phrase) else { continue }
      let limit = min(mark.upperBound + 400, text.bytes.count)
      take(mark.lowerBound..<limit)
      denial.isExplicit = text.find("explicit deny", from: mark.lowerBound, before: limit) != nil
      return true
    }
    return false
  }

  /// Whether the code alone tells of a refusal; in a text, one in the form of an SDK.
  private mutating func isRefusal(code: String?) -> Bool {
    if let code {
      guard Self.codes.contains(where: { code == $0 || code.hasSuffix("." + $0) }) || code.hasSuffix("AccessDeniedException")
      else { return false }
      take(0..<min(text.bytes.count, 4_096))
      return true
    }
    for code in Self.codes {
      guard var mark = text.findLast(code) else { continue }
      // A service's own: KMSAccessDeniedException.
      if code == "AccessDeniedException" {
        var first = mark.lowerBound
        while first > 0, mark.lowerBound - first < 64, (97...122).contains(text.bytes[first - 1] | 0x20) { first -= 1 }
        mark = first..<mark.upperBound
      }
      // In the form of an SDK: "(AccessDenied)", "AccessDenied: …", "Error Code: AccessDenied".
      let before = mark.lowerBound > 0 ? text.bytes[mark.lowerBound - 1] : 0x20
      let after = mark.upperBound < text.bytes.count ? text.bytes[mark.upperBound] : 0x20
      let isNamed = text.findLast("code: ", before: mark.lowerBound)?.upperBound == mark.lowerBound
      guard before == UInt8(ascii: "(") && after == UInt8(ascii: ")") || after == UInt8(ascii: ":") || isNamed else { continue }
      denial.code = text.text(mark)
      take(mark.lowerBound..<min(mark.upperBound + 400, text.bytes.count))
      return true
    }
    return false
  }

  /// Codes of refusals, longer ones before those that they contain.
  static let codes = [
    "AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "UnauthorizedException", "ForbiddenException",
    "RegionDisabledException", "RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch",
    "ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException", "OptInRequired",
    "AuthorizationError", "AuthFailure", "IDPRejectedClaim", "InvalidIdentityToken", "NotAuthorizedException",
  ]

  // MARK: the code and the operation

  private mutating func heading() {
    let start = start ?? 0
    // Of botocore: "An error occurred (CODE) when calling the OPERATION operation (reached max retries: 4): …".
    if let mark = text.findLast("An error occurred (", before: start + 24),
      let code = text.word(at: mark.upperBound, limit: 128)?.text,
      let call = text.find("when calling the ", from: mark.upperBound),
      call.lowerBound - mark.upperBound < 140
    {
      denial.code = denial.code ?? code
      denial.operation = text.word(at: call.upperBound, limit: 128)?.text
      return
    }
    // Of the SDK for Go: "operation error STS: AssumeRole, … api error AccessDenied: …".
    if let mark = text.findLast("operation error ", before: start), let colon = text.find(": ", from: mark.upperBound),
      colon.lowerBound - mark.upperBound < 64
    {
      denial.operation = text.word(at: colon.upperBound, limit: 128)?.text
    }
    if denial.code == nil {
      let window = text.text(max(0, start - 256)..<min(text.bytes.count, end + 256))
      denial.code = Self.codes.first { window.contains($0) }
      if denial.code == nil, window.contains("ValidationError") { denial.code = "ValidationError" }
      if denial.code == nil, window.contains("error Forbidden:") { denial.code = "Forbidden" }
    }
    // Of the vault itself: "AssumeRole: AccessDenied: …".
    if denial.operation == nil, let code = denial.code, let mark = text.findLast(": \(code): ", before: start + 1) {
      var first = mark.lowerBound
      while first > 0, text.bytes[first - 1] > 0x20, mark.lowerBound - first < 64 { first -= 1 }
      let name = text.text(first..<mark.lowerBound)
      if name.first?.isUppercase == true, name.allSatisfy({ $0.isASCII && $0.isLetter }) { denial.operation = name }
    }
  }

  // MARK: the authorization id and the encoded message

  private mutating func authorization() {
    let place = start ?? 0
    if let mark = text.find("authorization-details/", from: place), let id = Self.id(text, mark.upperBound) {
      denial.authorizationId = id
      if let region = text.findLast("region=", before: mark.lowerBound), mark.lowerBound - region.upperBound < 40 {
        denial.authorizationRegion = text.word(at: region.upperBound, limit: 40).map {
          String($0.text.prefix { $0 != "#" && $0 != "&" })
        }
      }
      take(mark.lowerBound..<mark.upperBound + id.utf8.count)
    }
    if let mark = text.find("authorization id: ", from: place), let id = Self.id(text, mark.upperBound) {
      denial.authorizationId = id
      take(mark.lowerBound..<mark.upperBound + id.utf8.count)
    }
  }

  /// Letters and digits, at most 256 (IAM Toolbox API, `GetRequestAuthorizationDetails`).
  private static func id(_ text: ByteText, _ start: Int) -> String? {
    guard let word = text.word(at: start, limit: 300) else { return nil }
    let id = word.text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
    return (1...256).contains(id.utf8.count) ? String(id) : nil
  }

  private mutating func encoded() {
    guard let mark = text.find("Encoded authorization failure message: ", from: 0),
      let message = text.word(at: mark.upperBound, limit: 10_240)?.text,
      message.utf8.allSatisfy({ (97...122).contains($0 | 0x20) || (48...57).contains($0) || "-_=+/".utf8.contains($0) })
    else { return }
    denial.encodedMessage = message
    // The sentence before it is what a person reads.
    if end > mark.lowerBound { end = mark.lowerBound }
    if start.map({ $0 > mark.lowerBound }) ?? true { start = mark.lowerBound }
  }
}
