import CCurl
import VaultBytes
import VaultModel

/// How a call reaches one endpoint: its origin, the proxy, and the certificates to trust.
///
/// An AWS client cannot be called without one, and ``TrustedPlaces`` makes one only for an endpoint that may be sent secrets.
public struct NetworkSettings: Sendable, Hashable {
  /// The only origin that this route leads to: `https://sts.us-east-1.amazonaws.com`, with the port if it is not the scheme's
  /// default.
  public let origin: String
  /// Proxies for https; none for plain http.
  public let proxies: ProxySettings
  /// Replaces the system's certificates.
  public let certificates: CertificateBundle?

  init(to address: WebAddress, proxies: ProxySettings, certificates: CertificateBundle?) {
    origin = address.origin
    self.proxies = address.scheme == "https" && !address.isLoopback ? proxies : .none
    self.certificates = certificates
  }

  /// For a secret that belongs to the requester rather than the vault, and the address that the requester gives with it: GitHub's
  /// token for a job.
  public init(forOwnSecretOf address: WebAddress, proxies: ProxySettings) {
    self.init(to: address, proxies: proxies, certificates: nil)
  }

  /// The audit log's note about a route that is not the default one; nil for the default.
  public var detail: String? { NetworkDetail(proxy: proxies.display, caBundle: certificates?.path)?.text }
}

/// The proxy for a request, from curl's variables. libcurl gets the person's own texts, and handles the exceptions
/// (`CURLOPT_NOPROXY`).
public struct ProxySettings: Sendable, Hashable {
  public static let none = ProxySettings { _ in nil }

  /// As the person wrote it; nil for no proxy.
  public let proxy: String?
  /// Hosts, domains and networks that are reached without the proxy, separated by commas.
  public let exceptions: String?
  /// `SCHEME://HOST[:PORT]`, as libcurl will read it, without user name and password; nil for no proxy.
  public let display: String?

  /// What is shown of a text that is not the address of a proxy, and may hold a password.
  static let invalid = "(not valid)"

  /// - Parameter environment: looks up a variable; lower-case names take precedence, as in curl.
  public init(environment: (String) -> String?) {
    func variable(_ name: String) -> String? {
      [environment(name.lowercased()), environment(name)].compactMap { $0 }.first { !$0.isEmpty }
    }
    proxy = variable("HTTPS_PROXY") ?? variable("ALL_PROXY")
    exceptions = proxy == nil ? nil : variable("NO_PROXY")
    display = proxy.map { Self.place($0) ?? Self.invalid }
  }

  /// Whether there is a text that libcurl would not accept.
  var isInvalid: Bool { display == Self.invalid }

  /// As libcurl parses a proxy (its `parse_proxy`): a scheme may be missing.
  private static func place(_ proxy: String) -> String? {
    let flags = UInt32(CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME)
    guard proxy.utf8.count <= 2_048, proxy.utf8.allSatisfy({ (33...126).contains($0) }), let url = CurlURL(proxy, flags: flags),
      let scheme = url.part(CURLUPART_SCHEME)?.lowercased(), let host = url.part(CURLUPART_HOST), !host.isEmpty,
      ["http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"].contains(scheme)
    else { return nil }
    return "\(scheme)://\(safeText(host))" + (url.part(CURLUPART_PORT).map { ":\($0)" } ?? "")
  }
}

/// The destination of a call.
public protocol NetworkPlace: Sendable {
  var address: WebAddress { get }
  /// Whether it is AWS's own according to the rules of its partitions (botocore's `endpoint-rule-set-1.json`), rather than another
  /// URL.
  var isAWS: Bool { get }
}

extension STSEndpoint: NetworkPlace {}
extension ServiceEndpoint: NetworkPlace {}
extension ConsoleHosts: NetworkPlace {
  public var address: WebAddress { federation }
}
