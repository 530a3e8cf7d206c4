import VaultBytes
import VaultModel

/// Errors of the store.
public enum StoreError: ReportableError, Hashable {
  /// No key: nothing can be sealed or opened.
  case locked
  case keyExists
  case wrongKey(KeyID)
  case unknownKey(KeyID)
  case unknownProfile(String)
  /// An outcome for an intent that does not exist or already has one.
  case unknownIntent(String)
  case chainBroken(String)
  /// AWS issued a session after its profile was forgotten.
  case forgottenMeanwhile(profile: String)
  /// A request was revoked before it was answered.
  case revokedMeanwhile(mayAskAgain: Bool)
  /// The folder is a copy of another, which still exists at its place.
  case copied(of: String)
  /// No row is old enough.
  case nothingToArchive
  /// An archiving is already in progress.
  case archiving

  public var message: String {
    switch self {
    case .locked: "the vault is locked"
    case .keyExists: "the vault already has a master key"
    case .wrongKey(let id): "the key store has a different key under the name \(id) than the one that sealed this vault"
    case .unknownKey(let id): "unknown master key \(id)"
    case .unknownProfile(let name): "no profile \"\(name)\""
    case .unknownIntent(let id): "no open intent \(id)"
    case .chainBroken(let what): "the audit log is not intact: \(what)"
    case .forgottenMeanwhile(let profile): "\"\(profile)\" was forgotten while its session was being issued"
    case .revokedMeanwhile: "the request was revoked before it was answered"
    case .copied(let path): "this is a copy of the vault in \(safeText(path)), where the audit log continues"
    case .nothingToArchive: "the audit log has no rows from before then"
    case .archiving: "an archive is already being written"
    }
  }

  public var hint: String? {
    switch self {
    case .locked: "`vault unlock`"
    case .forgottenMeanwhile: "request a new one"
    case .revokedMeanwhile(let mayAskAgain): mayAskAgain ? "run it again if it is still wanted" : "start the run again"
    case .wrongKey: "was the key store or the database restored from a backup?"
    case .chainBroken:
      "nothing is handed out while the log is not intact; if you restored a backup yourself: `vault audit accept`"
    case .copied:
      "use the original, or move it away. To continue with the copy: `vault audit accept` here; the original then refuses, since both share one entry in the keyring"
    case .unknownProfile: "`vault list` shows the profiles"
    case .nothingToArchive: "`vault audit` begins with the oldest row"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .copied: .configuration
    case .locked, .wrongKey: .refused
    case .chainBroken: .inputOutput
    case .forgottenMeanwhile, .revokedMeanwhile(mayAskAgain: true): .temporary
    case .revokedMeanwhile(mayAskAgain: false): .refused
    case .unknownProfile, .nothingToArchive: .noInput
    case .archiving: .temporary
    default: .software
    }
  }
}

/// Why a sealed secret does not open. Each case names the row.
public enum SealError: ReportableError, Hashable {
  /// Changed, moved from another row, or sealed under another key with the same name.
  case notAuthentic(row: String)
  /// Sealed under a key that is not in use.
  case unknownKey(row: String)
  /// Not a valid envelope: truncated, or of another kind.
  case malformed(row: String)
  /// An older or destroyed secret of this row was put back.
  case replayed(row: String)

  public var message: String {
    switch self {
    case .notAuthentic(let row): "the secret of \(row) is not the one that was sealed for it"
    case .unknownKey(let row): "the secret of \(row) was sealed under another master key"
    case .malformed(let row): "the secret of \(row) is malformed"
    case .replayed(let row): "the secret of \(row) is an old version that was put back"
    }
  }

  public var hint: String? {
    "the database was changed from outside; the secret was not used. `vault forget`, or restore a backup"
  }
  public var exitStatus: ExitStatus { .inputOutput }
}
