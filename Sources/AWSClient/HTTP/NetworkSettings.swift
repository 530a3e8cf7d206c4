import VaultModel

/// How a call gets to one place: the place itself, the proxy, and the certificates by which it is believed.
///
/// A client of AWS cannot be called without one, and ``TrustedPlaces`` makes one only for a place to which secrets may go.
public struct NetworkSettings: Sendable, Hashable {
  /// All that this route leads to: `https://sts.us-east-1.amazonaws.com`, with the port where it is not the scheme's own.
  public let origin: String
  /// Proxies for https; none for plain http.
  public let proxies: ProxySettings
  /// What takes the place of the system's certificates.
  public let certificates: CertificateBundle?

  init(to address: WebAddress, proxies: ProxySettings, certificates: CertificateBundle?) {
    origin = address.origin
    self.proxies = address.scheme == "https" && !address.isLoopback ? proxies : .none
    self.certificates = certificates
  }

  /// For a secret that is the asker's own and not the vault's, to the place that the asker names with it: GitHub's token for a job.
  public init(forOwnSecretOf address: WebAddress, proxies: ProxySettings) {
    self.init(to: address, proxies: proxies, certificates: nil)
  }

  /// What the audit log says of a way that is not AWS's own; nil for one that is.
  public var detail: String? { NetworkDetail(proxy: proxies.display, caBundle: certificates?.path)?.text }
}

/// Which proxy a request goes through, as curl's variables say it. What is excepted is libcurl's to decide (`CURLOPT_NOPROXY`).
public struct ProxySettings: Sendable, Hashable {
  public static let none = ProxySettings { _ in nil }

  /// A URL; nil for no proxy.
  public let proxy: String?
  /// Hosts, domains and networks that are asked directly, parted by commas.
  public let exceptions: String?

  /// - Parameter environment: looks up a variable; the lower-case names count first, as for curl.
  public init(environment: (String) -> String?) {
    func variable(_ name: String) -> String? {
      [environment(name.lowercased()), environment(name)].compactMap { $0 }.first { !$0.isEmpty }
    }
    proxy = variable("HTTPS_PROXY") ?? variable("ALL_PROXY")
    exceptions = proxy == nil ? nil : variable("NO_PROXY")
  }

  /// The proxy without the name and password that may stand in it.
  public var display: String? {
    guard let proxy else { return nil }
    guard let at = proxy.lastIndex(of: "@") else { return proxy }
    let start = proxy.firstRange(of: "://")?.upperBound ?? proxy.startIndex
    return String(proxy[..<start]) + String(proxy[proxy.index(after: at)...])
  }
}

/// Where a call goes.
public protocol NetworkPlace: Sendable {
  var address: WebAddress { get }
  /// Whether it is AWS's own by the rules of its partitions (botocore's `endpoint-rule-set-1.json`), and no other URL's.
  var isAWS: Bool { get }
}

extension STSEndpoint: NetworkPlace {}
extension ServiceEndpoint: NetworkPlace {}
extension ConsoleHosts: NetworkPlace {
  public var address: WebAddress { federation }
}
