import VaultDatabase
import VaultModel
import VaultSecrets

/// The state of a pass over rows of the audit log between two rows.
struct VerificationPass: ~Copyable {
  /// The last row that the key store knows of; 0 if it knows of none.
  private let anchored: Int64
  private let anchoredCheckpoint: AuditCheckpoint?
  /// The signed checkpoints of the rows to come.
  let checkpoints: [AuditCheckpoint]
  private var nextCheckpoint = 0
  /// The row of the next checkpoint to check, signed or anchored.
  private var nextHead: Int64 = 0
  private var ratchet: Ratchet?
  private var form: CanonicalRow
  /// The number of the last valid row; after a fault, that of the invalid row.
  private(set) var sequence: Int64
  /// The hash of the last valid row, and the one computed for the next.
  private(set) var hash: [UInt8]
  private var computed = [UInt8](repeating: 0, count: 32)
  private(set) var lastTime: Int64
  /// The first row that has a MAC, and the first after it that has none.
  private(set) var firstWith: Int64?
  private(set) var firstWithout: Int64?

  /// - Parameters:
  ///   - proven: the rows before.
  ///   - checkpoints: in order of their rows.
  init(after proven: VerifiedRange, verification: VerificationInput, checkpoints: [AuditCheckpoint], table: AuditTable = .current)
  {
    form = CanonicalRow(table)
    anchoredCheckpoint = verification.anchoredCheckpoint
    anchored = verification.anchoredCheckpoint?.sequence ?? 0
    sequence = proven.end.sequence
    hash = proven.end.hash
    (lastTime, firstWith, firstWithout) = (proven.lastTime, proven.firstWith, proven.firstWithout)
    self.checkpoints = checkpoints.filter { $0.sequence > proven.end.sequence }
    ratchet = verification.key.map { Ratchet(key: $0.key, number: $0.sequence) }
    nextHead = headAhead
  }

  /// Checks the next row, of ``AuditTable/selection(at:)``.
  ///
  /// - Returns: what is wrong with it.
  mutating func check(_ row: Statement) -> AuditChain.Fault? {
    sequence += 1
    guard row.int(AuditField.sequence.rawValue) == sequence else { return .missing(sequence: sequence) }
    // By the hash that the row itself names: one that was put in place of another is told from one that was changed.
    guard row.withBlob(AuditField.previousHash.rawValue, { form.put(row, after: $0) }) else {
      return .changed(sequence: sequence)
    }
    form.hash(into: &computed)
    guard row.withBlob(AuditField.hash.rawValue, { $0.elementsEqual(computed) }) else { return .changed(sequence: sequence) }
    guard row.withBlob(AuditField.previousHash.rawValue, { $0.elementsEqual(hash) }) else { return .unbound(sequence: sequence) }
    swap(&hash, &computed)
    lastTime = row.int(AuditField.time.rawValue)
    if let fault = macFault(row) { return fault }
    return sequence < nextHead ? nil : checkpointFault()
  }

  /// MACs have no gaps: only rows written since the last unlock may lack one.
  private mutating func macFault(_ row: Statement) -> AuditChain.Fault? {
    let lacksMAC = row.isNull(AuditField.mac.rawValue)
    if lacksMAC {
      // A checkpoint is anchored in the key store only once every row has its MAC.
      if sequence <= anchored { return .forged(sequence: sequence) }
      if firstWith != nil, firstWithout == nil { firstWithout = sequence }
    } else {
      if let firstWithout { return .forged(sequence: firstWithout) }
      firstWith = firstWith ?? sequence
    }
    guard let ratchet, ratchet.number <= sequence else { return nil }
    while ratchet.number < sequence { ratchet.skip() }
    let expected = ratchet.mac(hash)
    return lacksMAC || row.withBlob(AuditField.mac.rawValue) { $0.elementsEqual(expected) } ? nil : .forged(sequence: sequence)
  }

  private var headAhead: Int64 {
    let signed = nextCheckpoint < checkpoints.count ? checkpoints[nextCheckpoint].sequence : Int64.max
    return anchored > sequence ? min(signed, anchored) : signed
  }

  private mutating func checkpointFault() -> AuditChain.Fault? {
    if nextCheckpoint < checkpoints.count, checkpoints[nextCheckpoint].sequence == sequence {
      guard checkpoints[nextCheckpoint].hash == hash else { return .checkpoint(sequence: sequence) }
      nextCheckpoint += 1
    }
    if let anchoredCheckpoint, anchoredCheckpoint.sequence == sequence, anchoredCheckpoint.hash != hash {
      return .rewritten(sequence: sequence)
    }
    nextHead = headAhead
    return nil
  }
}
