import VaultBytes
import VaultModel
import VaultSecrets

/// Exchanges credentials for a console sign-in (IAM User Guide, "Enable custom identity broker access to the AWS console"). Retries
/// as described at ``AWSCaller``.
public final class SignInClient: Sendable {
  private static let action = "GetSigninToken"

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// A token for one sign-in, valid for 15 minutes.
  ///
  /// - Parameters:
  ///   - credential: a temporary one.
  ///   - duration: the duration of the console session; AWS refuses it for role chaining.
  /// - Throws: `AWSError`.
  public func getSigninToken(
    _ credential: Credential, duration: SessionDuration? = nil, at hosts: ConsoleHosts, via route: NetworkSettings
  ) async throws -> SecretBytes {
    let host = hosts.federation.hostHeader
    guard let sessionToken = credential.sessionToken else {
      throw AWSError(.invalid("the console accepts temporary credentials only"), action: Self.action, host: host)
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

  /// The URL for the browser; a secret, since anybody who opens it is signed in.
  ///
  /// - Parameters:
  ///   - issuer: where the console sends users whose session has expired; nil for nowhere.
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
