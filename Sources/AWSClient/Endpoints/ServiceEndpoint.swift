import VaultModel

/// An AWS service other than STS, by its host name.
public enum AWSService: String, Sendable, CaseIterable {
  /// IAM Identity Center's sign-in (`sso-oidc`).
  case oidc
  /// IAM Identity Center's accounts and roles (`sso`).
  case portal = "portal.sso"
  case iam
  /// IAM's access troubleshooter, one endpoint for each region.
  case iamToolbox = "iam-toolbox"
  /// IAM Identity Center's administration (`sso-admin`).
  case identityCenterAdmin = "sso"
  /// IAM Identity Center's users and groups (`identitystore`).
  case identityStore = "identitystore"
  /// The service for `aws login` (`signin`); the console's own federation endpoint is in ``ConsoleHosts``.
  case signIn = "signin"
}

/// The endpoint for a call to a service, and its signing region.
public struct ServiceEndpoint: Sendable, Hashable {
  public let address: WebAddress
  public let signingRegion: String
  public let isAWS: Bool
  public var host: String { address.hostHeader }

  /// The endpoint that botocore resolves (`sso-oidc`, `sso`, `iam`, `sso-admin`, `identitystore` and `signin`, each
  /// `endpoint-rule-set-1.json`).
  ///
  /// - Parameters:
  ///   - region: for IAM, any of the partition.
  ///   - settings: a URL replaces AWS's own.
  /// - Throws: `TransportError.badURL` for an override that is not a URL or an invalid region, `.insecure` for an override to
  ///   another machine without TLS.
  public init(_ service: AWSService, region: String, settings: EndpointSettings) throws(TransportError) {
    guard Partition.isRegion(region) else { throw .badURL("\(service.rawValue).\(region)") }
    let partition = Partition(region: region)
    signingRegion = service == .iam ? Self.iamRegion(partition, settings) : region
    let url = settings.url ?? "https://\(Self.host(service, region: region, of: partition, settings: settings))"
    guard let address = WebAddress(url) else { throw .badURL(url) }
    guard address.scheme == "https" || address.isLoopback else { throw .insecure(host: address.host) }
    self.address = address
    isAWS = EndpointSettings.variants.contains {
      address.origin == "https://" + Self.host(service, region: region, of: partition, settings: $0)
    }
  }

  /// The address of a path under the endpoint's own path, which an override may have.
  func address(_ path: String) -> WebAddress { address.appending(path) }

  private static func host(_ service: AWSService, region: String, of partition: Partition, settings: EndpointSettings)
    -> String
  {
    let isPlain = !settings.useFIPS && !settings.useDualStack
    let suffix = settings.useDualStack ? partition.dualStackSuffix : partition.suffix
    let fips = settings.useFIPS ? "-fips" : ""
    switch service {
    case .iam: return iamHost(partition, settings: settings, fips: fips, suffix: suffix)
    case .iamToolbox: return "iam-toolbox\(fips).\(region).\(suffix)"
    case .signIn:
      switch partition {
      case .aws where isPlain: return "\(region).signin.aws.amazon.com"
      case .china where isPlain: return "\(region).signin.amazonaws.cn"
      case .usGov where isPlain: return "\(region).signin.amazonaws-us-gov.com"
      default: return "signin\(fips).\(region).\(suffix)"
      }
    case .oidc, .portal, .identityCenterAdmin, .identityStore:
      // GovCloud's plain names already are FIPS endpoints.
      if settings.useFIPS, !settings.useDualStack, partition == .usGov { return "\(service.rawValue).\(region).\(suffix)" }
      return "\(service.rawValue)\(fips).\(region).\(suffix)"
    }
  }

  /// One endpoint per partition. The names of its region and of `global` follow no single rule.
  private static func iamHost(_ partition: Partition, settings: EndpointSettings, fips: String, suffix: String) -> String {
    switch (partition, settings.useFIPS, settings.useDualStack) {
    case (.usGov, _, _): "iam.us-gov.\(suffix)"
    case (.aws, _, true), (.china, false, true): "iam\(fips).global.\(suffix)"
    case (.china, false, false): "iam.cn-north-1.\(suffix)"
    case (.iso, _, false), (.isoB, _, false), (.isoE, false, false), (.isoF, false, false), (.eusc, false, false):
      "iam\(fips).\(partition.globalRegion).\(suffix)"
    default: "iam\(fips).\(suffix)"
    }
  }

  private static func iamRegion(_ partition: Partition, _ settings: EndpointSettings) -> String {
    partition == .china && !settings.useFIPS ? "cn-north-1" : partition.globalRegion
  }
}

extension EndpointSettings {
  /// The four variants of AWS's own endpoints.
  static let variants = [false, true].flatMap { fips in
    [false, true].map { EndpointSettings(useFIPS: fips, useDualStack: $0) }
  }
}
