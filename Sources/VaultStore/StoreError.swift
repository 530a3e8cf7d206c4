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
  /// The folder is a copy of another, which still exists at its place.
  case copied(of: String)
  /// No row is old enough.
  case nothingToArchive
  /// An archiving is already in progress.
  case archiving

  public var message: String {
    switch self {
    case .locked: "the vault is locked"
    case .keyExists: "the vault has a master key already"
    case .wrongKey(let id): "the key store holds another key under the name \(id) than the one that sealed this vault"
    case .unknownKey(let id): "the vault knows no master key \(id)"
    case .unknownProfile(let name): "no profile \"\(name)\""
    case .unknownIntent(let id): "no open intent \(id)"
    case .chainBroken(let what): "the audit log is not whole: \(what)"
    case .forgottenMeanwhile(let profile): "\"\(profile)\" was forgotten while its session was being made"
    case .copied(let path): "this is a copy of the vault in \(safeText(path)), whose audit log goes on there"
    case .nothingToArchive: "no row of the audit log is from before then"
    case .archiving: "rows are being archived already"
    }
  }

  public var hint: String? {
    switch self {
    case .locked: "`vault unlock`"
    case .forgottenMeanwhile: "ask again for a new one"
    case .wrongKey: "was the key store or the database put back from a copy?"
    case .chainBroken: "nothing is handed out beside a broken log; `vault audit accept` where you put a copy back yourself"
    case .copied:
      "use that one, or move it away. To go on with the copy: `vault audit accept` here; the other one then refuses, since both have one place in the keyring"
    case .unknownProfile: "`vault list` shows the profiles"
    case .nothingToArchive: "`vault audit --limit 1` shows the oldest row"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .copied: .configuration
    case .locked, .wrongKey: .refused
    case .chainBroken: .inputOutput
    case .forgottenMeanwhile: .temporary
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
    case .malformed(let row): "the secret of \(row) is no sealed secret"
    case .replayed(let row): "the secret of \(row) is an old one put back"
    }
  }

  public var hint: String? {
    "somebody or something changed the database; it was not used. `vault forget`, or put a copy in its place"
  }
  public var exitStatus: ExitStatus { .inputOutput }
}
