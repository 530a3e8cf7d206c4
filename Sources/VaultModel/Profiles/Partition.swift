/// An AWS partition, which shares neither host names nor accounts with the others (botocore, `partitions.json`).
public enum Partition: String, Sendable {
  case aws
  case china = "aws-cn"
  case usGov = "aws-us-gov"
  case iso = "aws-iso"
  case isoB = "aws-iso-b"
  case isoE = "aws-iso-e"
  case isoF = "aws-iso-f"
  case eusc = "aws-eusc"

  /// The partition of a region; ``aws`` unless its name says otherwise.
  public init(region: String) {
    let prefixes: [(String, Partition)] = [
      ("cn-", .china), ("us-gov-", .usGov), ("us-iso-", .iso), ("us-isob-", .isoB), ("eu-isoe-", .isoE), ("us-isof-", .isoF),
      ("eusc-", .eusc),
    ]
    self = prefixes.first { region.hasPrefix($0.0) }?.1 ?? .aws
  }

  /// Whether a text can be used as a region in a host name.
  public static func isRegion(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
  }

  /// Whether a text also has the form of a region's name: `eu-central-1`.
  public static func isRegionName(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    return isRegion(text) && parts.count >= 3 && parts.allSatisfy { !$0.isEmpty }
      && parts.last?.allSatisfy(\.isNumber) == true && parts.first?.allSatisfy(\.isLetter) == true
  }

  /// The signing region for a service with one endpoint per partition.
  public var globalRegion: String {
    switch self {
    case .aws: "us-east-1"
    case .china: "cn-northwest-1"
    case .usGov: "us-gov-west-1"
    case .iso: "us-iso-east-1"
    case .isoB: "us-isob-east-1"
    case .isoE: "eu-isoe-west-1"
    case .isoF: "us-isof-south-1"
    case .eusc: "eusc-de-east-1"
    }
  }

  /// The domain suffix of its hosts.
  public var suffix: String {
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

  /// The domain suffix of its dual-stack hosts.
  public var dualStackSuffix: String {
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
