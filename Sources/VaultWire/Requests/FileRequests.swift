import VaultModel

/// Read the profiles of AWS files, and watch the files. The paths are absolute.
public struct ImportRequest: Request, WireFields {
  public typealias Reply = ImportOutcome
  public var kind: MessageKind { .importFiles }
  public var config: String?
  public var credentials: String?
  /// The person's home, so that origins can be shown as `~/.aws/config`.
  public var home: String?
  /// Copy the profiles and do not follow the files.
  public var once = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&config).field(&credentials).field(&home).field(&once) }
}

/// Take plain access keys out of the files that were imported. The reply has each key.
public struct TakeKeysRequest: Request, WireFields {
  public typealias Reply = [TakenKey]
  public var kind: MessageKind { .takeKeys }
  public var files = ImportRequest()
  /// Only name them.
  public var dryRun = false
  /// The path of `vault` for a `credential_process` in their place; nil for none.
  public var program: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&files).field(&dryRun).field(&program) }
}

/// A change to a vault-managed profile.
public struct ProfileChange: WireFields {
  public var name = ""
  /// `name=value`
  public var set: [String] = []
  public var unset: [String] = []
  /// `vault edit` rather than `vault add`.
  public var mustExist = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&set).field(&unset).field(&mustExist) }
}

/// Keep a profile's credentials fresh in a section of a credentials file.
public struct LinkFileRequest: Request, WireFields {
  public var kind: MessageKind { .linkFile }
  public var profile = ""
  public var section = ""
  public var file = ""
  /// Nil for the profile's own session.
  public var scope: SessionScope?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&profile).field(&section).field(&file).field(&scope) }
}

/// Stop keeping credentials in a file. The reply is the sections.
public struct UnlinkFileRequest: Request, WireFields {
  public typealias Reply = [String]
  public var kind: MessageKind { .unlinkFile }
  public var file = ""
  /// A profile or a section; nil for all.
  public var name: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&file).field(&name) }
}

/// Record that the client adds entries for profiles to an AWS config file, or removes entries. The reply is the region of each
/// profile, empty if it has none.
public struct LinkProfilesRequest: Request, WireFields {
  public typealias Reply = [String]
  public var kind: MessageKind { .linkProfiles }
  public var file = ""
  public var names: [String] = []
  public var unlink = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&file).field(&names).field(&unlink) }
}

/// Back up the master key to a file, or restore it.
public struct KeyCopyRequest: Request, WireFields {
  public typealias Reply = KeyCopy
  public var kind: MessageKind { .keyCopy }
  public var file = ""
  /// The file that holds the passphrase; nil if it is to be asked for.
  public var passphraseFile: String?
  public var restore = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&file).field(&passphraseFile).field(&restore) }
}

/// Move the audit rows before a time into a file.
public struct ArchiveRequest: Request, WireFields {
  public typealias Reply = ArchivedRows
  public var kind: MessageKind { .auditArchive }
  public var file = ""
  public var before = Timestamp(milliseconds: 0)
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&file).field(&before) }
}
