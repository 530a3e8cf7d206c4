import VaultBytes
import VaultModel

/// What the store refuses.
public enum StoreError: ReportableError, Hashable {
  /// No key: nothing can be sealed or opened.
  case locked
  case keyExists
  case wrongKey(KeyID)
  case unknownKey(KeyID)
  case unknownProfile(String)
  /// An outcome for what was never begun, or has its outcome already.
  case unknownIntent(String)
  case chainBroken(String)
  /// What AWS issued came after its profile was forgotten.
  case forgottenMeanwhile(profile: String)
  /// The folder is a copy of another, which still is where it was.
  case copied(of: String)
  /// No row is old enough.
  case nothingToArchive
  /// An archive is being made already.
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

/// Why a sealed secret does not open. Each names the row.
public enum SealError: ReportableError, Hashable {
  /// Changed, moved from another row, or sealed under another key with this one's name.
  case notAuthentic(row: String)
  /// Sealed under a key that is not in use.
  case unknownKey(row: String)
  /// Not an envelope of ours: cut, or of another kind.
  case malformed(row: String)
  /// An older secret of this row, or one that was destroyed, put back.
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
