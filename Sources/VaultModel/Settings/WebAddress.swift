/// The parts of a URL that are used here: scheme, host, port and path.
///
/// Stricter than RFC 3986: no user information, no fragment and plain characters only, since it comes from a config file.
public struct WebAddress: Sendable, Hashable {
  public let scheme: String
  /// Without brackets, in lower case.
  public let host: String
  public let port: Int?
  /// Begins with `/`.
  public let path: String

  public init?(_ text: String) {
    guard text.utf8.count <= 2_048, text.utf8.allSatisfy({ (33...126).contains($0) && $0 != 0x22 && $0 != 0x5C }) else {
      return nil
    }
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
    scheme = text[..<colon].lowercased()
    guard scheme == "https" || scheme == "http" else { return nil }
    let rest = text[text.index(colon, offsetBy: 3)...]
    let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    let authority = rest[..<authorityEnd]
    let tail = rest[authorityEnd...]
    guard !authority.isEmpty, !authority.contains("@"), !tail.contains("#"), !tail.contains("?") else { return nil }
    path = tail.isEmpty ? "/" : String(tail)
    var portText: Substring?
    if authority.first == "[" {
      guard let close = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<close].lowercased()
      let behind = authority[authority.index(after: close)...]
      guard behind.isEmpty || behind.first == ":" else { return nil }
      if !behind.isEmpty { portText = behind.dropFirst() }
    } else {
      let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count <= 2, !parts[0].isEmpty else { return nil }
      host = parts[0].lowercased()
      if parts.count == 2 { portText = parts[1] }
    }
    guard !host.isEmpty else { return nil }
    if let portText {
      guard portText.first?.isNumber == true, let number = UInt16(portText), number > 0 else { return nil }
      port = Int(number)
    } else {
      port = nil
    }
  }

  private init(_ address: WebAddress, path: String) {
    scheme = address.scheme
    host = address.host
    port = address.port
    self.path = path
  }

  /// The address of `path`, which begins with `/`, under this one.
  public func appending(_ path: String) -> WebAddress {
    WebAddress(self, path: (self.path.hasSuffix("/") ? String(self.path.dropLast()) : self.path) + path)
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
