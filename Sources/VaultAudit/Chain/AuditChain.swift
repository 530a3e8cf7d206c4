import VaultBytes
import VaultDatabase
import VaultModel
import VaultSecrets

/// The hash chain that binds each row of the audit log to the one before it.
///
/// hash = BLAKE2b-256(previous hash ‖ canonical form), in the form of ``CanonicalRow``, whose first field is the row's number. The
/// first row's previous hash is BLAKE2b-256 of the vault's id, so that a log belongs to one vault.
public enum AuditChain {
  /// The hash before the first row of a vault's log.
  public static func root(vaultId: String) -> [UInt8] { blake2b(Array("vault-audit-2\n\(vaultId)".utf8)) }

  /// A new row's hash. `record.hash` is ignored.
  public static func hash(of record: AuditRecord, after previous: [UInt8]) -> [UInt8] {
    var form = CanonicalRow()
    form.put(AuditField.hashed.map { record[$0] }, after: previous)
    return form.hash()
  }

  /// The first invalid row of a log, and what is wrong with it.
  public enum Fault: Error, Hashable, CustomStringConvertible {
    case changed(sequence: Int64)
    case missing(sequence: Int64)
    case inserted(sequence: Int64)
    case reordered(sequence: Int64, standsAt: Int64)
    /// The row itself is intact but follows a different one than the row before it.
    case unbound(sequence: Int64)
    /// The row's MAC is not the ratchet's, or is missing where it is required.
    case forged(sequence: Int64)
    /// A signed checkpoint that contradicts the row, or is not signed by the vault.
    case checkpoint(sequence: Int64)
    /// Rows are missing that existed when the checkpoint was anchored.
    case truncated(after: Int64, expected: Int64)
    /// The whole vault is an older copy.
    case rolledBack(to: Int64, expected: Int64)
    /// Up to this row, the log differs from the one of the anchored checkpoint.
    case rewritten(sequence: Int64)
    /// The key store has no checkpoint of a log that was anchored in it.
    case checkpointMissing
    /// An archived segment that the log does not name, or that differs from what the log says.
    case segment(sequence: Int64)
    /// An archived part whose last row has no valid signed checkpoint.
    case unsigned(sequence: Int64)
    /// With this index, reports would miss rows or find wrong ones.
    case index(what: String)
    /// The tables are not those that the vault created: rows could be swallowed, or differ with every read.
    case unguarded(what: String)
    /// The log got a second checkpoint signing key although nobody had accepted it in its state.
    case keysMadeAgain(sequence: Int64)

    public var description: String {
      switch self {
      case .changed(let sequence): "row \(sequence) was changed"
      case .missing(let sequence): "row \(sequence) was removed"
      case .inserted(let sequence): "row \(sequence) was inserted"
      case .reordered(let sequence, let place): "row \(sequence) was moved to place \(place)"
      case .unbound(let sequence): "row \(sequence) does not follow the previous row: one of them was replaced"
      case .forged(let sequence): "row \(sequence) was not written by the vault"
      case .checkpoint(let sequence): "the checkpoint at row \(sequence) does not match the row"
      case .truncated(let last, let expected): "rows \(last + 1) to \(expected) were cut off"
      case .rolledBack(let last, let expected):
        "the database is an old copy: it ends at row \(last), but the checkpoint in the key store is for row \(expected)"
      case .rewritten(let sequence): "the log was rewritten: row \(sequence) does not match the checkpoint in the key store"
      case .checkpointMissing: "the key store no longer has the log's checkpoint"
      case .segment(let sequence): "the archived rows that end at \(sequence) do not match the log's record of them"
      case .unsigned(let sequence): "the end, row \(sequence), has no checkpoint: rows were cut off, or added by others"
      case .index(let what): "the rows are intact, but reports would miss some: \(what)"
      case .unguarded(let what): "the database's tables were changed by another program: \(what)"
      case .keysMadeAgain(let sequence): "row \(sequence) starts new keys for a log that already has keys"
      }
    }
  }

  public enum Verdict: Sendable, Hashable {
    case whole(rows: Int64)
    case broken(Fault)
  }

  /// Verifies the whole log and reports the first invalid row.
  public static func verify(_ reader: VaultReader, against verification: VerificationInput = VerificationInput()) throws
    -> Verdict
  {
    guard let database = reader.database, let vaultId = try reader.vaultId() else { return .whole(rows: 0) }
    return try AuditVerifier(database, vaultId: vaultId, verification, isArchive: reader.isArchive).run()
  }
}

/// The data against which a log is verified, besides itself.
public struct VerificationInput: Sendable {
  /// The checkpoint in the key store.
  public var anchoredCheckpoint: AuditCheckpoint?
  /// An auditor's copy of the ratchet's key at a row.
  public var key: AuditVerificationKey?
  /// The vault's public key as given to an auditor; otherwise the anchored checkpoint's is used, or else the database's own.
  public var publicKey: [UInt8]?

  /// Whether each index entry is checked even in a log of more than ``maxIndexed`` rows.
  public var isThorough = false
  /// Checking this many takes a third of a second.
  public static let maxIndexed: Int64 = 100_000

  public init(anchoredCheckpoint: AuditCheckpoint? = nil, key: AuditVerificationKey? = nil, publicKey: [UInt8]? = nil) {
    self.anchoredCheckpoint = anchoredCheckpoint
    self.key = key
    self.publicKey = publicKey
  }
}

/// The ratchet's key at a row, given to an auditor, who can verify the MAC of that row and every later one.
public struct AuditVerificationKey: Sendable {
  public let sequence: Int64
  public let key: SecretBytes

  /// - Parameter text: `vault-audit-key-1 SEQUENCE HEX`, as `vault audit key --new` prints it; anything else gives nil.
  public init?(text: String) {
    let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
    guard words.count == 3, words[0] == "vault-audit-key-1", let sequence = Int64(words[1]), sequence > 0,
      let key = SecretBytes(String(words[2])).withBytes({ SecretHex.decoded($0, count: 32) })
    else { return nil }
    self.init(sequence: sequence, key: key)
  }

  public init(sequence: Int64, key: SecretBytes) {
    self.sequence = sequence
    self.key = key
  }
}
