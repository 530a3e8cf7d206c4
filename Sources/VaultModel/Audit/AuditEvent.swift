/// The outcome of an attempt.
public enum AuditOutcome: String, Sendable, CaseIterable {
  /// Written before AWS is asked; a row with one of the others follows.
  case intent
  case success
  case failure
  /// AWS or the vault refused.
  case refused
  /// The agent ended between the intent and its outcome.
  case unknown
}

/// The reason why the vault acted.
public enum AuditTrigger: String, Sendable, CaseIterable {
  case exec, env, credentials, server, console, rotation, manual, start
  /// The agent itself, at a time or on an event that a setting names.
  case automatic
}

/// The action. Calls that issue credentials have AWS's own names.
public enum AuditAction: String, Sendable, CaseIterable {
  case assumeRole = "AssumeRole"
  case assumeRoleWithWebIdentity = "AssumeRoleWithWebIdentity"
  case assumeRoleWithSAML = "AssumeRoleWithSAML"
  case getSessionToken = "GetSessionToken"
  /// Console access with access keys.
  case getFederationToken = "GetFederationToken"
  /// IAM Identity Center issued the credentials of an account's permission set.
  case getRoleCredentials = "GetRoleCredentials"
  /// IAM Identity Center issued a token, for a sign-in or its renewal.
  case createToken = "CreateToken"
  /// The AWS CLI's token was imported.
  case tokenAdopted = "TokenAdopted"
  case registerClient = "RegisterClient"
  case signedOut = "SignedOut"
  /// IAM Identity Center no longer accepts the sign-in's tokens.
  case signInEnded = "SignInEnded"
  /// A `credential_process` returned credentials.
  case credentialProcess = "CredentialProcess"
  case containerCredentials = "ContainerCredentials"
  case instanceCredentials = "InstanceCredentials"
  case environmentCredentials = "EnvironmentCredentials"
  /// Console access was requested with a session's credentials.
  case getSigninToken = "GetSigninToken"
  /// AWS was asked why it had refused a call.
  case decodeAuthorizationMessage = "DecodeAuthorizationMessage"
  /// Roles, policies and permission sets were read, to compare them with what a profile needs.
  case readAccount = "ReadAccount"
  case getRequestAuthorizationDetails = "GetRequestAuthorizationDetails"
  case createAccessKey = "CreateAccessKey"
  case deleteAccessKey = "DeleteAccessKey"
  /// A session's credentials were delivered to a program.
  case deliver = "Deliver"
  /// A program that was served on loopback has ended.
  case leaseEnded = "LeaseEnded"
  /// Another user's program, or one without a token, called the credential endpoint; one row for many calls.
  case endpointRefused = "EndpointRefused"
  /// A request at the agent's socket was refused: its sender was not the process that had connected, had ended, or had become
  /// another program.
  case requestRefused = "RequestRefused"
  case profileAdded = "ProfileAdded"
  case profileChanged = "ProfileChanged"
  case profileRemoved = "ProfileRemoved"
  case profilesImported = "ProfilesImported"
  case accessKeyAdded = "AccessKeyAdded"
  case accessKeyChanged = "AccessKeyChanged"
  case accessKeyRemoved = "AccessKeyRemoved"
  /// An access key's plain text was removed from an AWS file, after AWS had accepted the vault's copy.
  case plainKeyRemoved = "PlainKeyRemoved"
  /// A credentials file starts or stops holding a profile's current keys.
  case credentialsLinked = "CredentialsLinked"
  case credentialsUnlinked = "CredentialsUnlinked"
  case mfaSecretAdded = "MFASecretAdded"
  case mfaSecretRemoved = "MFASecretRemoved"
  case sessionForgotten = "SessionForgotten"
  case sessionExpired = "SessionExpired"
  case sessionReplaced = "SessionReplaced"
  /// Entries in an AWS config file start or stop giving every SDK profiles from the vault.
  case profilesLinked = "ProfilesLinked"
  case profilesUnlinked = "ProfilesUnlinked"
  case agentStarted = "AgentStarted"
  /// An orderly stop; an agent that was killed has no such row.
  case agentStopped = "AgentStopped"
  case vaultCreated = "VaultCreated"
  case schemaMigrated = "SchemaMigrated"
  case settingChanged = "SettingChanged"
  /// A host outside AWS, or certificates for it, was added to or removed from those that may be sent secrets.
  case endpointTrusted = "EndpointTrusted"
  /// Rows that lead to a secret differ from those that the vault wrote: refused, or read again from a watched file.
  case databaseChanged = "DatabaseChanged"
  /// Rows were added for deliveries that could not be logged when they were made (`audit_failure = deliver`).
  case loggedLate = "LoggedLate"
  case keyRotated = "KeyRotated"
  /// A copy of the master key was written or restored.
  case keyBackedUp = "KeyBackedUp"
  case keyRestored = "KeyRestored"
  case keyRotationAbandoned = "KeyRotationAbandoned"
  case locked = "Locked"
  case unlocked = "Unlocked"
  /// The log's own keys: the one that signs checkpoints, or a new ratchet for an auditor.
  case auditKeysMade = "AuditKeysMade"
  /// A user accepted a log that does not match the anchored checkpoint.
  case auditAccepted = "AuditAccepted"
  /// Old rows were moved to a file.
  case auditArchived = "AuditArchived"
  /// The version of a secret that is still in use, repeated because its own row was archived.
  case secretKept = "SecretKept"
  /// A process tree that acts by itself began, with what it gets, or ended.
  case automationStarted = "AutomationStarted"
  case automationEnded = "AutomationEnded"
  /// A person agreed to a request for a guarded profile, or did not.
  case confirmed = "Confirmed"
  case confirmationRefused = "ConfirmationRefused"
  /// A guard rule, or the fence around a tree that acts by itself, refused a request.
  case guardRefused = "GuardRefused"
  /// Sessions are no longer served, renewed or kept here.
  case revoked = "Revoked"
  /// AWS was told to deny what was issued before.
  case revokedInAWS = "RevokedInAWS"
}

/// An audit row before it has a chain position. It never holds a secret or a token.
public struct AuditEvent: Sendable, Hashable {
  /// Of ``reason``, in characters.
  public static let maxReasonLength = 1_024

  public var action: AuditAction
  public var outcome: AuditOutcome
  public var trigger: AuditTrigger
  public var profile: String?
  public var roleARN: String?
  public var roleSessionName: String?
  public var sourceIdentity: String?
  /// The access key id that signed the call.
  public var sourceAccessKeyId: String?
  /// The access key id that was issued or delivered.
  public var accessKeyId: String?
  public var issuedAt: Timestamp?
  public var expiresAt: Timestamp?
  public var durationSeconds: Int?
  public var mfa: Bool
  /// `x-amzn-RequestId`, which CloudTrail records too.
  public var requestId: String?
  public var endpoint: String?
  /// The value of `--reason`.
  public var reason: String?
  /// The error text, from AWS or from the vault.
  public var error: String?
  /// Details of a change to the vault: counts, the name of a setting.
  public var detail: String?
  public var sessionId: String?
  /// The event that announced the attempt.
  public var intentId: String?
  /// What the session was narrowed to, as JSON (docs/reference.md); nil for the profile's own session.
  public var scope: String?
  public var requester: Requester

  public init(
    action: AuditAction, outcome: AuditOutcome, trigger: AuditTrigger, profile: String? = nil, requester: Requester
  ) {
    self.action = action
    self.outcome = outcome
    self.trigger = trigger
    self.profile = profile
    self.requester = requester
    mfa = false
  }
}

/// An audit row in the chain.
public struct AuditRecord: Sendable, Hashable {
  /// `evt_…`
  public var id: String
  /// 1 for the first row, without gaps.
  public var sequence: Int64
  public var time: Timestamp
  public var event: AuditEvent
  /// The secret that this row sealed, replaced or destroyed (the id of a session or an access key), and its version at that time.
  public var subject: String?
  public var subjectVersion: Int64?
  /// BLAKE2b-256 over the previous row's hash and the canonical form of this row. 32 bytes.
  public var hash: [UInt8]

  public init(
    id: String, sequence: Int64, time: Timestamp, event: AuditEvent, subject: String?, subjectVersion: Int64?, hash: [UInt8]
  ) {
    self.id = id
    self.sequence = sequence
    self.time = time
    self.event = event
    self.subject = subject
    self.subjectVersion = subjectVersion
    self.hash = hash
  }
}
