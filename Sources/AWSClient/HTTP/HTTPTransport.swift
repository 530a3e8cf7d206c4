import VaultModel
import VaultSecrets

/// One HTTP request. Its body may hold a token code or an assertion, so it is in guarded memory.
public struct HTTPRequest: Sendable {
  public var method: String
  public var url: String
  public var headers: [(name: String, value: String)]
  public var body: SecretBytes
  /// The route, which the URL must match; nil for a machine's own metadata, which is fetched without a proxy.
  public var route: NetworkSettings?
  /// The part after `?`, percent-encoded. Kept apart from the URL, which errors show, since it may hold credentials.
  public var query: SecretBytes?
  /// The time limit for the whole transfer, in milliseconds; nil for the transport's own limit.
  public var timeout: Int?
  /// Whether a host other than this machine may be called without TLS: the metadata address of an instance or container.
  public var isPlainAllowed = false

  public init(
    method: String, url: String, headers: [(name: String, value: String)], body: SecretBytes, route: NetworkSettings? = nil,
    query: SecretBytes? = nil, timeout: Int? = nil
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.route = route
    self.query = query
    self.timeout = timeout
  }
}

/// The response. Its body holds credentials.
public struct HTTPResponse: Sendable {
  public var status: Int
  /// Names in lower case.
  public var headers: [(name: String, value: String)]
  public var body: SecretBytes

  public init(status: Int, headers: [(name: String, value: String)], body: SecretBytes) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  public subscript(_ name: String) -> String? { headers.last { $0.name == name }?.value }
}

/// Sends HTTP requests: with libcurl, or in tests from a script.
public protocol HTTPTransport: Sendable {
  func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse
}

/// Why there was no response.
public enum TransportError: ReportableError, Hashable {
  case badURL(String)
  case insecure(host: String)
  case resolve(host: String)
  case connect(host: String)
  case timedOut(host: String)
  case tls(host: String, why: String)
  case cut(host: String, why: String)
  case tooLarge(host: String)
  /// A header with a line break or another control character, such as a badly pasted token.
  case badRequest(host: String)
  /// The proxy's variable is not the address of one. Not shown, since it may hold a password.
  case badProxy
  /// A proxy's answer to CONNECT.
  case refusedByProxy(String, host: String, status: Int)
  /// The file of certificates to trust for the call.
  case certificates(CertificateBundle.Problem)
  /// No thread or handle for the transfer.
  case cannotStart
  case cancelled

  public var message: String {
    switch self {
    case .badURL(let url): "\"\(Self.withoutUser(url))\" is not a valid URL for AWS"
    case .insecure(let host): "refusing to call \(host) without TLS"
    case .resolve(let host): "the name \(host) cannot be resolved"
    case .connect(let host): "cannot connect to \(host)"
    case .timedOut(let host): "\(host) did not answer in time"
    case .tls(let host, let why): "no secure connection to \(host): \(why)"
    case .cut(let host, let why): "the connection to \(host) broke: \(why)"
    case .tooLarge(let host): "the response from \(host) is too large"
    case .badRequest(let host): "a header of the request to \(host) contains a line break or control character"
    case .badProxy: "HTTPS_PROXY or ALL_PROXY is not the address of a proxy"
    case .refusedByProxy(let proxy, let host, let status): "the proxy \(proxy) refused to connect to \(host) (\(status))"
    case .certificates(let problem): problem.message
    case .cannotStart: "cannot start a transfer: out of memory or threads"
    case .cancelled: "interrupted"
    }
  }

  public var hint: String? {
    switch self {
    case .badURL: "use https://HOST, or http:// for this machine only; see AWS_ENDPOINT_URL and endpoint_url"
    case .insecure: "use https; plain http is allowed only for 127.0.0.1, ::1 and localhost"
    case .resolve, .connect, .timedOut: "are you online? behind a proxy, set HTTPS_PROXY"
    case .badProxy: "http://HOST:PORT, https://…, socks5h://…; in a user name or password, special characters are written as %40"
    case .refusedByProxy(_, _, 407): "it wants a user name and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
    case .refusedByProxy: "NO_PROXY names hosts that are reached without it"
    case .tls: "if a proxy uses its own certificate authority, set AWS_CA_BUNDLE or ca_bundle to its certificate"
    case .certificates(let problem): problem.hint
    case .badRequest: "is the access key id or session token complete, and on one line?"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .badURL, .insecure, .badRequest, .badProxy, .refusedByProxy(_, _, 407): .configuration
    case .certificates(let problem): problem.exitStatus
    case .cancelled, .cannotStart: .temporary
    default: .unavailable
    }
  }

  /// A user name and password in a URL are refused, and are not shown either.
  private static func withoutUser(_ url: String) -> String { url.lastIndex(of: "@").map { "…" + url[$0...] } ?? url }

  /// Whether a retry may help.
  var isTransient: Bool {
    switch self {
    case .resolve, .connect, .timedOut, .cut: true
    case .refusedByProxy(_, _, let status): status >= 500
    default: false
    }
  }

  var isTimeout: Bool { if case .timedOut = self { true } else { false } }
}
