import VaultBytes
import VaultSecrets

/// Rows of the audit log being verified: what each states about itself, and the forms that are hashed.
///
/// Each row names the hash that it follows, so many hashes can be computed side by side and compared afterwards.
struct VerificationBatch: ~Copyable {
  /// The 32 bytes of a hash, in place.
  typealias Hash = SIMD4<UInt64>

  struct Row {
    let sequence: Int64
    let time: Int64
    /// The row's previous hash, its own hash and its MAC; nil unless there are 32 bytes.
    let previous: Hash?
    let hash: Hash?
    let code: Hash?
    let lacksMAC: Bool
    /// False if a column holds a value that no version of the vault writes.
    let hasForm: Bool
    /// The hash that it should have.
    fileprivate(set) var computed = Hash()
  }

  /// The columns of ``AuditRows/columns`` that are read besides the form.
  private enum Column { static let (sequence, time, hash, previous, code) = (0, 2, 33, 34, 35) }
  private static let size = 64
  /// A batch has fewer rows if they are large: a hostile file may make them megabytes.
  private static let memory = 1 << 20

  private(set) var rows: [Row] = []
  private var forms = ByteBuffer()
  private var lengths: [Int] = []
  private var digests = [Hash](repeating: Hash(), count: size)

  init() {
    rows.reserveCapacity(Self.size)
    lengths.reserveCapacity(Self.size)
  }

  var isFull: Bool { rows.count == Self.size || forms.count >= Self.memory }

  mutating func removeAll() {
    rows.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    forms.removeAll()
  }

  mutating func add(_ row: VisitedRow) {
    let start = forms.count
    let previous = row.withBlob(Column.previous) { claimed in
      forms.append(claimed)
      return Self.hash(claimed)
    }
    forms.append(CanonicalRow.version)
    let hasForm = row.appendForm(columns: CanonicalRow.count, to: &forms)
    let length = forms.count - start
    lengths.append(length)
    forms.pad(to: start + ManyHashes.room(of: length))
    rows.append(
      Row(
        sequence: row.int(Column.sequence), time: row.int(Column.time), previous: previous,
        hash: row.withBlob(Column.hash, Self.hash), code: row.withBlob(Column.code, Self.hash),
        lacksMAC: row.isNull(Column.code), hasForm: hasForm))
  }

  mutating func computeHashes() {
    digests.withUnsafeMutableBytes { digests in
      ManyHashes.blake2b256(
        forms.bytes, lengths: lengths, into: UnsafeMutableRawBufferPointer(rebasing: digests[..<(32 * lengths.count)]))
    }
    for number in rows.indices { rows[number].computed = digests[number] }
  }

  @inline(__always)
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> Hash? {
    bytes.count == 32 ? bytes.loadUnaligned(as: Hash.self) : nil
  }
}

extension VerificationBatch.Hash {
  /// - Parameter bytes: 32 bytes.
  init(bytes: [UInt8]) {
    precondition(bytes.count == 32)
    self = bytes.withUnsafeBytes { $0.loadUnaligned(as: Self.self) }
  }

  var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}
