import Glibc
import VaultSecrets

/// A request for credentials, as the vault's programs make it.
struct EndpointRequest {
  /// Why a request is invalid.
  struct Refusal: Error {
    let status: UInt32
    let code: String
    let text: String
    /// No program of the vault's would make it.
    var isHostile = false

    static func hostile(_ status: UInt32, _ text: String) -> Refusal {
      Refusal(status: status, code: "AccessDenied", text: text, isHostile: true)
    }
  }

  /// Identifies the token.
  let tokenHash: [UInt8]

  /// Validates the request; does not look up the token.
  ///
  /// - Parameter port: the port at which it arrived.
  init(_ request: LoopbackServer.Request, port: Int) throws(Refusal) {
    guard request.path == CredentialEndpoint.path, !request.hasQuery else {
      throw Refusal(status: 404, code: "NotFound", text: "not found")
    }
    guard request.method == "GET" else { throw Refusal(status: 405, code: "MethodNotAllowed", text: "only GET is allowed") }
    var headers = Headers()
    request.forEachHeader { headers.receive($0, $1) }
    // A host name that a web page made point here (DNS rebinding) and anything that a browser sends come from no holder of a token.
    guard headers.hosts == 1, headers.host == "127.0.0.1:\(port)" else { throw .hostile(403, "wrong host") }
    guard !headers.isBrowser else { throw .hostile(403, "browsers are not served") }
    guard !headers.hasBody else { throw Refusal(status: 400, code: "BadRequest", text: "a body is not allowed") }
    guard headers.tokens == 1 else { throw .hostile(401, "exactly one token is required") }
    tokenHash = headers.tokenHash
  }

  /// The headers that the validation needs.
  private struct Headers {
    var hosts = 0
    var host = ""
    var tokens = 0
    var tokenHash: [UInt8] = []
    var isBrowser = false
    var hasBody = false

    mutating func receive(_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>) {
      if strcasecmp(name, "host") == 0 {
        hosts += 1
        host = String(cString: value)
      } else if strcasecmp(name, "authorization") == 0 {
        tokens += 1
        tokenHash = EndpointRequest.hash(UnsafeRawBufferPointer(start: value, count: strlen(value)))
      } else if strcasecmp(name, "origin") == 0 || strcasecmp(name, "referer") == 0 || strncasecmp(name, "sec-fetch-", 10) == 0
        || strncasecmp(name, "access-control-", 15) == 0
      {
        isBrowser = true
      } else if strcasecmp(name, "transfer-encoding") == 0 || (strcasecmp(name, "content-length") == 0 && strcmp(value, "0") != 0)
      {
        hasBody = true
      }
    }
  }

  /// BLAKE2b-256 of a token.
  static func hash(_ token: UnsafeRawBufferPointer) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
      blake2b256(token, into: UnsafeMutableRawBufferPointer(digest))
      count = 32
    }
  }

  /// Compares in constant time.
  static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.withUnsafeBytes { one in other.withUnsafeBytes { constantTimeEqual(one, $0) } }
  }
}
