import VaultAudit
import VaultModel

/// Some thousand rows to be shipped, with one array per column.
struct Shipment {
  /// The rows and bytes of one transaction.
  static let maxBytes = 8 << 20

  private let columns: EventColumns
  private(set) var arrays: [BinaryArray]
  private(set) var count = 0
  private var bytes = 0
  private var fields = CanonicalRowFields()
  /// The last row of the shipment.
  private(set) var end: ChainPosition
  let start: ChainPosition

  init(after place: ChainPosition, columns: EventColumns) {
    let own: [BinaryArray.Element] = [.number, .bytes, .bytes, .bytes, .bytes]
    arrays = (own + columns.all.map { $0.isTime ? .time : .text }).map { BinaryArray($0) }
    self.columns = columns
    start = place
    end = place
  }

  var isFull: Bool { bytes >= Self.maxBytes }

  /// - Throws: if the row is longer than any the vault writes, or the server's tables have no place for what it says.
  mutating func add(_ row: CanonicalRowHash) throws {
    guard fields.read(row.form) else {
      throw Failure(
        "row \(row.sequence) is longer than the server accepts (\(row.form.count) bytes)", hint: "`vault audit verify`",
        exitStatus: .badData)
    }
    // Added later without them, the columns would contradict the row.
    guard columns.hasAutomation || fields[.run] == .none else {
      throw Failure(
        "row \(row.sequence) belongs to an automation run, for which the server's tables have no column: they are from an earlier version",
        hint: "their owner updates them: `vault audit ship --print-schema | psql --single-transaction -v ON_ERROR_STOP=1 URL`",
        exitStatus: .configuration)
    }
    arrays[0].append(row.sequence)
    arrays[1].append(row.hash)
    arrays[2].append(row.previousHash)
    arrays[3].append(row.mac)
    arrays[4].append(row.form)
    columns.append(fields, of: row.form, to: &arrays, from: 5)
    count += 1
    bytes += row.form.count
    end = ChainPosition(sequence: row.sequence, hash: row.hash)
  }

  /// One statement, and so one transaction: the checkpoints of these rows, and the rows. The server checks row by row that each
  /// follows the one before.
  static func sql(_ all: EventColumns) -> String {
    let own = [("s", "bigint"), ("h", "bytea"), ("p", "bytea"), ("m", "bytea"), ("f", "bytea")]
    let columns = all.all.enumerated().map { ("c\($0.offset)", $0.element.isTime ? "timestamptz" : "text") }
    func unnest(_ arrays: [(name: String, type: String)], from first: Int) -> String {
      let values = arrays.enumerated().map { "$\(first + $0.offset)::\($0.element.type)[]" }
      return "unnest(\(values.joined(separator: ", "))) AS r (\(arrays.map(\.name).joined(separator: ", ")))"
    }
    let heads = [("s", "bigint"), ("h", "bytea"), ("t", "bigint"), ("k", "bytea"), ("g", "bytea")]
    return """
      WITH heads AS (INSERT INTO vault_audit.audit_checkpoint (vault_id, sequence, hash, signed_at, public_key, signature) \
      SELECT $1, r.s, r.h, r.t, r.k, r.g FROM \(unnest(heads, from: 2 + own.count + columns.count)) ON CONFLICT DO NOTHING) \
      INSERT INTO vault_audit.audit_event (vault_id, sequence, hash, previous_sequence, previous_hash, mac, form, \(all.names)) \
      SELECT $1, r.s, r.h, r.s - 1, r.p, r.m, r.f, \(columns.map { "r." + $0.0 }.joined(separator: ", ")) \
      FROM \(unnest(own + columns, from: 2))
      """
  }
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
