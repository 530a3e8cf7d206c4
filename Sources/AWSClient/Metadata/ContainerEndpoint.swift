import VaultModel
import VaultSecrets

/// The credential endpoint of a container, from its environment.
public struct ContainerEndpoint: Sendable {
  let address: WebAddress
  let query: SecretBytes?
  public var host: String { address.hostHeader }

  /// ECS.
  static let relativeHost = "169.254.170.2"
  /// The hosts that the SDKs call without TLS, besides this machine: ECS, and the two of EKS.
  static let plainHosts: Set<HostAddress> = Set(
    ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"].compactMap { HostAddress($0) })

  /// - Parameters:
  ///   - relativeURI: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, which takes precedence.
  ///   - fullURI: `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
  /// - Returns: nil if neither is set.
  /// - Throws: `TransportError.badURL` or `.insecure`.
  public init?(relativeURI: String?, fullURI: String?) throws(TransportError) {
    if let relativeURI, !relativeURI.isEmpty {
      guard relativeURI.hasPrefix("/") else { throw .badURL(relativeURI) }
      try self.init(url: "http://\(Self.relativeHost)\(relativeURI)")
    } else if let fullURI, !fullURI.isEmpty {
      try self.init(url: fullURI)
    } else {
      return nil
    }
  }

  private init(url: String) throws(TransportError) {
    let head = url.prefix { $0 != "?" }
    let tail = url.dropFirst(head.count + 1)
    guard let address = WebAddress(String(head)), tail.isEmpty || String(tail).plain(1...2_048) != nil, !tail.contains("#") else {
      throw .badURL(String(head))
    }
    guard address.scheme == "https" || Self.isPlainAllowed(address.host) else { throw .insecure(host: address.host) }
    self.address = address
    query = tail.isEmpty ? nil : SecretBytes(String(tail))
  }

  private static func isPlainAllowed(_ host: String) -> Bool {
    guard let address = HostAddress(host) else { return host == "localhost" }
    return address.isLoopback || plainHosts.contains(address)
  }
}

/// Proves to a container's endpoint that the request comes from its container.
public enum ContainerAuthorization: Sendable {
  case none
  /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`
  case token(SecretBytes)
  /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, read again for each call.
  case file(String)
}
