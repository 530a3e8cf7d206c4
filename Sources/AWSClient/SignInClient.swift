import VaultModel
import VaultSecrets

/// AWS's sign-in endpoint, by which temporary credentials open the console (IAM User Guide, "Enabling custom identity broker access to
/// the AWS console").
public final class SignInClient: Sendable {
  private let caller: AWSCaller

  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// Where a partition's sign-in and console are.
  public struct Place: Sendable, Hashable {
    public let signIn: WebAddress
    public let console: String

    /// - Parameter override: `AWS_ENDPOINT_URL_SIGNIN`.
    public init(region: String?, override: String?) throws(TransportError) {
      let (host, console) =
        switch Partition(region: region ?? "us-east-1") {
        case .china: ("signin.amazonaws.cn", "https://console.amazonaws.cn")
        case .usGov: ("signin.amazonaws-us-gov.com", "https://console.amazonaws-us-gov.com")
        case .eusc: ("signin.amazonaws-eusc.eu", "https://console.amazonaws-eusc.eu")
        default: ("signin.aws.amazon.com", "https://console.aws.amazon.com")
        }
      let text = override ?? "https://" + host
      guard let address = WebAddress(text) else { throw .badURL(text) }
      guard address.scheme == "https" || address.isLoopback else { throw .insecure(host: address.host) }
      signIn = address
      self.console = console
    }
  }

  /// The URL that opens the console signed in. It is a secret for the quarter of an hour for which it works.
  ///
  /// - Parameters:
  ///   - service: as the console's paths have it, such as `s3`; nil for its first page.
  ///   - duration: of the console's session; must be nil for credentials of a chained role, which AWS refuses it for.
  public func consoleURL(
    for credential: Credential, service: String?, region: String?, duration: SessionDuration?, at place: Place, via route: Route
  ) async throws -> SecretBytes {
    guard let sessionToken = credential.sessionToken else {
      throw AWSError(
        .invalid("long-lived keys cannot open the console; a role's session can"), action: "getSigninToken",
        host: place.signIn.host)
    }
    var session = JSONBody()
    session.add("sessionId", credential.accessKeyId)
    session.add("sessionKey", credential.secretAccessKey)
    session.add("sessionToken", sessionToken)
    let form = session.finish()
    let base = (place.signIn.text.hasSuffix("/") ? String(place.signIn.text.dropLast()) : place.signIn.text) + "/federation"
    let query =
      "Action=getSigninToken" + (duration.map { "&SessionDuration=\($0.seconds)" } ?? "") + "&Session="
      + form.withBytes { SigV4.encoded(String(decoding: $0, as: UTF8.self)) }
    let request = HTTPRequest(
      method: "GET", url: base + "?" + query, headers: [("Host", place.signIn.hostHeader)], body: SecretBytes(""),
      caBundle: route.caBundle, proxy: route.proxies.proxy(for: place.signIn))
    let token = try await caller.call("getSigninToken", at: place.signIn.host) { _ in
      request
    } read: { response -> Reading<SecretBytes> in
      guard (200..<300).contains(response.status) else {
        return .refusal(code: "HTTP \(response.status)", text: "the sign-in endpoint does not take the session")
      }
      guard let token = JSONValue(response.body)?.secret("SigninToken"), token.count > 0 else { return .garbled("no token") }
      return .value(token)
    }.value
    var destination = place.console + "/"
    if let service { destination += "\(service)/home" }
    if let region { destination += "?region=\(region)" }
    let start = "\(base)?Action=login&Issuer=vault&Destination=\(SigV4.encoded(destination))&SigninToken="
    return token.withBytes { SecretBytes(start + SigV4.encoded(String(decoding: $0, as: UTF8.self))) }
  }
}
