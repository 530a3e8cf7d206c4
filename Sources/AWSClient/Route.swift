/// How a call gets to AWS: through which proxy, trusting which certificates.
public struct Route: Sendable, Hashable {
  public var proxies: ProxySettings
  public var caBundle: String?

  public init(proxies: ProxySettings, caBundle: String?) {
    self.proxies = proxies
    self.caBundle = caBundle
  }
}
