import VaultModel

/// The endpoint for a call to STS, and its signing region.
public struct STSEndpoint: Sendable, Hashable {
  public let address: WebAddress
  public let signingRegion: String
  public let isAWS: Bool
  public var url: String { address.text }
  public var host: String { address.hostHeader }

  /// The endpoint of a region (botocore, `sts/2011-06-15/endpoint-rule-set-1.json`).
  ///
  /// - Parameter region: nil for us-east-1.
  /// - Throws: `TransportError.badURL` for an override that is not a URL, `.insecure` for one to another machine without TLS.
  public init(region: String?, settings: EndpointSettings) throws(TransportError) {
    let region = region ?? "us-east-1"
    guard Partition.isRegion(region) else { throw .badURL("sts.\(region)") }
    if let url = settings.url {
      guard let address = WebAddress(url) else { throw .badURL(url) }
      guard address.scheme == "https" || address.isLoopback else { throw .insecure(host: address.host) }
      self.address = address
      signingRegion = region == "aws-global" ? "us-east-1" : region
      isAWS = Self.own(signingRegion).contains(address.origin)
      return
    }
    let isVariant = settings.useFIPS || settings.useDualStack
    // The pseudo-region of the global endpoint, which has no variants: those of us-east-1 are used.
    let isGlobal = !isVariant && (region == "aws-global" || settings.legacyGlobal && Self.legacyRegions.contains(region))
    signingRegion = isGlobal || region == "aws-global" ? "us-east-1" : region
    let host = isGlobal ? "sts.amazonaws.com" : Self.host(signingRegion, settings)
    guard let address = WebAddress("https://" + host) else { throw .badURL(host) }
    self.address = address
    isAWS = true
  }

  /// AWS's own endpoints of a region, to recognize a URL that names one of them.
  private static func own(_ region: String) -> [String] {
    ["https://sts.amazonaws.com"]
      + EndpointSettings.variants.map { "https://" + host(region, $0) }
  }

  private static func host(_ region: String, _ settings: EndpointSettings) -> String {
    let partition = Partition(region: region)
    // GovCloud's plain names already are FIPS endpoints.
    if settings.useFIPS, !settings.useDualStack, partition == .usGov { return "sts.\(region).amazonaws.com" }
    let service = settings.useFIPS ? "sts-fips" : "sts"
    return "\(service).\(region).\(settings.useDualStack ? partition.dualStackSuffix : partition.suffix)"
  }

  /// The regions that `sts_regional_endpoints = legacy` sends to the global endpoint.
  private static let legacyRegions: Set<String> = [
    "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1",
    "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
  ]
}
