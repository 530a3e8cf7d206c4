import VaultModel

/// A profile as `vault list` shows it.
public struct ProfileRow: Sendable {
  public var name: String
  public var kind: ProfileKind?
  public var roleARN: String?
  public var source: String?
  public var region: String?
  public var problem: String?
  public var origin: String
  /// The pending action of the profile, if its last renewal failed.
  public var pendingAction: SessionState?
  public var rotation: RotationRule.Mode
  /// The live session, or else the last one; nil if there never was one.
  public var session: SessionRecord?

  /// The state of the profile: its pending action, if its session depends on it.
  public func state(at now: Timestamp) -> SessionState {
    let state = session?.state(at: now) ?? .none
    return state == .fresh ? state : pendingAction ?? state
  }
}

/// An access key without its secret.
public struct AccessKeyRecord: Sendable, Hashable {
  public var id: String
  public var name: String
  public var accessKeyId: String
  public var mfaSerial: String?
  public var origin: String
  public var createdAt: Timestamp

  public init(id: String, name: String, accessKeyId: String, mfaSerial: String?, origin: String, createdAt: Timestamp) {
    self.id = id
    self.name = name
    self.accessKeyId = accessKeyId
    self.mfaSerial = mfaSerial
    self.origin = origin
    self.createdAt = createdAt
  }
}

/// A master key's row.
public struct KeyRecord: Sendable, Hashable {
  public enum State: String, Sendable { case prepared, active, retiring, retired }
  public var id: KeyID
  public var state: State
  /// The key store that holds it.
  public var store: String
  /// 16 bytes; nil until first use.
  public var check: [UInt8]?
  public var createdAt: Timestamp

  public init(id: KeyID, state: State, store: String, check: [UInt8]?, createdAt: Timestamp) {
    self.id = id
    self.state = state
    self.store = store
    self.check = check
    self.createdAt = createdAt
  }
}

/// A watched file, as the vault last saw it.
public struct WatchedFile: Sendable, Hashable {
  public enum Role: String, Sendable { case config, credentials }
  public var path: String
  public var role: Role
  /// The home folder that is shown as `~`.
  public var home: String?
  public var identity: FileIdentity

  public init(path: String, role: Role, home: String?, identity: FileIdentity) {
    self.path = path
    self.role = role
    self.home = home
    self.identity = identity
  }
}
