import VaultModel

/// Credentials of a profile.
public struct IssueRequest: Request, WireFields {
  public typealias Reply = IssuedReply
  public var kind: MessageKind { .credential }
  public var profile = ""
  public var trigger = AuditTrigger.manual
  public var duration: SessionDuration?
  /// Seconds for which the session must still be valid.
  public var minimumRemaining: Int?
  public var refresh = false
  /// Hand out long-term access keys themselves, or sign with them, instead of creating a session.
  public var noSession = false
  /// Serve the credentials on loopback.
  public var server = false
  /// Put the token for that in a file.
  public var tokenFile = false
  public var region: String?
  public var mfaCode: WireBytes?
  public var sessionName: RoleSessionName?
  public var reason: String?
  /// The process that is served, if it is not the requester: the shell in which the requester runs.
  public var shell: Int?
  /// Nil for the profile's own session.
  public var scope: SessionScope?
  /// A role to assume with the profile's credentials.
  public var role: RoleARN?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&profile).field(&trigger).field(&duration).field(&minimumRemaining).field(&refresh).field(&noSession)
      .field(&server).field(&tokenFile).field(&region).field(&mfaCode).field(&sessionName).field(&reason).field(&shell)
      .field(&scope).field(&role)
  }
}

/// Serve nothing more for a token. The reply is the number of leases that this ended.
public struct ReleaseRequest: Request, WireFields {
  public typealias Reply = Int
  public var kind: MessageKind { .release }
  public var token = WireBytes.none
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&token) }
}

/// The AWS console, signed in as a profile. The reply is its address.
public struct ConsoleRequest: Request, WireFields {
  public typealias Reply = WireBytes
  public var kind: MessageKind { .console }
  public var credentials = IssueRequest()
  public var service: String?
  /// Reply with an address that redirects one browser, once, instead of with the secret URL itself.
  public var once = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&credentials).field(&service).field(&once) }
}

/// What AWS knows more of a refusal, asked with a profile's credentials.
public struct DenialRequest: Request, WireFields {
  public typealias Reply = DenialReply
  public var kind: MessageKind { .denial }
  public var credentials = IssueRequest()
  /// For `DecodeAuthorizationMessage`.
  public var encodedMessage: String?
  /// For `GetRequestAuthorizationDetails`, in the region of the credentials.
  public var authorizationId: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&credentials).field(&encodedMessage).field(&authorizationId)
  }
}

/// New sessions, in place of those that are valid.
public struct RotateRequest: Request, WireFields {
  public typealias Reply = [RotatedSession]
  public var kind: MessageKind { .rotate }
  /// Nil for every profile that has a valid session.
  public var profile: String?
  public var mfaCode: WireBytes?
  public var reason: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&profile).field(&mfaCode).field(&reason) }
}

/// Delete cached credentials. The reply is the number of sessions.
public struct ForgetRequest: Request, WireFields {
  public typealias Reply = Int
  public var kind: MessageKind { .forget }
  /// Either a profile, or all.
  public var profile: String?
  public var all = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&profile).field(&all) }
}

/// Store an IAM user's access key.
public struct AddAccessKeyRequest: Request, WireFields {
  public var kind: MessageKind { .addAccessKey }
  public var name = ""
  public var accessKeyId = ""
  public var secretAccessKey = WireBytes.none
  public var mfaSerial: String?
  /// The secret of a virtual MFA device, Base32.
  public var mfaSecret: WireBytes?
  public var replace = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&name).field(&accessKeyId).field(&secretAccessKey).field(&mfaSerial).field(&mfaSecret).field(&replace)
  }
}

/// Replace an access key with a new one in IAM.
public struct RotateAccessKeyRequest: Request, WireFields {
  public typealias Reply = RotatedAccessKey
  public var kind: MessageKind { .rotateAccessKey }
  public var name = ""
  public var mfaCode: WireBytes?
  public var reason: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&mfaCode).field(&reason) }
}
