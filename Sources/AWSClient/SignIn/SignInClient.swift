import VaultBytes
import VaultModel
import VaultSecrets

/// Turns credentials into a way to the console
/// (IAM User Guide, "Enable custom identity broker access to the AWS console"). Retries as ``AWSCaller`` says.
public final class SignInClient: Sendable {
  private static let action = "GetSigninToken"

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// A token for one sign-in, within 15 minutes.
  ///
  /// - Parameters:
  ///   - credential: a temporary one.
  ///   - duration: how long the console's session lives; AWS refuses it for a role that was assumed from a role.
  /// - Throws: `AWSError`.
  public func getSigninToken(
    _ credential: Credential, duration: SessionDuration? = nil, at hosts: ConsoleHosts, via route: NetworkSettings
  ) async throws -> SecretBytes {
    let host = hosts.federation.hostHeader
    guard let sessionToken = credential.sessionToken else {
      throw AWSError(.invalid("the console takes temporary credentials only"), action: Self.action, host: host)
    }
    let session = JSONWriter.secret { session in
      session.add("sessionId", credential.accessKeyId)
      session.add("sessionKey", credential.secretAccessKey)
      session.add("sessionToken", sessionToken)
    }
    var query = FormBody()
    query.add("Action", "getSigninToken")
    query.add("SessionDuration", duration.map { String($0.seconds) })
    query.add("Session", session)
    let request = JSONRequest(method: "GET", address: hosts.federation, query: query.finish(), route: route).request
    let answer = try await caller.call(AWSCall(action: Self.action, host: host, request: { _ in request }), .json)
    return try answer.read { json throws(MalformedResponse) in
      guard let token = json.secret("SigninToken")?.plain(1...16_384) else { throw MalformedResponse(what: "no sign-in token") }
      return token
    }
  }

  /// Where the browser is sent; a secret, since whoever opens it is signed in.
  ///
  /// - Parameters:
  ///   - issuer: where the console sends people whose session is over; nil for nowhere.
  ///   - destination: a page of the console.
  public static func loginURL(token: SecretBytes, issuer: String?, destination: String, at hosts: ConsoleHosts) -> SecretBytes {
    var query = FormBody()
    query.add("Action", "login")
    query.add("Issuer", issuer)
    query.add("Destination", destination)
    query.add("SigninToken", token)
    var url = ByteBuffer(capacity: 4_096, isWiped: true)
    url.append(string: hosts.federation.text)
    url.append(UInt8(ascii: "?"))
    query.finish().withBytes { url.append($0) }
    return url.secret
  }
}
