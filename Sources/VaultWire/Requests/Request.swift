/// A request of a client, which follows its ``ClientContext``.
public protocol Request: FieldValue {
  associatedtype Reply: FieldValue = Done
  var kind: MessageKind { get }
}

extension Request {
  /// - Parameter version: only a test sends another than ``protocolVersion``.
  public func frame(from context: ClientContext, version: UInt16 = protocolVersion) throws(WireError) -> WireBuffer {
    try .frame(kind, version: version) {
      var (context, request) = (context, self)
      $0.field(&context).field(&request)
    }
  }
}

extension Message {
  /// The sender of a request; of one of another version, nothing is known.
  public func context() throws(WireError) -> ClientContext {
    var context: ClientContext?
    let fields = fields
    if version == protocolVersion { fields.field(&context) } else { return ClientContext() }
    guard let context else { throw .field(tag: 1, "is missing or invalid") }
    return context
  }

  /// The request itself.
  public func request<Asked: FieldValue>() throws(WireError) -> Asked {
    var context: WireBytes?
    var asked: Asked?
    let fields = fields
    fields.field(&context).field(&asked)
    try fields.end()
    guard let asked else { throw .field(tag: 2, "is missing") }
    return asked
  }
}

/// No value.
public struct Done: WireFields {
  public init() {}
  public mutating func code(_ coder: FieldCoder) {}
}

/// A request with one argument, or none.
public struct SimpleRequest<Argument: FieldValue, Reply: FieldValue>: Request {
  public let kind: MessageKind
  private let argument: Argument

  fileprivate init(_ kind: MessageKind, _ argument: Argument) { (self.kind, self.argument) = (kind, argument) }
  public init?(field: WireBytes) { nil }
  public func append(to frame: WireBuffer) { argument.append(to: frame) }
}

extension Request where Self == SimpleRequest<Done, Done> {
  public static var lock: Self { Self(.lock, Done()) }
  public static var unlock: Self { Self(.unlock, Done()) }
  /// Is answered by an agent of any version.
  public static var stop: Self { Self(.stop, Done()) }
  /// Take in the changes of watched files.
  public static var refresh: Self { Self(.refresh, Done()) }
  /// A settings file was changed: read the settings again.
  public static var settings: Self { Self(.settings, Done()) }
  /// The requests that wait for a person's agreement, each an entry (``WaitingApproval``).
  public static var approvals: Self { Self(.approvals, Done()) }
  /// Every process of a run has ended: its root says so.
  public static var automationEnd: Self { Self(.automationEnd, Done()) }
  /// Accept the audit log as it is, restored from a backup.
  public static var auditAccept: Self { Self(.auditAccept, Done()) }
}

extension Request where Self == SimpleRequest<Done, AgentStatus> {
  /// The agent's state; asked of an agent of any version.
  public static var status: Self { Self(.status, Done()) }
}

extension Request where Self == SimpleRequest<Done, RotatedKey> {
  /// Replace the master key.
  public static var keyRotate: Self { Self(.keyRotate, Done()) }
}

extension Request where Self == SimpleRequest<Done, AuditorKey> {
  /// A new key for an auditor.
  public static var auditKey: Self { Self(.auditKey, Done()) }
}

extension Request where Self == SimpleRequest<Bool, LogCheckpoint> {
  /// The audit log's checkpoint in the key store; with `refresh`, after the newest was stored there.
  public static func auditCheckpoint(refresh: Bool) -> Self { Self(.auditCheckpoint, refresh) }
}

extension Request where Self == SimpleRequest<String, Done> {
  /// Remove a vault-managed profile.
  public static func removeProfile(_ name: String) -> Self { Self(.removeProfile, name) }
  /// Remove an access key from the vault.
  public static func removeAccessKey(_ name: String) -> Self { Self(.removeAccessKey, name) }
}

extension Request where Self == SimpleRequest<[ProfileChange], Done> {
  /// Change vault-managed profiles, all or none.
  public static func putProfiles(_ changes: [ProfileChange]) -> Self { Self(.putProfiles, changes) }
}
