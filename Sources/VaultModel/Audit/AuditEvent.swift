/// What came of what was tried.
public enum AuditOutcome: String, Sendable, CaseIterable {
  /// Written before AWS is asked; a row with one of the others follows.
  case intent
  case success
  case failure
  /// AWS, or the vault itself, said no.
  case refused
  /// The agent ended between the intent and its outcome.
  case unknown
}

/// What made the vault act.
public enum AuditTrigger: String, Sendable, CaseIterable {
  case exec, env, credentials, server, console, rotation, manual, start
  /// The agent itself, for a time or an event that a setting names.
  case automatic
}

/// What was done. Calls that mint credentials have AWS's own names.
public enum AuditAction: String, Sendable, CaseIterable {
  case assumeRole = "AssumeRole"
  case assumeRoleWithWebIdentity = "AssumeRoleWithWebIdentity"
  case assumeRoleWithSAML = "AssumeRoleWithSAML"
  case getSessionToken = "GetSessionToken"
  /// A way to the console for access keys.
  case getFederationToken = "GetFederationToken"
  /// IAM Identity Center gave the credentials of an account's permission set.
  case getRoleCredentials = "GetRoleCredentials"
  /// IAM Identity Center gave a token: a sign-in, or its renewal.
  case createToken = "CreateToken"
  /// The AWS CLI's token was taken over.
  case tokenAdopted = "TokenAdopted"
  case registerClient = "RegisterClient"
  case signedOut = "SignedOut"
  /// IAM Identity Center no longer takes the sign-in's tokens.
  case signInEnded = "SignInEnded"
  /// A `credential_process` gave credentials.
  case credentialProcess = "CredentialProcess"
  case containerCredentials = "ContainerCredentials"
  case instanceCredentials = "InstanceCredentials"
  case environmentCredentials = "EnvironmentCredentials"
  /// A way into the console was asked for with a session's credentials.
  case getSigninToken = "GetSigninToken"
  case createAccessKey = "CreateAccessKey"
  case deleteAccessKey = "DeleteAccessKey"
  /// A session's credentials were handed to a program.
  case deliver = "Deliver"
  /// A program that was served on loopback has ended.
  case leaseEnded = "LeaseEnded"
  /// Another user's program, or one without a token, asked where programs are served; once for many.
  case endpointRefused = "EndpointRefused"
  /// A request at the agent's socket was not answered: who sent it was not who had connected, or had ended, or become another program.
  case requestRefused = "RequestRefused"
  case profileAdded = "ProfileAdded"
  case profileChanged = "ProfileChanged"
  case profileRemoved = "ProfileRemoved"
  case profilesImported = "ProfilesImported"
  case accessKeyAdded = "AccessKeyAdded"
  case accessKeyChanged = "AccessKeyChanged"
  case accessKeyRemoved = "AccessKeyRemoved"
  /// A credentials file is to hold a profile's current keys from now on, and no longer.
  case credentialsLinked = "CredentialsLinked"
  case credentialsUnlinked = "CredentialsUnlinked"
  case mfaSecretAdded = "MFASecretAdded"
  case mfaSecretRemoved = "MFASecretRemoved"
  case sessionForgotten = "SessionForgotten"
  case sessionExpired = "SessionExpired"
  case sessionReplaced = "SessionReplaced"
  /// Entries in an AWS config file let every SDK take profiles from the vault, and no longer.
  case profilesLinked = "ProfilesLinked"
  case profilesUnlinked = "ProfilesUnlinked"
  case agentStarted = "AgentStarted"
  /// In good order; an agent that was killed has no such row.
  case agentStopped = "AgentStopped"
  case vaultCreated = "VaultCreated"
  case schemaMigrated = "SchemaMigrated"
  case settingChanged = "SettingChanged"
  /// A place beside AWS's own, or certificates for it, may be sent secrets from now on, or no longer.
  case endpointTrusted = "EndpointTrusted"
  /// Rows that lead to a secret are not those that the vault wrote: refused, or read again from a followed file.
  case databaseChanged = "DatabaseChanged"
  /// Deliveries that the disk did not take when they were made have their rows now (`audit_failure = deliver`).
  case loggedLate = "LoggedLate"
  case keyRotated = "KeyRotated"
  /// A copy of the master key was written, or put back.
  case keyBackedUp = "KeyBackedUp"
  case keyRestored = "KeyRestored"
  case keyRotationAbandoned = "KeyRotationAbandoned"
  case locked = "Locked"
  case unlocked = "Unlocked"
  /// The log's own keys: the one that signs its heads, or a new ratchet for an auditor.
  case auditKeysMade = "AuditKeysMade"
  /// A log that is not what the key store knows of was taken as it is, on a person's word.
  case auditAccepted = "AuditAccepted"
  /// Old rows were written to a file and taken out.
  case auditArchived = "AuditArchived"
  /// A secret lives on whose own row was archived: its version, said once more.
  case secretKept = "SecretKept"
}

/// One row of the audit log, before it has a place in the chain. It never holds a secret or a token.
public struct AuditEvent: Sendable, Hashable {
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
  /// `x-amzn-RequestId`, which CloudTrail has too.
  public var requestId: String?
  public var endpoint: String?
  /// What the person gave as `--reason`.
  public var reason: String?
  /// AWS's or our words, for a failure.
  public var error: String?
  /// More about a change to the vault: counts, the name of a setting.
  public var detail: String?
  public var sessionId: String?
  /// The event that said what was going to be tried.
  public var intentId: String?
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

/// A row of the audit log as it stands in the chain.
public struct AuditRecord: Sendable, Hashable {
  /// `evt_…`
  public var id: String
  /// 1 for the first row; without gaps.
  public var sequence: Int64
  public var time: Timestamp
  public var event: AuditEvent
  /// The secret that this row sealed, replaced or destroyed (a session's or an access key's id), and the version it then had.
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
