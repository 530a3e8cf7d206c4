import VaultBytes
import VaultModel

/// The endpoints outside AWS that may be sent secrets, from the vault's settings.
///
/// An environment may choose among them, but adds none.
public struct TrustedPlaces: Sendable, Hashable {
  private let endpoints: [TrustedEndpoint]
  /// SHA-256 digests of certificate files, in hexadecimal.
  private let digests: Set<String>
  /// The certificate file for every call that names no other.
  private let caBundle: String?

  /// - Parameters:
  ///   - endpoints: `trusted_endpoints`, separated by blanks. An entry that cannot be read trusts nothing.
  ///   - digests: `trusted_ca_bundles`, separated by blanks.
  ///   - caBundle: `ca_bundle`
  public init(endpoints: String = "", digests: String = "", caBundle: String? = nil) {
    self.endpoints = endpoints.split(whereSeparator: \.isWhitespace).compactMap { TrustedEndpoint(String($0)) }
    self.digests = Set(
      digests.lowercased().split(whereSeparator: \.isWhitespace).map { $0.trimmingPrefix("sha256:") }.map(String.init))
    self.caBundle = caBundle
  }

  /// The route to an endpoint.
  ///
  /// - Parameters:
  ///   - settings: the settings that the endpoint was made from.
  ///   - read: reads a certificate file.
  /// - Throws: ``UntrustedPlace`` if only an environment names the endpoint or its certificates; errors of `read`.
  public func route(
    to place: some NetworkPlace, _ settings: EndpointSettings, proxies: ProxySettings,
    read: (String) throws -> CertificateBundle = { try CertificateBundle(reading: $0) }
  ) throws -> NetworkSettings {
    let address = place.address
    if !place.isAWS, let variable = settings.urlVariable {
      guard endpoints.contains(where: { $0.matches(address) }) else {
        throw UntrustedPlace.endpoint(origin: address.origin, variable: variable)
      }
    }
    return NetworkSettings(to: address, proxies: proxies, certificates: try certificates(settings, read))
  }

  private func certificates(_ settings: EndpointSettings, _ read: (String) throws -> CertificateBundle) throws
    -> CertificateBundle?
  {
    guard let path = settings.caBundle, path != Self.systemBundle else { return try caBundle.map(read) }
    let found = try read(path)
    guard let variable = settings.caBundleVariable, path != caBundle else { return found }
    if digests.contains(found.digest) { return found }
    if let caBundle, try read(caBundle).digest == found.digest { return found }
    throw UntrustedPlace.certificates(path: path, digest: found.digest, variable: variable)
  }

  /// libcurl's default on Debian.
  private static let systemBundle = "/etc/ssl/certs/ca-certificates.crt"
}

/// An endpoint that only an environment names. Nothing was sent to it.
public enum UntrustedPlace: ReportableError, Hashable {
  case endpoint(origin: String, variable: String)
  case certificates(path: String, digest: String, variable: String)

  public var message: String {
    switch self {
    case .endpoint(let origin, let variable): "\(origin), named by \(variable), is not a trusted endpoint; nothing was sent there"
    case .certificates(let path, _, let variable):
      "the certificates in \(path), named by \(variable), are not trusted; nothing was sent"
    }
  }

  public var hint: String? { "to trust it: vault config --add \(setting.name) \(ShellText.word(setting.value))" }
  public var exitStatus: ExitStatus { .refused }

  /// The setting that would trust it.
  public var setting: (name: String, value: String) {
    switch self {
    case .endpoint(let origin, _): (OwnSetting.trustedEndpoints.name, origin)
    case .certificates(_, let digest, _): (OwnSetting.trustedCABundles.name, "sha256:" + digest)
    }
  }
}
