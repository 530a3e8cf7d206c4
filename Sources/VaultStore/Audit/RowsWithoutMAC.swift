import VaultDatabase
import VaultSecrets

/// How far the rows at the end of the log have been looked at, of which some have no code yet.
struct UncodedRows {
  /// For the next row.
  var ratchet: Ratchet
  /// The hash of the row before; nil before the first that is looked at.
  var previous: [UInt8]?
  /// A row without a code was seen: none behind it may have one.
  var isBehindCodes = false

  init(ratchet: Ratchet) { self.ratchet = ratchet }
}

// Rows that were written before the vault was unlocked get their codes afterwards: a few at once, many while the vault serves. Until all have
// theirs, new rows have none either, and the key store is told of no head: the log stays one that has codes up to a row and none behind it.
extension VaultStore {
  /// So many rows are looked at before an unlocking is done: some milliseconds' worth. More are looked at while the vault serves.
  static let codedAtOnce = 500
  /// And so many in a piece.
  private static let piece = 200
  /// How long others have the lane after each piece, in microseconds.
  private static let pause: UInt32 = 2_000

  /// Whether rows are yet to get their codes.
  public var hasRowsWithoutMAC: Bool { uncoded != nil }

  /// Gives the rows that have none their codes, a piece after the other, until all have theirs or the vault is locked.
  ///
  /// - Throws: `StoreError.chainBroken` where a row is not what it must be. The vault is locked then, and wherever this fails.
  public func addMACs() async throws { try await addMACs {} }

  func addMACs(step: @Sendable () async -> Void) async throws {
    let thread = SideThread()
    while cipher != nil, try !codeSomeRows(Self.piece) {
      await step()
      await thread.pause(microseconds: Self.pause)
    }
  }

  /// Goes over the next rows: those with a code must have the right one, and the others get theirs, with the key for what follows.
  ///
  /// - Returns: whether all rows have been looked at, and the log goes on with codes.
  func codeSomeRows(_ most: Int = codedAtOnce) throws -> Bool {
    guard var rest = uncoded else { return true }
    let start = (key: rest.ratchet.export(), number: rest.ratchet.number, previous: rest.previous, isBehind: rest.isBehindCodes)
    do {
      let codes = try tailMACs(&rest, most: most)
      if !codes.isEmpty {
        try database.transaction {
          try bind(codes)
          try sealRatchet(rest.ratchet)
        }
      }
    } catch {
      // A ratchet does not go back.
      rest = UncodedRows(ratchet: Ratchet(key: start.key, number: start.number))
      rest.previous = start.previous
      rest.isBehindCodes = start.isBehind
      uncoded = rest
      // What cannot be proven to be the vault's is no log to hand credentials out beside.
      lock()
      throw error
    }
    guard rest.ratchet.number == head.sequence + 1 else {
      uncoded = rest
      return false
    }
    ratchet = rest.ratchet
    uncoded = nil
    return true
  }

  /// Goes over rows from the ratchet's number on: those with a code must have the right one.
  ///
  /// - Returns: the codes of those that have none yet.
  func tailMACs(_ rest: inout UncodedRows, most: Int) throws -> [(Int64, [UInt8])] {
    let first = rest.ratchet.number
    guard head.sequence >= first - 1 else {
      throw StoreError.chainBroken(AuditChain.Fault.truncated(after: head.sequence, expected: first - 1).description)
    }
    let rows = try database.prepare(
      "SELECT \(AuditRows.columns) FROM audit_event WHERE sequence >= ? ORDER BY sequence LIMIT ?"
    ).begin().bind(first).bind(Int64(most))
    var codes: [(Int64, [UInt8])] = []
    while try rows.step() {
      let record = try AuditRows.read(rows)
      let claimed = AuditRows.previousHash(rows)
      guard record.sequence == rest.ratchet.number, rest.previous == nil || rest.previous == claimed,
        AuditChain.hash(of: record, after: claimed) == record.hash
      else { throw StoreError.chainBroken(AuditChain.Fault.changed(sequence: record.sequence).description) }
      rest.previous = record.hash
      let code = rest.ratchet.mac(record.hash)
      guard let stated = AuditRows.mac(rows) else {
        // It is only written by who has the key.
        guard record.event.action != .auditArchived else {
          throw StoreError.chainBroken(AuditChain.Fault.forged(sequence: record.sequence).description)
        }
        rest.isBehindCodes = true
        codes.append((record.sequence, code))
        continue
      }
      guard stated == code, !rest.isBehindCodes else {
        throw StoreError.chainBroken(AuditChain.Fault.forged(sequence: record.sequence).description)
      }
    }
    return codes
  }

  func bind(_ codes: [(Int64, [UInt8])]) throws {
    let statement = try database.statement("UPDATE audit_event SET mac = ? WHERE sequence = ?")
    for (sequence, code) in codes { try statement.begin().bind(code).bind(sequence).runOnce() }
  }
}
