import VaultModel
import VaultSecrets

/// What Identity Center knows this program by, until the registration expires (about 90 days).
public struct SSOClientRegistration: Sendable {
  public let clientId: String
  public let clientSecret: SecretBytes
  public let expiresAt: Timestamp

  public init(clientId: String, clientSecret: SecretBytes, expiresAt: Timestamp) {
    self.clientId = clientId
    self.clientSecret = clientSecret
    self.expiresAt = expiresAt
  }
}

/// A sign-in that a person confirms on any device (RFC 8628, 3.2).
public struct SSODeviceAuthorization: Sendable {
  public let deviceCode: SecretBytes
  /// `ABCD-EFGH`, to be shown.
  public let userCode: String
  public let verificationURI: String
  /// With the code in it.
  public let verificationURIComplete: String?
  public let expiresAt: Timestamp
  /// Seconds between two polls.
  public let interval: Int
}

/// What proves who signed in.
public struct SSOToken: Sendable {
  public let accessToken: SecretBytes
  /// Only where the client registered a scope. Each use may bring another.
  public let refreshToken: SecretBytes?
  public let expiresAt: Timestamp

  public init(accessToken: SecretBytes, refreshToken: SecretBytes?, expiresAt: Timestamp) {
    self.accessToken = accessToken
    self.refreshToken = refreshToken
    self.expiresAt = expiresAt
  }
}

/// How a client may ask for a token (RFC 6749, RFC 8628).
public enum SSOGrantType: String, Sendable, CaseIterable {
  case authorizationCode = "authorization_code"
  case deviceCode = "urn:ietf:params:oauth:grant-type:device_code"
  case refreshToken = "refresh_token"
}

/// What a token is asked for with.
public enum SSOGrant: Sendable {
  case deviceCode(SecretBytes)
  /// - Parameters:
  ///   - verifier: whose challenge the authorize URL had (RFC 7636).
  ///   - redirectURI: the very one of the authorize URL.
  case authorizationCode(SecretBytes, verifier: SecretBytes, redirectURI: String)
  case refreshToken(SecretBytes)

  public var type: SSOGrantType {
    switch self {
    case .deviceCode: .deviceCode
    case .authorizationCode: .authorizationCode
    case .refreshToken: .refreshToken
    }
  }
}
