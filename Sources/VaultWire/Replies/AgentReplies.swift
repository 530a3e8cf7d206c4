import VaultModel

/// The agent's state.
public struct AgentStatus: WireFields {
  public var version = ""
  public var protocolVersion = 0
  public var pid = 0
  public var started = Timestamp(milliseconds: 0)
  public var vaultId = ""
  /// Why its memory is not locked; nil if it is.
  public var memoryFault: String?
  public var isUnlocked = false
  /// When and why the vault will be locked automatically.
  public var locksAt: Timestamp?
  public var lockCause: LockCause?
  public var exporters: [ExporterStatus] = []
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&version).field(&protocolVersion).field(&pid).field(&started).field(&vaultId).field(&memoryFault)
      .field(&isUnlocked).field(&locksAt).field(&lockCause).field(&exporters)
  }

  public var memory: String { memoryFault.map { "not locked: \($0)" } ?? "locked" }
  public var locks: String? { locksAt.flatMap { at in lockCause.map { "\(at.iso8601) (\($0.rawValue))" } } }
}

/// How far a live copy of the audit log is.
public struct ExporterStatus: WireFields {
  public var name = ""
  public var state = ""
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&state) }
}

/// An import, in lines for the person.
public struct ImportOutcome: WireFields {
  public var lines: [String] = []
  public var warnings: [String] = []
  /// That the plain keys of the files can be taken out of them; nil if there are none.
  public var plainKeys: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&lines).field(&warnings).field(&plainKeys) }
}

/// A plain access key in a file.
public struct TakenKey: WireFields {
  public var profile = ""
  public var accessKeyId = ""
  /// The file and the lines: `~/.aws/credentials:2,3`.
  public var place = ""
  /// The copy of the file with the key; nil if the key was not removed.
  public var backup: String?
  /// Why it stays in the file.
  public var fault: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&profile).field(&accessKeyId).field(&place).field(&backup).field(&fault)
  }
}

/// The new master key, and how many rows it encrypts.
public struct RotatedKey: WireFields {
  public var keyId = ""
  public var count = 0
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&keyId).field(&count) }
}

/// The key that was backed up or restored, and what else the user should know.
public struct KeyCopy: WireFields {
  public var keyId = ""
  public var notice: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&keyId).field(&notice) }
}

/// The checkpoint in the key store, and what is wrong with the log.
public struct LogCheckpoint: WireFields {
  public var line: String?
  public var fault: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&line).field(&fault) }
}

/// A key for an auditor, and the first row that it verifies.
public struct AuditorKey: WireFields {
  public var sequence: Int64 = 0
  public var key = WireBytes.none
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&sequence).field(&key) }
}

/// The rows that are in the archive, and how many more are old enough.
public struct ArchivedRows: WireFields {
  public var first: Int64 = 0
  public var last: Int64 = 0
  public var left: Int64 = 0
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&first).field(&last).field(&left) }
}
