import VaultModel

extension SSOSessionConfig {
  /// The hosts of the sign-in and of the portal, where one of them is not AWS's own; nil where both are. What came from the one is good for
  /// the other, and for no third.
  public var foreignHosts: String? {
    let oidc = try? ServiceEndpoint(.oidc, region: region, settings: oidc)
    let portal = try? ServiceEndpoint(.portal, region: region, settings: portal)
    if oidc?.isAWS == true, portal?.isAWS == true { return nil }
    return [oidc, portal].map { $0.map { $0.isAWS ? "AWS" : $0.address.origin } ?? "none" }.joined(separator: " ")
  }

  /// What a registration is kept by: the start URL, and the hosts where they are not AWS's own.
  public var registrationKey: String { foreignHosts.map { "\(startURL) at \($0)" } ?? startURL }
}
