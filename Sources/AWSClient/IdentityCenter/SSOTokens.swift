import VaultModel
import VaultSecrets

/// This program's registration at Identity Center, until it expires (about 90 days).
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

/// A sign-in that the user confirms on any device (RFC 8628, 3.2).
public struct SSODeviceAuthorization: Sendable {
  public let deviceCode: SecretBytes
  /// `ABCD-EFGH`, shown to the user.
  public let userCode: String
  public let verificationURI: String
  /// Includes the code.
  public let verificationURIComplete: String?
  public let expiresAt: Timestamp
  /// Seconds between two polls.
  public let interval: Int
}

/// Proves who signed in.
public struct SSOToken: Sendable {
  public let accessToken: SecretBytes
  /// Only if the client registered a scope. Each use may return a new one.
  public let refreshToken: SecretBytes?
  public let expiresAt: Timestamp

  public init(accessToken: SecretBytes, refreshToken: SecretBytes?, expiresAt: Timestamp) {
    self.accessToken = accessToken
    self.refreshToken = refreshToken
    self.expiresAt = expiresAt
  }
}

/// The grant types by which a client requests a token (RFC 6749, RFC 8628).
public enum SSOGrantType: String, Sendable, CaseIterable {
  case authorizationCode = "authorization_code"
  case deviceCode = "urn:ietf:params:oauth:grant-type:device_code"
  case refreshToken = "refresh_token"
}

/// The grant for a token request.
public enum SSOGrant: Sendable {
  case deviceCode(SecretBytes)
  /// - Parameters:
  ///   - verifier: the one whose challenge was in the authorize URL (RFC 7636).
  ///   - redirectURI: exactly the one in the authorize URL.
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
