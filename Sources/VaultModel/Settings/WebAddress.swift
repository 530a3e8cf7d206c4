/// The parts of a URL that are used here: scheme, host, port and path.
public struct WebAddress: Sendable, Hashable {
  public let scheme: String
  /// Without brackets, in lower case.
  public let host: String
  public let port: Int?
  /// Begins with `/`.
  public let path: String

  /// The parts as libcurl found them: AWSClient's `WebAddress.init(_:)`.
  public init(scheme: String, host: String, port: Int?, path: String) {
    (self.scheme, self.host, self.port, self.path) = (scheme, host, port, path)
  }

  /// The address of `path`, which begins with `/`, under this one.
  public func appending(_ path: String) -> WebAddress {
    let folder = self.path.hasSuffix("/") ? String(self.path.dropLast()) : self.path
    return WebAddress(scheme: scheme, host: host, port: port, path: folder + path)
  }

  /// As in the `Host` header: the port only if it is not the scheme's default.
  public var hostHeader: String {
    let name = host.contains(":") ? "[\(host)]" : host
    guard let port, port != (scheme == "https" ? 443 : 80) else { return name }
    return "\(name):\(port)"
  }

  /// This machine: 127.0.0.0/8, ::1 or localhost.
  public var isLoopback: Bool {
    if host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { $0.first != "+" && UInt8($0) != nil }
  }

  /// Scheme, host and port: the unit of trust.
  public var origin: String { "\(scheme)://\(hostHeader)" }
  public var text: String { origin + path }
}
