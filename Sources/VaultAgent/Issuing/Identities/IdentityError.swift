import VaultModel

/// Errors in an identity's proof.
enum IdentityError: ReportableError, Hashable {
  case noGitHubToken
  case badToken(source: String)
  case noContainer
  case metadataDisabled
  case emptyEnvironment
  case environmentExpired
  case unreadable(path: String, why: String)
  /// The assertion does not offer the role that the profile names.
  case roleNotOffered(role: String, offered: [String])

  var message: String {
    switch self {
    case .noGitHubToken: "this is no job of GitHub Actions that may ask for a token"
    case .badToken(let source): "what \(source) holds is no token"
    case .noContainer: "the environment names no container endpoint"
    case .metadataDisabled: "AWS_EC2_METADATA_DISABLED is set"
    case .emptyEnvironment: "the environment has no credentials"
    case .environmentExpired: "the credentials in the environment have expired"
    case .unreadable(let path, let why): "cannot read \(path): \(why)"
    case .roleNotOffered(let role, _): "the SAML assertion does not offer \(role)"
    }
  }

  var hint: String? {
    switch self {
    case .noGitHubToken: "the job needs `permissions: id-token: write`"
    case .badToken: "a token has 4 to 20,000 characters on one line"
    case .noContainer: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI is set where a container has credentials"
    case .metadataDisabled: "unset it, or change the profile's credential_source"
    case .emptyEnvironment: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"
    case .environmentExpired: "AWS_CREDENTIAL_EXPIRATION says so"
    case .unreadable: nil
    case .roleNotOffered(_, let offered): "it offers " + offered.prefix(10).joined(separator: ", ")
    }
  }

  var exitStatus: ExitStatus {
    switch self {
    case .badToken: .badData
    case .unreadable: .noInput
    case .environmentExpired, .roleNotOffered: .refused
    default: .configuration
    }
  }
}
