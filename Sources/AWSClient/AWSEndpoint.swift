import VaultModel

/// A service that the vault calls.
public enum AWSService: Sendable {
  case sts, iam
  /// IAM Identity Center's portal, and its OIDC service.
  case ssoPortal, ssoOIDC

  /// The variable by which the SDKs are told another URL.
  var variable: String {
    switch self {
    case .sts: "AWS_ENDPOINT_URL_STS"
    case .iam: "AWS_ENDPOINT_URL_IAM"
    case .ssoPortal: "AWS_ENDPOINT_URL_SSO"
    case .ssoOIDC: "AWS_ENDPOINT_URL_SSO_OIDC"
    }
  }
}

/// Where a call goes, and for which region it is signed.
public struct AWSEndpoint: Sendable, Hashable {
  public let address: WebAddress
  public let signingRegion: String
  public var url: String { address.text }
  public var host: String { address.hostHeader }

  /// The endpoint of a service in a region (botocore, `endpoint-rule-set-1.json` of `sts`, `iam`, `sso` and `sso-oidc`).
  ///
  /// - Parameter region: nil for us-east-1.
  /// - Throws: `TransportError.badURL` for an override that is no URL, `.insecure` for one without TLS to another machine.
  public init(_ service: AWSService = .sts, region: String?, settings: EndpointSettings) throws(TransportError) {
    let region = region ?? "us-east-1"
    guard (1...64).contains(region.utf8.count),
      region.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 0x2D })
    else {
      throw .badURL("sts.\(region)")
    }
    if let url = settings.url {
      guard let address = WebAddress(url) else { throw .badURL(url) }
      guard address.scheme == "https" || address.isLoopback else { throw .insecure(host: address.host) }
      self.address = address
      signingRegion = service == .iam ? Partition(region: region).iamRegion : region == "aws-global" ? "us-east-1" : region
      return
    }
    guard service == .sts else {
      signingRegion = service == .iam ? Partition(region: region).iamRegion : region
      let host = Self.host(service, region, settings)
      guard let address = WebAddress("https://" + host) else { throw .badURL(host) }
      self.address = address
      return
    }
    let isVariant = settings.useFIPS || settings.useDualStack
    // The pseudo-region of the global endpoint, which has no variants: theirs are us-east-1's.
    let isGlobal = !isVariant && (region == "aws-global" || settings.legacyGlobal && Self.legacyRegions.contains(region))
    signingRegion = isGlobal || region == "aws-global" ? "us-east-1" : region
    let host = isGlobal ? "sts.amazonaws.com" : Self.host(signingRegion, settings)
    guard let address = WebAddress("https://" + host) else { throw .badURL(host) }
    self.address = address
  }

  private static func host(_ region: String, _ settings: EndpointSettings) -> String {
    let partition = Partition(region: region)
    // GovCloud's plain names are FIPS endpoints already.
    if settings.useFIPS, !settings.useDualStack, partition == .usGov { return "sts.\(region).amazonaws.com" }
    let service = settings.useFIPS ? "sts-fips" : "sts"
    return "\(service).\(region).\(settings.useDualStack ? partition.dualStackSuffix : partition.suffix)"
  }

  private static func host(_ service: AWSService, _ region: String, _ settings: EndpointSettings) -> String {
    let partition = Partition(region: region)
    if service == .iam { return iamHost(partition, settings) }
    let name = service == .ssoPortal ? "portal.sso" : "oidc"
    // GovCloud's plain names are FIPS endpoints already.
    let isPlainFIPS = settings.useFIPS && !settings.useDualStack && partition == .usGov
    let variant = settings.useFIPS && !isPlainFIPS ? "-fips" : ""
    return "\(name)\(variant).\(region).\(settings.useDualStack ? partition.dualStackSuffix : partition.suffix)"
  }

  /// IAM has one endpoint a partition.
  private static func iamHost(_ partition: Partition, _ settings: EndpointSettings) -> String {
    switch partition {
    case .aws:
      "iam\(settings.useFIPS ? "-fips" : "")." + (settings.useDualStack ? "global.api.aws" : "amazonaws.com")
    case .usGov: settings.useDualStack ? "iam.us-gov.api.aws" : "iam.us-gov.amazonaws.com"
    default: "iam.\(partition.iamRegion).\(partition.suffix)"
    }
  }

  /// The regions that `sts_regional_endpoints = legacy` sends to the global endpoint.
  private static let legacyRegions: Set<String> = [
    "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1",
    "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
  ]
}

/// A part of AWS that shares nothing with the others: other names, other accounts (botocore, `partitions.json`).
enum Partition: String {
  case aws
  case china = "aws-cn"
  case usGov = "aws-us-gov"
  case iso = "aws-iso"
  case isoB = "aws-iso-b"
  case isoE = "aws-iso-e"
  case isoF = "aws-iso-f"
  case eusc = "aws-eusc"

  init(region: String) {
    let prefixes: [(String, Partition)] = [
      ("cn-", .china), ("us-gov-", .usGov), ("us-iso-", .iso), ("us-isob-", .isoB), ("eu-isoe-", .isoE), ("us-isof-", .isoF),
      ("eusc-", .eusc),
    ]
    self = prefixes.first { region.hasPrefix($0.0) }?.1 ?? .aws
  }

  /// For which region a call to IAM is signed.
  var iamRegion: String {
    switch self {
    case .aws: "us-east-1"
    case .china: "cn-north-1"
    case .usGov: "us-gov-west-1"
    case .iso: "us-iso-east-1"
    case .isoB: "us-isob-east-1"
    case .isoE: "eu-isoe-west-1"
    case .isoF: "us-isof-south-1"
    case .eusc: "eusc-de-east-1"
    }
  }

  var suffix: String {
    switch self {
    case .aws, .usGov: "amazonaws.com"
    case .china: "amazonaws.com.cn"
    case .iso: "c2s.ic.gov"
    case .isoB: "sc2s.sgov.gov"
    case .isoE: "cloud.adc-e.uk"
    case .isoF: "csp.hci.ic.gov"
    case .eusc: "amazonaws.eu"
    }
  }

  var dualStackSuffix: String {
    switch self {
    case .aws, .usGov: "api.aws"
    case .china: "api.amazonwebservices.com.cn"
    case .iso: "api.aws.ic.gov"
    case .isoB: "api.aws.scloud"
    case .isoE: "api.cloud-aws.adc-e.uk"
    case .isoF: "api.aws.hci.ic.gov"
    case .eusc: "api.amazonwebservices.eu"
    }
  }
}
