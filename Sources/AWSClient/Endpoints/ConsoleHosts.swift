import VaultModel

/// The console's hosts in a partition, which botocore does not have.
public struct ConsoleHosts: Sendable, Hashable {
  /// `https://signin.aws.amazon.com/federation`
  public let federation: WebAddress
  /// `console.aws.amazon.com`
  public let console: String
  public let isAWS: Bool

  /// - Parameter settings: a URL replaces AWS's own for signing in (`AWS_ENDPOINT_URL_SIGNIN`).
  /// - Throws: `TransportError.badURL` for a partition whose console has no public name; otherwise as `ServiceEndpoint`.
  public init(region: String?, settings: EndpointSettings) throws(TransportError) {
    let region = region ?? "us-east-1"
    guard Partition.isRegion(region), let hosts = Self.hosts(Partition(region: region)) else { throw .badURL("signin.\(region)") }
    console = hosts.console
    let url = settings.url ?? "https://\(hosts.signIn)"
    guard let address = WebAddress(url) else { throw .badURL(url) }
    guard address.scheme == "https" || address.isLoopback else { throw .insecure(host: address.host) }
    federation = address.appending("/federation")
    isAWS = address.origin == "https://\(hosts.signIn)"
  }

  /// The console's start page in a region, or another page.
  ///
  /// - Parameter path: `/ec2/home`; plain characters.
  public func page(_ path: String = "/console/home", region: String?) -> String {
    guard let region else { return "https://\(console)\(path)" }
    return "https://\(region).\(console)\(path)?region=\(region)"
  }

  private static func hosts(_ partition: Partition) -> (signIn: String, console: String)? {
    switch partition {
    case .aws: ("signin.aws.amazon.com", "console.aws.amazon.com")
    case .china: ("signin.amazonaws.cn", "console.amazonaws.cn")
    case .usGov: ("signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com")
    case .eusc: ("signin.amazonaws-eusc.eu", "console.amazonaws-eusc.eu")
    case .iso, .isoB, .isoE, .isoF: nil
    }
  }
}
