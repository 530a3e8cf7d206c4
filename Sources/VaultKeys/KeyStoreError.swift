import VaultBytes
import VaultModel

/// The reasons why a key store operation failed.
///
/// "Locked" and "unreachable" are never reported as "missing". None of these errors ever causes a switch to a weaker store; if the
/// passphrase is a way out, the hint says so.
public enum KeyStoreError: ReportableError, Hashable {
  /// There is no session bus, or it does not answer at its address.
  case noSessionBus(String)
  /// There is a bus, but no service on it that stores secrets.
  case noService
  case noDefaultCollection
  /// The default collection lasts only until logout. A key in it would then be lost, and the vault with it.
  case volatileCollection
  case locked(collection: String)
  /// The desktop's prompt was dismissed, or there is no display to show it on.
  case promptDismissed(collection: String)
  /// The desktop's prompt was shown but not answered.
  case promptUnanswered(seconds: Int)
  /// The service is there but does not answer.
  case timedOut(seconds: Int)
  /// The store can be read, but the key is not in it.
  case keyMissing(KeyID)
  /// The key existed only in the memory of a process that has ended.
  case keyGone(KeyID)
  /// A vault that is meant to last must not depend on a key that does not.
  case ephemeralHome
  case ephemeralOverLasting
  /// Another key already exists under this name.
  case keyExists(KeyID)
  /// The stored value is not a key. `path` is nil for an item of the Secret Service.
  case damaged(KeyID, path: String?, reason: String)
  case wrongPassphrase(path: String)
  /// A backup that cannot be used, or belongs to another vault.
  case badBackup(path: String, reason: String)
  case otherVault(path: String)
  /// An existing file is not replaced.
  case fileExists(path: String)
  case passphraseTooShort(minimum: Int)
  case passphraseTooLong(maximum: Int)
  /// The passphrase could not be obtained.
  case noPassphrase(Failure)
  /// A file or folder that others could have read or changed.
  case unsafeFile(path: String, reason: String)
  /// A system call on a file failed.
  case inputOutput(path: String, reason: String)
  /// A named file does not exist.
  case noFile(path: String)
  /// Not enough memory to derive a key from a passphrase.
  case noMemory(bytes: Int)
  /// Any other error of the service. Limited in length, and safe for a terminal.
  case other(String)

  /// Whether there is no keyring at all, rather than one that refuses.
  public var isWithoutKeyring: Bool {
    switch self {
    case .noSessionBus, .noService: true
    default: false
    }
  }

  /// What failed, and on what.
  public var message: String {
    switch self {
    case .noSessionBus(let reason): "no D-Bus session bus, so no keyring (\(reason))"
    case .noService: "no Secret Service (keyring) is running on the session bus"
    case .noDefaultCollection: "the keyring has no default collection that can be searched"
    case .volatileCollection: "the default keyring lasts only until logout"
    case .locked(let name): "the keyring \"\(name)\" is locked"
    case .promptDismissed(let name): "unlocking the keyring \"\(name)\" was refused, or its prompt could not be shown"
    case .promptUnanswered(let seconds): "the keyring's prompt was not answered within \(seconds) seconds"
    case .timedOut(let seconds): "the keyring did not answer within \(seconds) seconds"
    case .keyMissing(let id): "master key \(id) is missing"
    case .keyGone(let id): "master key \(id) was in the memory of an agent that has ended (VAULT_KEYSTORE=ephemeral)"
    case .ephemeralHome: "an ephemeral key store needs a vault folder of its own"
    case .ephemeralOverLasting: "a permanent vault cannot keep its key only in an agent's memory"
    case .keyExists(let id): "another master key is already stored as \(id)"
    case .damaged(let id, nil, let reason): "master key \(id) in the keyring is damaged: \(reason)"
    case .damaged(let id, let path?, let reason): "master key \(id) is damaged: \(safeText(path)): \(reason)"
    case .wrongPassphrase(let path): "wrong passphrase for \(safeText(path))"
    case .badBackup(let path, let reason): "\(safeText(path)): \(reason)"
    case .otherVault(let path): "\(safeText(path)) belongs to another vault"
    case .fileExists(let path): "\(safeText(path)) already exists"
    case .passphraseTooShort(let minimum): "the passphrase has fewer than \(minimum) characters"
    case .passphraseTooLong(let maximum): "the passphrase has more than \(maximum) bytes"
    case .noPassphrase(let failure): failure.message
    case .unsafeFile(let path, let reason): "\(safeText(path)) \(reason)"
    case .inputOutput(let path, let reason): "\(safeText(path)): \(reason)"
    case .noFile(let path): "no file \(safeText(path))"
    case .noMemory(let bytes): "not enough memory to derive a key from the passphrase (\(bytes >> 20) MiB)"
    case .other(let text): "the keyring failed: \(text)"
    }
  }

  /// What to do about it; nil if the message says it.
  public var hint: String? {
    switch self {
    case .noSessionBus, .noService:
      "run it in a shell of a desktop session (its bus is used from then on), or choose a passphrase: `VAULT_KEYSTORE=passphrase vault import`"
    case .noDefaultCollection:
      "open a keyring, or make one the default (Passwords and Keys, KeePassXC), or set VAULT_KEYSTORE=passphrase"
    case .volatileCollection:
      "make a permanent keyring the default (Passwords and Keys), or set VAULT_KEYSTORE=passphrase"
    case .locked, .promptDismissed:
      "unlock it (Passwords and Keys), or log in to the desktop; without a desktop, create the vault with VAULT_KEYSTORE=passphrase"
    case .promptUnanswered: "run the command again and answer the prompt"
    case .timedOut: "restart the keyring's service, or log in to the desktop again"
    case .keyMissing:
      "was the database moved here, or the keyring reset? if you have a backup of the key: `vault master-key restore FILE`; otherwise move the database away and import again"
    case .keyGone:
      "its secrets are lost; remove this VAULT_HOME, or set another, and start over. In a job, an agent runs until its programs end, or until `vault agent stop`"
    case .ephemeralHome: "set VAULT_HOME to a temporary folder that is removed with the job"
    case .ephemeralOverLasting: "choose the new key's key store: VAULT_KEYSTORE=secret-service or passphrase"
    case .keyExists: nil
    case .damaged: "`vault master-key restore FILE`, or restore the keyring or file from a backup"
    case .badBackup: "is it a complete file from `vault master-key backup`?"
    case .otherVault: "each vault has its own key: VAULT_HOME selects the vault"
    case .fileExists: "choose another file, or remove it first"
    case .wrongPassphrase: "try again; nothing was changed"
    case .passphraseTooShort, .passphraseTooLong: "choose another one"
    case .noPassphrase(let failure): failure.hint
    case .unsafeFile(let path, _): "make it accessible only to you: ls -ld \(safeText(path)), then chmod or chown"
    case .inputOutput: "is the disk full, or the folder not yours?"
    case .noFile: "it is set by VAULT_PASSPHRASE_FILE or --passphrase-file"
    case .noMemory: "close other programs, or raise this program's limit (ulimit -v, MemoryMax), and try again"
    case .other: nil
    }
  }

  /// 66 no such file, 69 unavailable, 74 damaged, 77 refused, 78 missing.
  public var exitStatus: ExitStatus {
    switch self {
    case .noSessionBus, .noService, .timedOut, .other: .unavailable
    case .noDefaultCollection, .volatileCollection, .keyMissing, .keyGone, .ephemeralHome, .ephemeralOverLasting: .configuration
    case .locked, .promptDismissed, .promptUnanswered, .wrongPassphrase, .unsafeFile: .refused
    case .keyExists, .fileExists: .cannotCreate
    case .badBackup, .otherVault: .badData
    case .damaged, .inputOutput: .inputOutput
    case .noFile: .noInput
    case .passphraseTooShort, .passphraseTooLong: .badData
    case .noPassphrase(let failure): failure.exitStatus
    case .noMemory: .temporary
    }
  }
}
