import VaultModel
import VaultSecrets

/// Finds the IAM Identity Center behind a vanity URL by its redirect, as the AWS CLI does.
///
/// Only the host that the person named is asked, without a cookie or a token. A redirect is followed on that host itself, and ends
/// at the first address of AWS, which is not asked.
public struct StartURLResolver: Sendable {
  /// The AWS CLI follows one. Companies often have another before it, to a path of the same host.
  static let maxRedirects = 4

  private let transport: any HTTPTransport

  public init(transport: any HTTPTransport) { self.transport = transport }

  /// - Parameter route: the route to the named host.
  public func resolve(_ named: StartURL, via route: NetworkSettings) async throws -> StartURL {
    let host = named.address.hostHeader
    var here = named
    for _ in 0..<Self.maxRedirects {
      if here.isAWS { return here }
      let response = try await transport.send(
        HTTPRequest(method: "GET", url: here.text, headers: [], body: SecretBytes(""), route: route))
      guard [301, 302, 303, 307, 308].contains(response.status) else {
        throw StartURLError.noRedirect(host: host, status: response.status)
      }
      guard let next = Self.target(response["location"] ?? "", from: here) else {
        throw StartURLError.elsewhere(host: host, to: nil)
      }
      guard next.isAWS || next.address.origin == named.address.origin else {
        throw StartURLError.elsewhere(host: host, to: next.address.origin)
      }
      here = next
    }
    guard here.isAWS else { throw StartURLError.tooManyRedirects(host: host) }
    return here
  }

  /// The address that a `Location` names: an absolute URL, or a reference to be resolved.
  private static func target(_ location: String, from here: StartURL) -> StartURL? {
    // A URL with a scheme is parsed as it was written, since libcurl would mend what is refused.
    if location.prefix(while: { !"/?#".contains($0) }).contains(":") { return StartURL(location) }
    return CurlURL.resolve(location, at: here.text).flatMap { StartURL($0) }
  }
}

/// A host that a person names, and that is sent nothing but the question where it leads.
public struct NamedHost: NetworkPlace {
  public let address: WebAddress
  /// Any host with a certificate may be asked. A host without one is this machine, for a mock of AWS, and must be trusted.
  public var isAWS: Bool { address.scheme == "https" }

  public init(_ address: WebAddress) { self.address = address }
}

/// Why a start URL does not lead to an IAM Identity Center.
public enum StartURLError: ReportableError, Hashable {
  case invalid
  case noRedirect(host: String, status: Int)
  /// A redirect that does not lead to AWS.
  case elsewhere(host: String, to: String?)
  case tooManyRedirects(host: String)
  case otherRegion(url: String, region: String)
  /// A config names another region than the URL leads to.
  case movedRegion(url: String, region: String, configured: String)

  public var message: String {
    switch self {
    case .invalid: "not the start URL of an IAM Identity Center"
    case .noRedirect(let host, let status): "\(host) does not redirect to an IAM Identity Center (HTTP status \(status))"
    case .elsewhere(let host, let to?): "\(host) redirects to \(to), which is not AWS; the redirect was not followed"
    case .elsewhere(let host, nil): "\(host) redirects to an address that is not AWS; the redirect was not followed"
    case .tooManyRedirects(let host): "\(host) redirects more than \(StartURLResolver.maxRedirects) times"
    case .otherRegion(let url, let region): "\(url) is an IAM Identity Center in \(region)"
    case .movedRegion(let url, let region, let configured):
      "the start URL leads to \(url) in \(region), but sso_region is \(configured)"
    }
  }

  public var hint: String? {
    switch self {
    case .invalid: "use the AWS access portal's URL: https://NAME.awsapps.com/start, or your company's own that redirects there"
    case .otherRegion: "leave out --sso-region"
    case .movedRegion: "correct sso_region"
    default: "ask your administrator for the AWS access portal's own URL, such as https://NAME.awsapps.com/start"
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .invalid, .otherRegion: .usage
    case .elsewhere: .refused
    case .movedRegion: .configuration
    case .noRedirect, .tooManyRedirects: .unavailable
    }
  }
}
