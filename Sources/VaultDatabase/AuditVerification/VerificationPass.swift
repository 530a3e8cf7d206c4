import VaultModel
import VaultSecrets

/// The state of a pass over the audit log between two rows, and the first fault found.
final class VerificationPass: RowVisitor {
  /// The last row that the key store knows of; 0 if it knows of none.
  private let anchored: Int64
  private let anchoredCheckpoint: AuditCheckpoint?
  let checkpoints: [AuditCheckpoint]
  private var nextCheckpoint = 0
  /// The row of the next checkpoint to check, signed or anchored.
  private var nextHead: Int64
  private var ratchet: Ratchet?
  private var batch = VerificationBatch()
  /// The number of the last valid row; after a fault, that of the invalid row.
  private(set) var sequence: Int64
  private var last: VerificationBatch.Hash
  private(set) var lastTime: Int64 = 0
  /// The first row without a MAC after one that has one.
  private var firstWithout: Int64?
  private var hasSeenMAC = false
  private(set) var fault: AuditChain.Fault?

  /// The hash of the last valid row.
  var hash: [UInt8] { last.bytes }

  /// - Parameter checkpoints: those after `start`, in order.
  init(start: (sequence: Int64, hash: [UInt8]), verification: VerificationInput, checkpoints: [AuditCheckpoint]) {
    anchoredCheckpoint = verification.anchoredCheckpoint
    anchored = verification.anchoredCheckpoint?.sequence ?? 0
    self.checkpoints = checkpoints
    nextHead = 0
    sequence = start.sequence
    last = VerificationBatch.Hash(bytes: start.hash)
    super.init()
    nextHead = headAhead
    if let key = verification.key {
      let ratchet = Ratchet(key: key.key, number: key.sequence)
      while ratchet.number <= start.sequence { ratchet.skip() }
      self.ratchet = ratchet
    }
  }

  override func visit(_ row: VisitedRow) -> Bool {
    batch.add(row)
    if batch.isFull { finish() }
    return fault == nil
  }

  /// Checks the remaining rows.
  func finish() {
    guard fault == nil else { return }
    batch.computeHashes()
    for row in batch.rows {
      fault = fault(in: row)
      if fault != nil { break }
    }
    batch.removeAll()
  }

  private func fault(in row: VerificationBatch.Row) -> AuditChain.Fault? {
    sequence += 1
    guard row.sequence == sequence else { return .missing(sequence: sequence) }
    guard row.hasForm, row.computed == row.hash else { return .changed(sequence: sequence) }
    guard row.previous == last else { return .unbound(sequence: sequence) }
    last = row.computed
    lastTime = row.time
    if let fault = macFault(row) { return fault }
    return sequence < nextHead ? nil : checkpointFault()
  }

  /// MACs have no gaps: only rows written since the last unlock may lack one.
  private func macFault(_ row: VerificationBatch.Row) -> AuditChain.Fault? {
    if row.lacksMAC {
      // A checkpoint is anchored in the key store only once every row has its MAC.
      if sequence <= anchored { return .forged(sequence: sequence) }
      if hasSeenMAC, firstWithout == nil { firstWithout = sequence }
    } else {
      if let firstWithout { return .forged(sequence: firstWithout) }
      hasSeenMAC = true
    }
    guard let ratchet, ratchet.number == sequence else { return nil }
    let expected = ratchet.mac(hash)
    return row.lacksMAC || row.code == VerificationBatch.Hash(bytes: expected) ? nil : .forged(sequence: sequence)
  }

  private var headAhead: Int64 {
    let signed = nextCheckpoint < checkpoints.count ? checkpoints[nextCheckpoint].sequence : Int64.max
    return anchored > sequence ? min(signed, anchored) : signed
  }

  private func checkpointFault() -> AuditChain.Fault? {
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
