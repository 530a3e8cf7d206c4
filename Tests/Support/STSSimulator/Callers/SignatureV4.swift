import VaultBytes
import VaultModel
import VaultSecrets

/// The signature of a request, and whether it is right (AWS, "Signing AWS API requests").
///
/// Written from AWS's description alone, apart from what the vault signs with: an error made in both places would not be found.
struct SignatureV4: Sendable {
  let accessKeyId: String
  let day: String
  let region: String
  let service: String
  let terminator: String
  let signedHeaders: [String]
  let signature: String
  /// The request's own date, as it was written and as a moment.
  let dateText: String
  let date: Timestamp

  private static let algorithm = "AWS4-HMAC-SHA256"

  /// Reads the `Authorization` and date headers.
  init(_ request: HTTPRequest) throws(AWSError) {
    guard let header = request["authorization"], !header.isEmpty else { throw .missingAuthenticationToken }
    guard header.hasPrefix(Self.algorithm + " ") else {
      throw .incompleteSignature("Unsupported AWS 'algorithm': '\(header.prefix { $0 != " " })'.")
    }
    var fields: [String: String] = [:]
    for field in header.dropFirst(Self.algorithm.count + 1).split(separator: ",") {
      let halves = field.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
      guard halves.count == 2, fields.updateValue(String(halves[1]), forKey: String(halves[0])) == nil else {
        throw .incompleteSignature("Authorization header is not a list of name=value pairs separated by commas.")
      }
    }
    let missing = ["Credential", "Signature", "SignedHeaders"].filter { fields[$0] == nil }
    guard missing.isEmpty, let credential = fields["Credential"], let signature = fields["Signature"],
      let names = fields["SignedHeaders"]
    else { throw .incompleteSignature(missing.map { "Authorization header requires '\($0)' parameter." }.joined(separator: " ")) }
    let scope = credential.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard scope.count == 5 else {
      throw .incompleteSignature("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
    }
    (accessKeyId, day, region, service, terminator) = (scope[0], scope[1], scope[2], scope[3], scope[4])
    self.signature = signature
    signedHeaders = names.split(separator: ";").map(String.init)
    guard let text = request["x-amz-date"] else {
      throw .incompleteSignature("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    }
    guard let moment = Self.moment(text) else {
      throw .incompleteSignature(
        "Date must be in ISO-8601 'basic format'. Got '\(text)'. See http://en.wikipedia.org/wiki/ISO_8601")
    }
    (dateText, date) = (text, moment)
  }

  /// Whether the scope, the date and the choice of signed headers are what STS takes at `now`.
  ///
  /// - Parameter expected: the service that the call is for.
  func requireScope(_ expected: String, regions: [String], now: Timestamp, request: HTTPRequest) throws(AWSError) {
    var wrong: [String] = []
    if expected == "iam" ? region != "us-east-1" : !regions.contains(region) {
      wrong.append("Credential should be scoped to a valid region. ")
    }
    if service != expected { wrong.append("Credential should be scoped to correct service: '\(expected)'. ") }
    if terminator != "aws4_request" {
      wrong.append("Credential should be scoped with a valid terminator: 'aws4_request', not '\(terminator)'. ")
    }
    if day != dateText.prefix(8) {
      wrong.append(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
          + "'\(day)' != '\(dateText.prefix(8))', from '\(dateText)'. ")
    }
    if !wrong.isEmpty { throw .signature(wrong.joined()) }
    if date < now.adding(seconds: -300) { throw .signatureExpired(signed: date, now: now) }
    if date > now.adding(seconds: 300) { throw .signatureNotYetCurrent(signed: date, now: now) }
    guard signedHeaders.contains("host") else {
      throw .signature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    }
    // All x-amz- headers are to be signed (AWS, "Create a canonical request").
    for (name, _) in request.headers where name.hasPrefix("x-amz-") && !signedHeaders.contains(name) {
      throw .signature("'\(name)' must be a 'SignedHeader' in the AWS Authorization.")
    }
  }

  /// Whether the secret key made this signature of this request.
  func requireSignature(secret: String, request: HTTPRequest) throws(AWSError) {
    var canonicalHeaders = ""
    for name in signedHeaders {
      guard let value = request[name] else { throw .wrongSignature }
      canonicalHeaders += "\(name):\(value.split(separator: " ").joined(separator: " "))\n"
    }
    guard signedHeaders == signedHeaders.map({ $0.lowercased() }).sorted(), let query = Self.canonicalQuery(request.query) else {
      throw .wrongSignature
    }
    let canonicalRequest = [
      request.method, PercentEncoding.encode(request.path.utf8, keepingSlash: true), query, canonicalHeaders,
      signedHeaders.joined(separator: ";"), hex(sha256(request.body)),
    ].joined(separator: "\n")
    let scope = "\(day)/\(region)/\(service)/\(terminator)"
    let stringToSign = "\(Self.algorithm)\n\(dateText)\n\(scope)\n\(hex(sha256(Array(canonicalRequest.utf8))))"
    var key = Array("AWS4\(secret)".utf8)
    for part in [day, region, service, terminator, stringToSign] {
      key = key.withUnsafeBytes { hmacSHA256(key: $0, Array(part.utf8)) }
    }
    let right = Array(hex(key).utf8)
    let same = right.withUnsafeBytes { right in Array(signature.utf8).withUnsafeBytes { constantTimeEqual(right, $0) } }
    if !same { throw .wrongSignature }
  }

  /// Names and values encoded anew, sorted by name and then by value.
  private static func canonicalQuery(_ query: String) -> String? {
    var pairs: [(name: String, value: String)] = []
    for pair in query.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentEncoding.decode(halves[0], plusIsSpace: false),
        let value = PercentEncoding.decode(halves.count > 1 ? halves[1] : "", plusIsSpace: false)
      else { return nil }
      pairs.append((PercentEncoding.encode(name), PercentEncoding.encode(value)))
    }
    return pairs.sorted { ($0.name, $0.value) < ($1.name, $1.value) }.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
  }

  /// `20261123T140300Z` as a moment.
  private static func moment(_ text: String) -> Timestamp? {
    let letters = Array(text.utf8)
    guard letters.count == 16, letters[8] == UInt8(ascii: "T"), letters[15] == UInt8(ascii: "Z") else { return nil }
    func part(_ range: Range<Int>) -> String { String(decoding: letters[range], as: UTF8.self) }
    let extended = "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z"
    return Timestamp(iso8601: extended)
  }
}
