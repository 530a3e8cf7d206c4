import VaultBytes
import VaultModel
import VaultSecrets

/// A request in the form that Signature Version 4 signs.
struct SignableRequest {
  var method: String
  /// As sent, percent-encoded.
  var path: String
  /// `name=value` pairs, as sent, without `?`.
  var query: String
  var headers: [(name: String, value: String)]
  var body: [UInt8]
  /// Only S3 signs the path as it is; every other service signs the normalized form.
  var normalizesPath = true
}

/// AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests").
enum SigV4 {
  static let algorithm = "AWS4-HMAC-SHA256"

  /// `20150830/us-east-1/sts/aws4_request`
  static func scope(_ moment: Timestamp, region: String, service: String) -> String {
    "\(moment.iso8601Basic.prefix(8))/\(region)/\(service)/aws4_request"
  }

  static func canonicalRequest(_ request: SignableRequest, payloadHash: String) -> String {
    let headers = canonicalHeaders(request.headers)
    return [
      request.method, canonicalPath(request.path, normalized: request.normalizesPath), canonicalQuery(request.query),
      headers.map { "\($0.name):\($0.value)\n" }.joined(), headers.map(\.name).joined(separator: ";"), payloadHash,
    ].joined(separator: "\n")
  }

  static func stringToSign(_ canonicalRequest: String, at moment: Timestamp, scope: String) -> String {
    [algorithm, moment.iso8601Basic, scope, hex(sha256(Array(canonicalRequest.utf8)))].joined(separator: "\n")
  }

  /// The value of the `Authorization` header.
  static func authorization(
    _ request: SignableRequest, payloadHash: String, credential: Credential, region: String, service: String, at moment: Timestamp
  ) -> String {
    let scope = scope(moment, region: region, service: service)
    let text = stringToSign(canonicalRequest(request, payloadHash: payloadHash), at: moment, scope: scope)
    let signed = canonicalHeaders(request.headers).map(\.name).joined(separator: ";")
    let signature = signature(text, secret: credential.secretAccessKey, at: moment, region: region, service: service)
    return "\(algorithm) Credential=\(credential.accessKeyId)/\(scope), SignedHeaders=\(signed), Signature=\(signature)"
  }

  static func signature(_ text: String, secret: SecretBytes, at moment: Timestamp, region: String, service: String) -> String {
    let prefix = Array("AWS4".utf8)
    let first = SecretBytes(count: prefix.count + secret.count) { bytes in
      bytes.copyBytes(from: prefix)
      secret.withBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[prefix.count...]).copyMemory(from: $0) }
    }
    var key = first.withBytes { hmacSHA256(key: $0, Array(moment.iso8601Basic.utf8.prefix(8))) }
    for part in [region, service, "aws4_request"] {
      var next = key.withUnsafeBytes { hmacSHA256(key: $0, Array(part.utf8)) }
      swap(&key, &next)
      wipe(&next)
    }
    defer { wipe(&key) }
    return hex(key.withUnsafeBytes { hmacSHA256(key: $0, Array(text.utf8)) })
  }

  // MARK: canonical forms

  /// Names in lower case and sorted; values trimmed, with runs of blanks reduced to one; values of the same name joined in order.
  static func canonicalHeaders(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)] {
    var values: [String: [String]] = [:]
    for header in headers { values[header.name.lowercased(), default: []].append(folded(header.value)) }
    return values.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
      ($0, values[$0]?.joined(separator: ",") ?? "")
    }
  }

  private static func folded(_ value: String) -> String {
    value.split(whereSeparator: { $0 == " " || $0 == "\t" || $0.isNewline }).joined(separator: " ")
  }

  static func canonicalPath(_ path: String, normalized: Bool) -> String {
    guard normalized else { return path.isEmpty ? "/" : path }
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    let joined = "/" + parts.joined(separator: "/")
    let closed = path.hasSuffix("/") && !parts.isEmpty ? joined + "/" : joined
    return closed.split(separator: "/", omittingEmptySubsequences: false).map { encoded(String($0)) }.joined(separator: "/")
  }

  static func canonicalQuery(_ query: String) -> String {
    query.split(separator: "&").map { pair -> (String, String) in
      let equals = pair.firstIndex(of: "=")
      return (reencoded(pair[..<(equals ?? pair.endIndex)]), equals.map { reencoded(pair[pair.index(after: $0)...]) } ?? "")
    }.sorted { $0.0 == $1.0 ? $0.1.utf8.lexicographicallyPrecedes($1.1.utf8) : $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
      .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }

  /// Encoded as the signature requires, whatever was encoded before.
  private static func reencoded(_ text: Substring) -> String {
    var rest = text.utf8[...]
    var bytes = ByteBuffer()
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let byte = Hexadecimal.byte(rest.first, rest.dropFirst().first) {
        rest = rest.dropFirst(2)
        encode(byte, into: &bytes)
      } else {
        encode(byte, into: &bytes)
      }
    }
    return bytes.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// Percent-encoded except for the unreserved characters (RFC 3986, 2.3).
  static func encoded(_ text: String) -> String {
    var bytes = ByteBuffer()
    for byte in text.utf8 { encode(byte, into: &bytes) }
    return bytes.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  static func encode(_ byte: UInt8, into bytes: inout ByteBuffer) {
    switch byte {
    case 48...57, 65...90, 97...122, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
    default:
      bytes.append(UInt8(ascii: "%"))
      bytes.append(littleEndian: UInt16(truncatingIfNeeded: Hexadecimal.digits(of: UInt32(byte), isUppercase: true)))
    }
  }
}
