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
    case .noGitHubToken: "not in a GitHub Actions job that may request a token"
    case .badToken(let source): "\(source) does not contain a valid token"
    case .noContainer: "no container endpoint in the environment"
    case .metadataDisabled: "AWS_EC2_METADATA_DISABLED is set"
    case .emptyEnvironment: "no credentials in the environment"
    case .environmentExpired: "the credentials in the environment have expired"
    case .unreadable(let path, let why): "cannot read \(path): \(why)"
    case .roleNotOffered(let role, _): "the SAML assertion does not offer \(role)"
    }
  }

  var hint: String? {
    switch self {
    case .noGitHubToken: "the job needs `permissions: id-token: write`"
    case .badToken: "a token is 4 to 20,000 characters on one line"
    case .noContainer: "a container with credentials sets AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI"
    case .metadataDisabled: "unset it, or change the profile's credential_source"
    case .emptyEnvironment: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"
    case .environmentExpired: "see AWS_CREDENTIAL_EXPIRATION"
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
