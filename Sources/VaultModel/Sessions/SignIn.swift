/// A sign-in to IAM Identity Center, without its tokens.
public struct SignInRecord: Sendable, Hashable {
  /// `sso_…`
  public var id: String
  /// The name of the `sso-session`, or the start URL if a profile has it itself.
  public var name: String
  public var startURL: String
  public var region: String
  /// Separated by blanks; empty in the older form.
  public var scopes: String
  public var signedInAt: Timestamp
  /// When the access token expires.
  public var expiresAt: Timestamp
  /// Whether there is a refresh token, which renews the sign-in without the user.
  public var isRenewable: Bool
  /// When the registration of the client that signed in expires; no token is renewed afterwards.
  public var clientEndsAt: Timestamp

  public init(
    id: String, name: String, startURL: String, region: String, scopes: String, signedInAt: Timestamp, expiresAt: Timestamp,
    isRenewable: Bool, clientEndsAt: Timestamp
  ) {
    self.id = id
    self.name = name
    self.startURL = startURL
    self.region = region
    self.scopes = scopes
    self.signedInAt = signedInAt
    self.expiresAt = expiresAt
    self.isRenewable = isRenewable
    self.clientEndsAt = clientEndsAt
  }
}

/// Why a sign-in ended.
public enum SignInEnd: String, Sendable {
  case signedOut = "signed-out"
  case expired
  case replaced
}

/// How a person signs in.
public enum SignInFlow: String, Sendable {
  /// Authorization code with PKCE, redirected to a local port (RFC 8252, RFC 7636).
  case browser
  /// A code that the user types on any device (RFC 8628).
  case device
}
