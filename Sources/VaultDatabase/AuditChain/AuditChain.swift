import VaultBytes
import VaultModel
import VaultSecrets

/// The chain that binds each row of the audit log to the one before it.
///
/// hash = BLAKE2b-256(previous hash ‖ canonical form), the form being ``CanonicalRow``'s, whose first field is the row's number. The first
/// row's previous hash is BLAKE2b-256 of the vault's id, so that a log belongs to one vault.
public enum AuditChain {
  /// What stands before the first row of a vault's log.
  public static func root(vaultId: String) -> [UInt8] { blake2b(Array("vault-audit-2\n\(vaultId)".utf8)) }

  /// A row's hash. `record.hash` is not looked at.
  public static func hash(of record: AuditRecord, after previous: [UInt8]) -> [UInt8] {
    var form = CanonicalRow()
    form.begin(after: previous)
    for value in AuditRows.values(record) { form.put(value) }
    return form.hash()
  }

  /// What is wrong with a log: the first row where it is, and how.
  public enum Fault: Error, Hashable, CustomStringConvertible {
    case changed(sequence: Int64)
    case missing(sequence: Int64)
    case inserted(sequence: Int64)
    case reordered(sequence: Int64, standsAt: Int64)
    /// The row is whole by itself and follows another one than stands before it.
    case unbound(sequence: Int64)
    /// The code of the row is not the ratchet's, or it has none where there must be one.
    case forged(sequence: Int64)
    /// A signed head that says something else of the row, or is not signed by the vault.
    case checkpoint(sequence: Int64)
    /// Rows that were there when the key store was told of the log's head.
    case truncated(after: Int64, expected: Int64)
    /// The whole vault is an older one.
    case rolledBack(to: Int64, expected: Int64)
    /// Up to this row the log is not the one that the key store was told of.
    case rewritten(sequence: Int64)
    /// The key store has no word of a log that it was told of.
    case checkpointMissing
    /// An archived segment that the log does not name, or that is not what the log says.
    case segment(sequence: Int64)
    /// An archived part whose last row no signed head bears out.
    case unsigned(sequence: Int64)
    /// Reports would not find rows, or would find others, by this index.
    case index(what: String)
    /// The tables are not the ones that the vault made: rows could be swallowed, or be others for each who asks.
    case unguarded(what: String)
    /// The log got a second key that signs its heads, and nobody had accepted it as it stood.
    case keysMadeAgain(sequence: Int64)

    public var description: String {
      switch self {
      case .changed(let sequence): "row \(sequence) was changed"
      case .missing(let sequence): "row \(sequence) was removed"
      case .inserted(let sequence): "row \(sequence) was inserted"
      case .reordered(let sequence, let place): "row \(sequence) was moved; it stands at \(place)"
      case .unbound(let sequence): "row \(sequence) does not follow the one before it: either was put in place of another"
      case .forged(let sequence): "row \(sequence) was not written by the vault"
      case .checkpoint(let sequence): "the signed head at row \(sequence) is not what stands there"
      case .truncated(let last, let expected): "rows \(last + 1) to \(expected) were cut off"
      case .rolledBack(let last, let expected):
        "the database is an old copy: it ends at row \(last), and the key store knows of row \(expected)"
      case .rewritten(let sequence): "the log was rewritten: row \(sequence) is not the one that the key store knows of"
      case .checkpointMissing: "the key store no longer holds the head of the log"
      case .segment(let sequence): "the archived rows that end at \(sequence) are not what the log says of them"
      case .unsigned(let sequence): "its end, row \(sequence), is not signed: rows were cut off, or others wrote it"
      case .index(let what): "the rows are whole, but reports would not find them all: \(what)"
      case .unguarded(let what): "somebody else changed the database's tables: \(what)"
      case .keysMadeAgain(let sequence): "row \(sequence) begins new keys for a log that had some"
      }
    }
  }

  public enum Verdict: Sendable, Hashable {
    case whole(rows: Int64)
    case broken(Fault)
  }

  /// Goes over the whole log and names the first row that is wrong.
  public static func verify(_ reader: VaultReader, against verification: VerificationInput = VerificationInput()) throws
    -> Verdict
  {
    guard let database = reader.database, let vaultId = try reader.vaultId() else { return .whole(rows: 0) }
    return try AuditVerifier(database, vaultId: vaultId, verification, isArchive: reader.isArchive).run()
  }
}

/// What a log is held against, beside itself.
public struct VerificationInput: Sendable {
  /// The head that the key store holds.
  public var anchoredCheckpoint: AuditCheckpoint?
  /// An auditor's copy of the ratchet's key at some row.
  public var key: AuditVerificationKey?
  /// The vault's public key, as an auditor was given it; else the anchor's counts, else the database's own.
  public var publicKey: [UInt8]?

  /// Whether each entry of the indexes is looked at in a log of more than ``maxIndexed`` rows, too.
  public var isThorough = false
  /// So many take a third of a second.
  public static let maxIndexed: Int64 = 100_000

  public init(anchoredCheckpoint: AuditCheckpoint? = nil, key: AuditVerificationKey? = nil, publicKey: [UInt8]? = nil) {
    self.anchoredCheckpoint = anchoredCheckpoint
    self.key = key
    self.publicKey = publicKey
  }
}

/// The ratchet's key at a row, given to an auditor, who can check that row's code and every later one.
public struct AuditVerificationKey: Sendable {
  public let sequence: Int64
  public let key: SecretBytes

  /// - Parameter text: `vault-audit-key-1 SEQUENCE HEX`, as `vault audit key --new` prints it; anything else is nil.
  public init?(text: String) {
    let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
    guard words.count == 3, words[0] == "vault-audit-key-1", let sequence = Int64(words[1]), sequence > 0,
      var key = unhex(words[2], count: 32)
    else { return nil }
    defer { wipe(&key) }
    self.init(sequence: sequence, key: key.withUnsafeBytes { SecretBytes(copying: $0) })
  }

  public init(sequence: Int64, key: SecretBytes) {
    self.sequence = sequence
    self.key = key
  }
}
