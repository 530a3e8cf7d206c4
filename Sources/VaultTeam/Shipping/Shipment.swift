import VaultAudit
import VaultModel

/// Some thousand rows to be shipped, with one array per column.
struct Shipment {
  /// The rows and bytes of one transaction.
  static let maxBytes = 8 << 20

  private(set) var arrays: [BinaryArray] = {
    let own: [BinaryArray.Element] = [.number, .bytes, .bytes, .bytes, .bytes]
    return (own + EventColumns.all.map { $0.isTime ? .time : .text }).map { BinaryArray($0) }
  }()
  private(set) var count = 0
  private var bytes = 0
  private var fields = CanonicalRowFields()
  /// The last row of the shipment.
  private(set) var end: ChainPosition
  let start: ChainPosition

  init(after place: ChainPosition) {
    start = place
    end = place
  }

  var isFull: Bool { bytes >= Self.maxBytes }

  /// - Throws: if the row is longer than any the vault writes.
  mutating func add(_ row: CanonicalRowHash) throws {
    guard fields.read(row.form) else {
      throw Failure(
        "row \(row.sequence) is longer than the server takes (\(row.form.count) bytes)", hint: "`vault audit verify`",
        exitStatus: .badData)
    }
    arrays[0].append(row.sequence)
    arrays[1].append(row.hash)
    arrays[2].append(row.previousHash)
    arrays[3].append(row.mac)
    arrays[4].append(row.form)
    EventColumns.append(fields, of: row.form, to: &arrays, from: 5)
    count += 1
    bytes += row.form.count
    end = ChainPosition(sequence: row.sequence, hash: row.hash)
  }

  /// One statement, and so one transaction: the checkpoints of these rows, and the rows. The server checks row by row that each
  /// follows the one before.
  static let sql: StaticString = """
    WITH heads AS (INSERT INTO vault_audit.audit_checkpoint (vault_id, sequence, hash, signed_at, public_key, signature) \
    SELECT $1, r.s, r.h, r.t, r.k, r.g FROM unnest($27::bigint[], $28::bytea[], $29::bigint[], $30::bytea[], $31::bytea[]) \
    AS r (s, h, t, k, g) ON CONFLICT DO NOTHING) \
    INSERT INTO vault_audit.audit_event (vault_id, sequence, hash, previous_sequence, previous_hash, mac, form, \
    "time", id, action, outcome, cause, profile, role_arn, role_session_name, source_identity, source_access_key_id, access_key_id, \
    issued_at, expires_at, request_id, error, session_id, intent_id, user_name, program, host) \
    SELECT $1, r.s, r.h, r.s - 1, r.p, r.m, r.f, r.c1, r.c2, r.c3, r.c4, r.c5, r.c6, r.c7, r.c8, r.c9, r.c10, r.c11, r.c12, r.c13, r.c14, \
    r.c15, r.c16, r.c17, r.c18, r.c19, r.c20 \
    FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::timestamptz[], $8::text[], $9::text[], $10::text[], \
    $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::timestamptz[], $19::timestamptz[], \
    $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[]) \
    AS r (s, h, p, m, f, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20)
    """
}

/// Checkpoints to be shipped, with one array per column.
struct HeadColumns {
  let arrays: [BinaryArray]

  /// The checkpoints of the rows after `first` through `last`.
  init(_ checkpoints: [AuditCheckpoint], behind first: Int64, through last: Int64) {
    var sequences = BinaryArray(.number), hashes = BinaryArray(.bytes), times = BinaryArray(.number)
    var keys = BinaryArray(.bytes), signatures = BinaryArray(.bytes)
    for head in checkpoints where head.sequence > first && head.sequence <= last {
      sequences.append(head.sequence)
      hashes.append(head.hash)
      times.append(head.signedAt.milliseconds)
      keys.append(head.publicKey)
      signatures.append(head.signature)
    }
    arrays = [sequences, hashes, times, keys, signatures]
  }
}
