import VaultDatabase
import VaultModel
import VaultSecrets

/// The state between two rows of a laptop's log on the server.
struct TeamPass {
  private let vaultId: String
  private let heads: [AuditCheckpoint]
  private var nextHead = 0
  private var ratchet: Ratchet?
  private var fields = AuditFormFields()
  private var message: [UInt8] = []
  /// Archived rows that never came: from behind, up to.
  private var gaps: [(after: Int64, last: Int64)] = []
  /// What rows of the log say was archived.
  private var announced: [(first: Int64, last: Int64)] = []
  private var hasRoot = false
  private(set) var place: AuditPlace
  private(set) var rows: Int64 = 0
  var archived: Int64 { gaps.reduce(0) { $0 + $1.last - $1.after } }

  init(vaultId: String, heads: [AuditCheckpoint], key: AuditVerificationKey?) {
    self.vaultId = vaultId
    self.heads = heads
    ratchet = key.map { Ratchet(key: $0.key, number: $0.sequence) }
    place = AuditPlace(sequence: 0, hash: AuditChain.root(vaultId: vaultId))
  }

  /// What is wrong with the row, in words.
  mutating func fault(in row: ServerRow) throws -> String? {
    guard let sequence = try row.number(0), let hash = row.bytes(1) else { throw ServerError.senseless }
    guard hasRoot else {
      hasRoot = sequence == 0 && hash == place.hash
      return hasRoot ? nil : "it does not begin with the root of this vault's log"
    }
    guard let before = try row.number(2), let previous = row.bytes(3) else { return text(.unbound(sequence: sequence)) }
    guard row.withBytes(5, { $0 != nil }) else { return gap(sequence, hash, before, previous) }
    guard sequence == place.sequence + 1 else { return text(.missing(sequence: place.sequence + 1)) }
    let fault = try row.withBytes(5) { form in try form.map { try self.fault(in: row, $0, hash, previous) } ?? nil }
    if let fault { return fault }
    place = AuditPlace(sequence: sequence, hash: hash)
    rows += 1
    return codeFault(row) ?? headFault()
  }

  private mutating func fault(in row: ServerRow, _ form: UnsafeRawBufferPointer, _ hash: [UInt8], _ previous: [UInt8]) throws
    -> String?
  {
    let next = place.sequence + 1
    message.removeAll(keepingCapacity: true)
    message.append(contentsOf: previous)
    message.append(contentsOf: form)
    var digest = [UInt8](repeating: 0, count: 32)
    message.withUnsafeBytes { message in digest.withUnsafeMutableBytes { blake2b256(message, into: $0) } }
    guard digest == hash, fields.read(form), fields.number(.sequence) == next else { return text(.changed(sequence: next)) }
    guard previous == place.hash else { return text(.unbound(sequence: next)) }
    guard try EventColumns.agree(row, from: 6, fields, of: form) else {
      return "the columns of row \(next) do not say what the row says"
    }
    if fields.text(.action, of: form) == AuditAction.auditArchived.rawValue, let detail = fields.text(.detail, of: form) {
      noteArchive(detail)
    }
    return nil
  }

  /// `rows 1 to 100, digest …`
  private mutating func noteArchive(_ detail: String) {
    let words = detail.prefix(80).split(separator: " ")
    guard words.count > 3, words[0] == "rows", words[2] == "to", let first = Int64(words[1]),
      let last = Int64(words[3].dropLast())
    else {
      return
    }
    announced.append((first, last))
  }

  /// Rows that were archived before they were shipped: a signed head must bear out where they end.
  private mutating func gap(_ sequence: Int64, _ hash: [UInt8], _ before: Int64, _ previous: [UInt8]) -> String? {
    guard before == place.sequence, previous == place.hash, sequence > before else { return text(.unbound(sequence: sequence)) }
    guard heads.contains(where: { $0.sequence == sequence && $0.hash == hash }) else { return text(.segment(sequence: sequence)) }
    gaps.append((before, sequence))
    place = AuditPlace(sequence: sequence, hash: hash)
    return headFault()
  }

  private mutating func codeFault(_ row: ServerRow) -> String? {
    guard let stated = row.bytes(4) else { return text(.forged(sequence: place.sequence)) }
    guard let ratchet else { return nil }
    while ratchet.number < place.sequence { ratchet.skip() }
    guard ratchet.number == place.sequence else { return nil }
    return ratchet.mac(place.hash) == stated ? nil : text(.forged(sequence: place.sequence))
  }

  private mutating func headFault() -> String? {
    while nextHead < heads.count, heads[nextHead].sequence <= place.sequence {
      let head = heads[nextHead]
      guard head.sequence == place.sequence ? head.hash == place.hash : isInGap(head.sequence) else {
        return text(.checkpoint(sequence: head.sequence))
      }
      nextHead += 1
    }
    return nil
  }

  private func isInGap(_ sequence: Int64) -> Bool { gaps.contains { $0.after < sequence && sequence < $0.last } }

  /// What is wrong with the end.
  func end() -> String? {
    guard hasRoot else { return "nothing of it is there" }
    if let later = heads.last, later.sequence > place.sequence {
      return text(.truncated(after: place.sequence, expected: later.sequence))
    }
    // What says that rows were archived may have been archived itself, with the rows behind them.
    let bare = gaps.indices.first { number in
      let gap = gaps[number]
      let isFollowed = number + 1 < gaps.count && gaps[number + 1].after == gap.last
      return !isFollowed
        && !announced.contains { $0.first <= gap.after + 1 && $0.last == gap.last || $0.first == gap.last + 1 }
    }
    return bare.map { text(.segment(sequence: gaps[$0].last)) }
  }

  private func text(_ fault: AuditChain.Fault) -> String { fault.description }
}
