import VaultModel

/// An action in OCSF: its class, its activity, and the service that was called.
struct OCSFClass {
  enum Kind {
    /// API Activity, 6003.
    case api
    /// Authentication, 3002.
    case authentication
  }

  let kind: Kind
  /// `activity_id` of the class.
  let activity: Int64
  let activityName: String
  /// The name that CloudTrail's `eventSource` has for AWS's services.
  let service: String

  private init(_ activity: Int64, _ activityName: String, service: String, kind: Kind = .api) {
    self.kind = kind
    self.activity = activity
    self.activityName = activityName
    self.service = service
  }

  /// An unknown action becomes an activity of the vault's own, "Other".
  init(_ action: AuditAction?) {
    switch action {
    case .assumeRole, .assumeRoleWithWebIdentity, .assumeRoleWithSAML, .getSessionToken,
      .getFederationToken:
      self.init(1, "Create", service: "sts.amazonaws.com")
    case .getRoleCredentials: self.init(1, "Create", service: "sso.amazonaws.com")
    case .registerClient: self.init(1, "Create", service: "sso-oauth.amazonaws.com")
    case .createToken, .tokenAdopted: self.init(1, "Logon", service: "sso-oauth.amazonaws.com", kind: .authentication)
    case .signedOut, .signInEnded: self.init(2, "Logoff", service: "sso-oauth.amazonaws.com", kind: .authentication)
    case .unlocked: self.init(1, "Logon", service: "vault", kind: .authentication)
    case .locked: self.init(2, "Logoff", service: "vault", kind: .authentication)
    case .readAccount: self.init(2, "Read", service: "iam.amazonaws.com")
    case .decodeAuthorizationMessage: self.init(2, "Read", service: "sts.amazonaws.com")
    case .getRequestAuthorizationDetails: self.init(2, "Read", service: "iam-toolbox.amazonaws.com")
    case .createAccessKey: self.init(1, "Create", service: "iam.amazonaws.com")
    case .deleteAccessKey: self.init(4, "Delete", service: "iam.amazonaws.com")
    // An inline policy of the role (`PutRolePolicy`).
    case .revokedInAWS: self.init(3, "Update", service: "iam.amazonaws.com")
    case .deliver, .credentialProcess, .containerCredentials, .instanceCredentials, .environmentCredentials, .keyBackedUp,
      .guardRefused:
      self.init(2, "Read", service: "vault")
    case .profileAdded, .profilesImported, .accessKeyAdded, .mfaSecretAdded, .vaultCreated, .automationStarted:
      self.init(1, "Create", service: "vault")
    case .profileChanged, .accessKeyChanged, .settingChanged, .keyRotated, .keyRestored, .schemaMigrated:
      self.init(3, "Update", service: "vault")
    case .profileRemoved, .accessKeyRemoved, .plainKeyRemoved, .mfaSecretRemoved, .sessionForgotten, .sessionExpired,
      .sessionReplaced, .revoked, .automationEnded:
      self.init(4, "Delete", service: "vault")
    default: self.init(99, "Other", service: "vault")
    }
  }

  /// `class_uid`; its thousands are the category (OCSF, "Event class").
  var uid: Int64 { kind == .api ? 6_003 : 3_002 }
  var category: Int64 { uid / 1_000 }
  var name: StaticString { kind == .api ? "API Activity" : "Authentication" }
}

/// How an outcome is represented in OCSF and CEF.
struct SeverityMapping {
  /// `status_id`: 0 unknown, 1 success, 2 failure.
  let status: Int64
  let statusName: StaticString
  /// OCSF's `severity_id`: 1 informational to 3 medium.
  let severity: Int64
  /// CEF's severity, 0 to 10.
  let cef: Int64

  init(_ outcome: AuditOutcome?) {
    (status, statusName, severity, cef) =
      switch outcome {
      case .success: (1, "Success", 1, 2)
      case .intent: (0, "Unknown", 1, 2)
      case .failure: (2, "Failure", 2, 5)
      case .refused: (2, "Failure", 3, 7)
      case .unknown, nil: (0, "Unknown", 3, 6)
      }
  }
}
