/// An entry of `trusted_endpoints`: an origin, or one whose host begins with `*.`.
///
/// Plain http is allowed only for this machine, or for a host given in full.
public struct TrustedEndpoint: Sendable, Hashable {
  private let scheme: String
  private let host: String
  private let port: Int?
  private let isPattern: Bool

  /// - Returns: nil if the entry is invalid. A pattern has at least two labels after its star.
  public init?(_ text: String) {
    let isSchemeGiven = text.contains("://")
    let full = isSchemeGiven ? text : "https://" + text
    guard let start = full.firstRange(of: "://")?.upperBound else { return nil }
    isPattern = full[start...].hasPrefix("*.")
    let plain = isPattern ? full[..<start] + full[start...].dropFirst(2) : full[...]
    guard !plain.contains("*"), let address = WebAddress(String(plain)), address.path == "/" else { return nil }
    guard address.scheme == "https" || address.isLoopback && !isPattern else { return nil }
    guard !isPattern || address.host.split(separator: ".").count >= 2 && !address.isLoopback else { return nil }
    scheme = address.scheme
    host = address.host
    port = address.port
  }

  public func matches(_ address: WebAddress) -> Bool {
    guard address.scheme == scheme, Self.port(address.port, scheme) == Self.port(port, scheme) else { return false }
    return isPattern ? address.host.hasSuffix("." + host) : address.host == host
  }

  private static func port(_ port: Int?, _ scheme: String) -> Int { port ?? (scheme == "https" ? 443 : 80) }
}
