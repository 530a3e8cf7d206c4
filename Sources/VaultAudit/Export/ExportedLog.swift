import Glibc
import VaultBytes
import VaultModel
import VaultSecrets

/// A JSON Lines file written by `vault audit export`, checked against itself and against an auditor's key material.
public struct ExportedLog {
  /// The first invalid row, and what is wrong with it.
  public enum Fault: Sendable, Hashable, CustomStringConvertible {
    case unreadable(line: Int, why: String)
    case changed(sequence: Int64)
    /// Missing from the file, though a later row is there.
    case removed(sequence: Int64)
    case moved(sequence: Int64, line: Int)
    /// A duplicate, or a row after one that comes later in the log.
    case inserted(sequence: Int64, line: Int)
    /// The row itself is intact but follows a different one than the row before it.
    case unbound(sequence: Int64)
    case forged(sequence: Int64)
    case head(sequence: Int64)
    /// The checkpoints are signed by another key than the auditor's.
    case signer(sequence: Int64, key: [UInt8])
    case otherVault(sequence: Int64)

    public var description: String {
      switch self {
      case .unreadable(let line, let why): "line \(line) \(why)"
      case .changed(let sequence): "row \(sequence) was changed"
      case .removed(let sequence): "row \(sequence) is missing: it was removed, or excluded by a filter"
      case .moved(let sequence, let line): "row \(sequence) was moved to line \(line)"
      case .inserted(let sequence, let line): "line \(line) was inserted or moved: row \(sequence) does not belong there"
      case .unbound(let sequence): "row \(sequence) does not follow the previous row: one of them was replaced"
      case .forged(let sequence): "row \(sequence) was not written by the vault"
      case .head(let sequence): "the checkpoint at row \(sequence) does not match the row"
      case .signer(let sequence, let key): "the checkpoint at row \(sequence) is signed by another key: \(hex(key))"
      case .otherVault(let sequence): "row \(sequence) belongs to another vault"
      }
    }
  }

  /// The result for a file without an invalid row.
  public struct Proof: Sendable, Hashable {
    public var first: Int64 = 0
    public var last: Int64 = 0
    public var rows: Int64 = 0
    /// Rows between the first and the last that are not in the file: nothing is proven about them.
    public var missing: Int64 = 0
    /// The last row that a signed checkpoint covers, with all rows before it; 0 without a checkpoint.
    public var signedUpTo: Int64 = 0
    /// The key of the signer.
    public var signer: [UInt8]?
    /// Rows whose MAC was verified with an auditor's key.
    public var macs: Int64 = 0
  }

  public enum Verdict: Sendable, Hashable {
    case sound(Proof)
    case broken(Fault)
  }

  /// The maximum number of rows by which an auditor's key is advanced, so that a hostile number cannot use up time.
  static let maxGap: Int64 = 100_000_000

  /// Whether a file is JSON Lines: its first byte, uncompressed, begins an object.
  public static func isOne(_ path: String) -> Bool {
    guard let file = try? LineFile(path) else { return false }
    let first = try? file.next { line in line.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D } == UInt8(ascii: "{") }
    return first == true
  }

  /// Verifies a file and reports the first invalid row.
  ///
  /// - Parameter isPart: rows may be missing, as with a filter.
  public static func verify(_ path: String, against verification: VerificationInput, isPart: Bool) throws -> Verdict {
    var pass = Pass(verification, isPart: isPart)
    let file = try LineFile(path)
    var row = ExportedRow()
    while let fault = try file.next({ line in row.read(line) ?? "" }) {
      if !fault.isEmpty { return .broken(.unreadable(line: file.number, why: fault)) }
      guard let found = pass.fault(in: &row, line: file.number) else { continue }
      if case .removed(let sequence) = found { return .broken(try moved(sequence, file: file, row: &row) ?? found) }
      return .broken(found)
    }
    return .sound(pass.proof)
  }

  /// A missing row may appear later in the file.
  private static func moved(_ sequence: Int64, file: LineFile, row: inout ExportedRow) throws -> Fault? {
    while let isIt = try file.next({ line in row.read(line) == nil && row.sequence == sequence }) {
      if isIt { return .moved(sequence: sequence, line: file.number) }
    }
    return nil
  }

  /// The state between two rows.
  private struct Pass {
    private let isPart: Bool
    private let publicKey: [UInt8]?
    private var ratchet: Ratchet?
    private var hash = [UInt8](repeating: 0, count: 32)
    private var computed = [UInt8](repeating: 0, count: 32)
    private var vaultId: String?
    /// The hash before the first row of the log, from that row, if it is in the file.
    private var root: [UInt8]?
    private var firstWithout: Int64?
    private var hasSeenMAC = false
    private(set) var proof = Proof()

    init(_ verification: VerificationInput, isPart: Bool) {
      self.isPart = isPart
      publicKey = verification.publicKey
      ratchet = verification.key.map { Ratchet(key: $0.key, number: $0.sequence) }
    }

    mutating func fault(in row: inout ExportedRow, line: Int) -> Fault? {
      let sequence = row.sequence
      guard sequence > 0 else { return .unreadable(line: line, why: "has no row number") }
      if proof.rows > 0, sequence <= proof.last { return .inserted(sequence: sequence, line: line) }
      let follows = proof.rows > 0 && sequence == proof.last + 1
      if proof.rows > 0, !follows, !isPart { return .removed(sequence: proof.last + 1) }
      if follows {
        if let stated = row.previousHash, !Self.isSame(stated, hash) { return .unbound(sequence: sequence) }
        guard hash.withUnsafeBytes({ row.computeHash(after: $0, into: &computed) }) else { return .changed(sequence: sequence) }
      } else {
        // The next row contains the hash of a row that was left out of the file; a row without it was removed.
        guard let stated = row.previousHash else {
          return sequence > 1 ? .removed(sequence: sequence - 1) : .changed(sequence: 1)
        }
        if sequence == 1 { root = Array(stated) }
        guard row.computeHash(after: stated, into: &computed) else { return .changed(sequence: sequence) }
      }
      guard Self.isSame(row.hash, computed) else { return .changed(sequence: sequence) }
      if proof.rows == 0 { proof.first = sequence }
      proof.missing += follows || proof.rows == 0 ? 0 : sequence - proof.last - 1
      proof.last = sequence
      proof.rows += 1
      swap(&hash, &computed)
      return macFault(row) ?? checkpointFault(row)
    }

    private static func isSame(_ stated: UnsafeRawBufferPointer, _ hash: [UInt8]) -> Bool {
      guard let start = stated.baseAddress, stated.count == hash.count else { return false }
      return memcmp(start, hash, hash.count) == 0
    }

    /// MACs have no gaps except at the end.
    private mutating func macFault(_ row: borrowing ExportedRow) -> Fault? {
      let stated = row.mac
      if stated == nil {
        if hasSeenMAC, firstWithout == nil { firstWithout = row.sequence }
      } else {
        if let firstWithout { return .forged(sequence: firstWithout) }
        hasSeenMAC = true
      }
      guard let ratchet, ratchet.number <= row.sequence, row.sequence - ratchet.number < ExportedLog.maxGap else {
        return nil
      }
      while ratchet.number < row.sequence { ratchet.skip() }
      let expected = ratchet.mac(hash)
      guard let stated else { return nil }
      guard Self.isSame(stated, expected) else { return .forged(sequence: row.sequence) }
      proof.macs += 1
      return nil
    }

    private mutating func checkpointFault(_ row: borrowing ExportedRow) -> Fault? {
      guard row.claimsCheckpoint else { return nil }
      guard let (head, vault) = row.checkpoint, head.isSigned(by: head.publicKey, vaultId: vault) else {
        return .head(sequence: row.sequence)
      }
      guard head.publicKey == publicKey ?? proof.signer ?? head.publicKey else {
        return .signer(sequence: row.sequence, key: head.publicKey)
      }
      guard vault == vaultId ?? vault, root.map({ $0 == AuditChain.root(vaultId: vault) }) ?? true else {
        return .otherVault(sequence: row.sequence)
      }
      // A checkpoint is signed only once every row has its MAC.
      guard row.mac != nil, firstWithout == nil else { return .forged(sequence: firstWithout ?? row.sequence) }
      vaultId = vault
      proof.signer = head.publicKey
      // After a gap, a checkpoint proves its own row and those since the gap.
      proof.signedUpTo = row.sequence
      return nil
    }
  }
}
