/// An entry of `trusted_endpoints`: an origin, or one whose host begins with `*.`.
///
/// Plain http is allowed only for this machine, or for a host given in full.
public struct TrustedEndpoint: Sendable, Hashable {
  private let scheme: String
  private let host: String
  private let port: Int?
  private let isPattern: Bool

  /// Reads an entry by its own small grammar, `[SCHEME://][*.]HOST[:PORT][/]`, since the client has no library for URLs.
  ///
  /// It only has to read entries: the address that is compared with one was parsed by libcurl, and a host in any other form than
  /// libcurl's matches none.
  ///
  /// - Returns: nil if the entry is invalid. A pattern has at least two labels after its star.
  public init?(_ text: String) {
    let text = text.lowercased()
    scheme = text.hasPrefix("http://") ? "http" : "https"
    var rest = text.trimmingPrefix("\(scheme)://")
    isPattern = rest.hasPrefix("*.")
    if isPattern { rest = rest.dropFirst(2) }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    let isNumber = rest.hasPrefix("[")
    guard let end = isNumber ? rest.firstIndex(of: "]") : rest.firstIndex(of: ":") ?? rest.endIndex else { return nil }
    host = String(isNumber ? rest[..<end].dropFirst() : rest[..<end])
    let tail = isNumber ? rest[rest.index(after: end)...] : rest[end...]
    port = tail.isEmpty ? nil : UInt16(tail.dropFirst()).map { Int($0) }
    guard tail.isEmpty || port != nil && port != 0 && tail == ":\(port ?? 0)" else { return nil }
    let letters = "abcdefghijklmnopqrstuvwxyz0123456789" + (isNumber ? ":." : "-_.")
    guard (1...253).contains(host.utf8.count), host.allSatisfy({ letters.contains($0) }) else { return nil }
    let isLoopback = WebAddress(scheme: scheme, host: host, port: port, path: "/").isLoopback
    guard scheme == "https" || isLoopback && !isPattern else { return nil }
    guard !isPattern || host.split(separator: ".").count >= 2 && !isLoopback && !isNumber else { return nil }
  }

  public func matches(_ address: WebAddress) -> Bool {
    guard address.scheme == scheme, Self.port(address.port, scheme) == Self.port(port, scheme) else { return false }
    return isPattern ? address.host.hasSuffix("." + host) : address.host == host
  }

  private static func port(_ port: Int?, _ scheme: String) -> Int { port ?? (scheme == "https" ? 443 : 80) }
}
