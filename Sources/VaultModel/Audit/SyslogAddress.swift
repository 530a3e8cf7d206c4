/// The syslog target for a live copy of the audit log: `unix:/dev/log`, `udp://host:514` or `tcp://host:601`.
///
/// The default ports are those of RFC 5426 and RFC 6587. An IPv6 address is written in brackets.
public enum SyslogAddress: Sendable, Hashable, CustomStringConvertible {
  case unix(path: String)
  case udp(host: String, port: UInt16)
  case tcp(host: String, port: UInt16)

  /// - Returns: nil if the address is invalid.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      // The size of `sockaddr_un` (unix(7)).
      guard path.hasPrefix("/"), path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
      self = .unix(path: path)
      return
    }
    let isStream = text.hasPrefix("tcp://")
    guard isStream || text.hasPrefix("udp://") else { return nil }
    guard let (host, port) = Self.place(text.dropFirst(6), defaultPort: isStream ? 601 : 514) else { return nil }
    self = isStream ? .tcp(host: host, port: port) : .udp(host: host, port: port)
  }

  private static func place(_ text: Substring, defaultPort: UInt16) -> (String, UInt16)? {
    var host = text
    var port: Substring?
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<end]
      let rest = text[text.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
      port = rest.isEmpty ? nil : rest.dropFirst()
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
      guard !host.contains(":") else { return nil }
    }
    let isName = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "-._:%".utf8.contains(byte)
      }
    }
    guard (1...253).contains(host.utf8.count), isName else { return nil }
    guard let port else { return (String(host), defaultPort) }
    guard let number = UInt16(port), number > 0 else { return nil }
    return (String(host), number)
  }

  public var description: String {
    func place(_ host: String, _ port: UInt16) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    return switch self {
    case .unix(let path): "unix:\(path)"
    case .udp(let host, let port): "udp://\(place(host, port))"
    case .tcp(let host, let port): "tcp://\(place(host, port))"
    }
  }
}

/// The journald socket for its native protocol: `on` for the usual one, or another path.
public struct JournalAddress: Sendable, Hashable {
  public static let usual = "/run/systemd/journal/socket"
  public let path: String

  /// - Returns: nil for anything else.
  public init?(_ text: String) {
    if text == "on" {
      path = Self.usual
    } else {
      guard text.hasPrefix("/"), text.utf8.count < 108, !text.utf8.contains(0) else { return nil }
      path = text
    }
  }
}
