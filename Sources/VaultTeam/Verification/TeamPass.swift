import VaultAudit
import VaultModel
import VaultSecrets

/// The state between two rows of a laptop's log on the server. Its size stays bounded, whatever the server sends.
struct TeamPass {
  /// No log reaches this number; a larger one is an attempt to make sums overflow.
  static let lastNumber: Int64 = 1 << 53
  /// How many rows an auditor's key may be advanced at once; this takes some seconds.
  static let maxGap: Int64 = 10_000_000
  /// How many gaps, and log entries about them, are remembered.
  static let maxGaps = 10_000
  /// Checkpoints per row. A vault signs a row once; a few more come from clients that did not know of each other.
  static let maxCheckpoints = 4
  /// Milliseconds by which a laptop's clock may be ahead of the server's.
  static let clockSkew: Int64 = 5 * 60_000

  private let vaultId: String
  let columns: EventColumns
  private var signer: [UInt8]?
  /// One page of the checkpoints ahead, in order.
  private var checkpoints: [AuditCheckpoint] = []
  private var nextHead = 0
  private var checkpointsOfRow = 0
  private var ratchet: Ratchet?
  private var fields = CanonicalRowFields()
  private var message: [UInt8] = []
  /// Archived rows that were never shipped, each range from `after` (exclusive) to `last`.
  private var gaps: [(after: Int64, last: Int64)] = []
  /// The ranges that rows of the log report as archived.
  private var announced: [(first: Int64, last: Int64)] = []
  private var hasRoot: Bool
  private(set) var place: ChainPosition
  private(set) var rows: Int64
  private(set) var archived: Int64
  /// The last row confirmed by a checkpoint, and the counts up to it.
  private(set) var signed: (place: ChainPosition, rows: Int64, archived: Int64)?
  /// The number of rows that are dated after they were received, and the first of them.
  private(set) var ahead: (count: Int64, first: Int64) = (0, 0)
  /// The key that signed the checkpoints; nil if there was no checkpoint and no key was given.
  var key: [UInt8]? { signer }
  /// Whether the log's root row is still to come.
  var isAtRoot: Bool { !hasRoot }

  /// - Parameters:
  ///   - signer: the key whose checkpoints count; nil to take the first checkpoint's.
  ///   - known: how far the log was verified before; nil to begin with its root.
  ///   - columns: those of the server's table.
  init(vaultId: String, signer: [UInt8]?, key: AuditVerificationKey?, known: VerifiedLogs.Entry?, columns: EventColumns) {
    self.vaultId = vaultId
    self.columns = columns
    self.signer = signer
    ratchet = key.map { Ratchet(key: $0.key, number: $0.sequence) }
    hasRoot = known != nil
    place = known?.place ?? ChainPosition(sequence: 0, hash: AuditChain.root(vaultId: vaultId))
    rows = known?.rows ?? 0
    archived = known?.archived ?? 0
    if known != nil { signed = (place, rows, archived) }
  }

  // MARK: heads

  /// Adds the next page of checkpoints, each after those before it.
  mutating func add(_ page: [AuditCheckpoint]) -> String? {
    checkpoints.removeFirst(nextHead)
    nextHead = 0
    for head in page {
      signer = signer ?? head.publicKey
      guard signer.map({ head.isSigned(by: $0, vaultId: vaultId) }) ?? false, (1...Self.lastNumber).contains(head.sequence) else {
        return text(.checkpoint(sequence: head.sequence))
      }
      checkpointsOfRow = checkpoints.last?.sequence ?? place.sequence == head.sequence ? checkpointsOfRow + 1 : 1
      guard checkpointsOfRow <= Self.maxCheckpoints else {
        return "row \(head.sequence) has more checkpoints than a vault writes"
      }
      checkpoints.append(head)
    }
    return checkpointFault()
  }

  private mutating func checkpointFault() -> String? {
    while nextHead < checkpoints.count, checkpoints[nextHead].sequence <= place.sequence {
      let head = checkpoints[nextHead]
      guard head.sequence == place.sequence ? head.hash == place.hash : isInGap(head.sequence) else {
        return text(.checkpoint(sequence: head.sequence))
      }
      if head.sequence == place.sequence { signed = (place, rows, archived) }
      nextHead += 1
    }
    return nil
  }

  private func isInGap(_ sequence: Int64) -> Bool { gaps.last.map { $0.after < sequence && sequence < $0.last } ?? false }

  // MARK: rows

  /// The fault in the row, in words.
  mutating func fault(in row: ServerRow) throws -> String? {
    guard let sequence = try row.number(0), let hash = row.bytes(1) else { throw ServerError.senseless }
    guard hasRoot else {
      hasRoot = sequence == 0 && hash == place.hash
      return hasRoot ? nil : "it does not begin with the root of this vault's log"
    }
    guard sequence <= Self.lastNumber else { return "it has a row numbered \(sequence), which is beyond any log" }
    guard let before = try row.number(2), let previous = row.bytes(3) else { return text(.unbound(sequence: sequence)) }
    guard row.withBytes(5, { $0 != nil }) else { return gap(sequence, hash: hash, after: before, previous: previous) }
    guard sequence == place.sequence + 1 else { return text(.missing(sequence: place.sequence + 1)) }
    let fault = try row.withBytes(5) { form in
      try form.map { try self.fault(in: row, form: $0, hash: hash, previous: previous) } ?? nil
    }
    if let fault { return fault }
    place = ChainPosition(sequence: sequence, hash: hash)
    rows += 1
    return macFault(row) ?? checkpointFault()
  }

  private mutating func fault(in row: ServerRow, form: UnsafeRawBufferPointer, hash: [UInt8], previous: [UInt8]) throws
    -> String?
  {
    let next = place.sequence + 1
    guard form.count <= CanonicalRowFields.maxLength else { return text(.changed(sequence: next)) }
    message.removeAll(keepingCapacity: true)
    message.append(contentsOf: previous)
    message.append(contentsOf: form)
    var digest = [UInt8](repeating: 0, count: 32)
    message.withUnsafeBytes { message in digest.withUnsafeMutableBytes { blake2b256(message, into: $0) } }
    guard digest == hash, fields.read(form), fields.number(.sequence) == next else { return text(.changed(sequence: next)) }
    guard previous == place.hash else { return text(.unbound(sequence: next)) }
    guard try columns.agree(row, from: 7, fields, of: form) else {
      return "the columns of row \(next) contradict its canonical row"
    }
    // Both as the server counts: microseconds.
    if let received = try row.number(6), let time = fields.number(.time).map(EventColumns.time),
      time > received.addingReportingOverflow(Self.clockSkew * 1_000).partialValue
    {
      ahead = (ahead.count + 1, ahead.count == 0 ? next : ahead.first)
    }
    if fields.text(.action, of: form) == AuditAction.auditArchived.rawValue, let detail = fields.text(.detail, of: form) {
      return recordArchive(detail)
    }
    return nil
  }

  /// `rows 1 to 100, digest …`
  private mutating func recordArchive(_ detail: String) -> String? {
    let words = detail.prefix(80).split(separator: " ")
    guard words.count > 3, words[0] == "rows", words[2] == "to", let first = Int64(words[1]),
      let last = Int64(words[3].dropLast()), (1...Self.lastNumber).contains(first), (first...Self.lastNumber).contains(last)
    else { return nil }
    guard announced.count < Self.maxGaps else { return "it announces more than \(Self.maxGaps) archives" }
    announced.append((first, last))
    return nil
  }

  /// Rows that were archived before they were shipped: a checkpoint must confirm where they end.
  private mutating func gap(_ sequence: Int64, hash: [UInt8], after before: Int64, previous: [UInt8]) -> String? {
    guard before == place.sequence, previous == place.hash, sequence > before else { return text(.unbound(sequence: sequence)) }
    guard checkpoints[nextHead...].contains(where: { $0.sequence == sequence && $0.hash == hash }) else {
      return text(.segment(sequence: sequence))
    }
    guard gaps.count < Self.maxGaps else { return "it has more than \(Self.maxGaps) archives" }
    gaps.append((before, sequence))
    archived += sequence - before
    place = ChainPosition(sequence: sequence, hash: hash)
    return checkpointFault()
  }

  private mutating func macFault(_ row: ServerRow) -> String? {
    guard let stated = row.bytes(4), stated.count == 32 else { return text(.forged(sequence: place.sequence)) }
    guard let ratchet, ratchet.number <= place.sequence else { return nil }
    guard place.sequence - ratchet.number <= Self.maxGap else {
      return "an auditor's key cannot be advanced as far as from row \(ratchet.number) to row \(place.sequence)"
    }
    while ratchet.number < place.sequence { ratchet.skip() }
    return ratchet.mac(place.hash) == stated ? nil : text(.forged(sequence: place.sequence))
  }

  /// The fault at the end of the rows that these checkpoints cover.
  func end() -> String? {
    guard hasRoot else { return "it has no rows" }
    if let later = checkpoints.last, later.sequence > place.sequence {
      return text(.truncated(after: place.sequence, expected: later.sequence))
    }
    return nil
  }

  /// The fault in the log's archives, after all of the log was read.
  func archiveFault() -> String? {
    // The row that reports an archive may itself have been archived, together with the rows after the archive.
    let words = Dictionary(announced.map { ($0.last, $0.first) }) { min($0, $1) }
    let starts = Set(announced.map(\.first))
    let bare = gaps.indices.first { number in
      let gap = gaps[number]
      let isFollowed = number + 1 < gaps.count && gaps[number + 1].after == gap.last
      return !isFollowed && !(words[gap.last].map { $0 <= gap.after + 1 } ?? false) && !starts.contains(gap.last + 1)
    }
    return bare.map { text(.segment(sequence: gaps[$0].last)) }
  }

  private func text(_ fault: AuditChain.Fault) -> String { fault.description }
}
