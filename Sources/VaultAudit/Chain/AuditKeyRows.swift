import VaultBytes
import VaultDatabase
import VaultModel

/// The tables beside the audit log: its keys, signed checkpoints and archived segments.
public enum AuditKeyRows {
  /// A sealed key of the log.
  public struct SealedKey: Sendable {
    public var name: String
    public var sequence: Int64
    public var first: Int64
    public var publicKey: [UInt8]
    public var isAnchored: Bool
    public var keyId: [UInt8]
    public var createdAt: Timestamp
    public var envelope: [UInt8]

    public init(
      name: String, sequence: Int64, first: Int64, publicKey: [UInt8], isAnchored: Bool, keyId: [UInt8], createdAt: Timestamp,
      envelope: [UInt8]
    ) {
      self.name = name
      self.sequence = sequence
      self.first = first
      self.publicKey = publicKey
      self.isAnchored = isAnchored
      self.keyId = keyId
      self.createdAt = createdAt
      self.envelope = envelope
    }
  }

  public static func keys(in database: Database) throws -> [SealedKey] {
    try database.statement("SELECT name, sequence, first, public_key, is_anchored, key_id, created_at, envelope FROM audit_key")
      .begin().rows {
        SealedKey(
          name: $0.text(0), sequence: $0.int(1), first: $0.int(2), publicKey: $0.blob(3), isAnchored: $0.int(4) != 0,
          keyId: $0.blob(5), createdAt: Timestamp(milliseconds: $0.int(6)), envelope: $0.blob(7))
      }
  }

  public static func put(_ key: SealedKey, into database: Database) throws {
    try database.statement(
      """
      INSERT INTO audit_key (name, sequence, first, public_key, is_anchored, key_id, created_at, envelope) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
      ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence, first = excluded.first, public_key = excluded.public_key, \
      is_anchored = excluded.is_anchored, key_id = excluded.key_id, created_at = excluded.created_at, envelope = excluded.envelope
      """
    ).begin().bind(key.name).bind(key.sequence).bind(key.first).bind(key.publicKey).bind(key.isAnchored ? 1 : 0).bind(key.keyId)
      .bind(key.createdAt.milliseconds).bind(key.envelope).runOnce()
  }

  /// The checkpoint signing key, as the database has it; trusted only if no better source is known.
  public static func publicKey(in database: Database) throws -> [UInt8]? {
    try database.prepare("SELECT public_key FROM audit_key WHERE name = 'signing'").begin().first { $0.blob(0) }
  }

  /// The key of the newest checkpoint, for an archive, which holds no keys.
  public static func newestSigner(in database: Database) throws -> [UInt8]? {
    try database.prepare("SELECT public_key FROM audit_checkpoint ORDER BY sequence DESC LIMIT 1").begin().first { $0.blob(0) }
  }

  public static func checkpoints(in database: Database) throws -> [AuditCheckpoint] {
    try database.prepare("SELECT sequence, hash, signed_at, public_key, signature FROM audit_checkpoint ORDER BY sequence")
      .begin().rows {
        AuditCheckpoint(
          sequence: $0.int(0), hash: $0.blob(1), signedAt: Timestamp(milliseconds: $0.int(2)), publicKey: $0.blob(3),
          signature: $0.blob(4))
      }
  }

  public static func put(_ checkpoint: AuditCheckpoint, into database: Database) throws {
    try database.statement(
      "INSERT OR IGNORE INTO audit_checkpoint (sequence, hash, signed_at, public_key, signature) VALUES (?, ?, ?, ?, ?)"
    ).begin().bind(checkpoint.sequence).bind(checkpoint.hash).bind(checkpoint.signedAt.milliseconds).bind(checkpoint.publicKey)
      .bind(checkpoint.signature).run()
  }

  /// Rows that are in a file and no longer in the table.
  public struct Segment: Sendable, Hashable {
    public var first: Int64
    public var last: Int64
    public var firstPrevious: [UInt8]
    public var lastHash: [UInt8]
    public var archivedAt: Timestamp
    public var file: String
    /// BLAKE2b-256 of the file.
    public var digest: [UInt8]

    /// The beginning of the `AuditArchived` row that announces it.
    public var announcement: String { "rows \(first) to \(last), digest \(hex(digest))" }

    public init(
      first: Int64, last: Int64, firstPrevious: [UInt8], lastHash: [UInt8], archivedAt: Timestamp, file: String, digest: [UInt8]
    ) {
      self.first = first
      self.last = last
      self.firstPrevious = firstPrevious
      self.lastHash = lastHash
      self.archivedAt = archivedAt
      self.file = file
      self.digest = digest
    }
  }

  public static func segments(in database: Database) throws -> [Segment] {
    try database.prepare(
      "SELECT first_sequence, last_sequence, first_previous, last_hash, archived_at, file, digest FROM audit_segment ORDER BY 1"
    ).begin().rows {
      Segment(
        first: $0.int(0), last: $0.int(1), firstPrevious: $0.blob(2), lastHash: $0.blob(3),
        archivedAt: Timestamp(milliseconds: $0.int(4)), file: $0.text(5), digest: $0.blob(6))
    }
  }

  public static func put(_ segment: Segment, into database: Database) throws {
    try database.statement(
      """
      INSERT INTO audit_segment (first_sequence, last_sequence, first_previous, last_hash, archived_at, file, digest) \
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """
    ).begin().bind(segment.first).bind(segment.last).bind(segment.firstPrevious).bind(segment.lastHash)
      .bind(segment.archivedAt.milliseconds).bind(segment.file).bind(segment.digest).runOnce()
  }
}
