import VaultModel

extension SSOSessionConfig {
  /// The hosts of the sign-in and the portal if either is outside AWS; nil if both are AWS's own. Tokens of one are valid for the
  /// other, and for no third host.
  public var foreignHosts: String? {
    let oidc = try? ServiceEndpoint(.oidc, region: region, settings: oidc)
    let portal = try? ServiceEndpoint(.portal, region: region, settings: portal)
    if oidc?.isAWS == true, portal?.isAWS == true { return nil }
    return [oidc, portal].map { $0.map { $0.isAWS ? "AWS" : $0.address.origin } ?? "none" }.joined(separator: " ")
  }

  /// The key of a registration: the start URL, and the hosts if they are outside AWS.
  public var registrationKey: String { foreignHosts.map { "\(startURL) at \($0)" } ?? startURL }
}
