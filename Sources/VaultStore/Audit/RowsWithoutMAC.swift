import VaultAudit
import VaultDatabase
import VaultSecrets

/// How far the rows at the end of the log have been checked, some of which have no MAC yet.
struct PendingMACs {
  /// For the next row.
  var ratchet: Ratchet
  /// The hash of the row before; nil before the first row checked.
  var previous: [UInt8]?
  /// A row without a MAC was found: no later row may have one.
  var hasSeenMissing = false

  init(ratchet: Ratchet) { self.ratchet = ratchet }
}

// Rows written before the vault was unlocked get their MACs afterwards: a few at once, many while the vault serves. Until all have
// one, new rows have none either, and no checkpoint is anchored: the log always has MACs up to one row and none after it.
extension VaultStore {
  /// The number of rows checked before an unlock is done, which takes some milliseconds. More are checked while the vault serves.
  static let maxAtUnlock = 500
  /// The number of rows per piece.
  private static let piece = 200
  /// How long the executor is left to others after each piece, in microseconds.
  private static let delay: UInt32 = 2_000

  /// Whether there are rows without a MAC.
  public var hasRowsWithoutMAC: Bool { pendingMACs != nil }

  /// Adds the missing MACs, piece by piece, until all rows have one or the vault is locked.
  ///
  /// - Throws: `StoreError.chainBroken` if a row is invalid. The vault is then locked, as after any failure here.
  public func addMACs() async throws { try await addMACs {} }

  func addMACs(step: @Sendable () async -> Void) async throws {
    let thread = SideThread()
    while cipher != nil, try !addSomeMACs(Self.piece) {
      await step()
      await thread.delay(microseconds: Self.delay)
    }
  }

  /// Checks the next rows: a MAC must be right, and a missing one is added, with the key for what follows.
  ///
  /// - Returns: whether all rows have been checked, and the log continues with MACs.
  func addSomeMACs(_ maximum: Int = maxAtUnlock) throws -> Bool {
    guard var rest = pendingMACs else { return true }
    let start = (key: rest.ratchet.export(), number: rest.ratchet.number, previous: rest.previous, isBehind: rest.hasSeenMissing)
    do {
      let macs = try tailMACs(&rest, maximum: maximum)
      if !macs.isEmpty {
        try database.transaction {
          try bind(macs)
          try sealRatchet(rest.ratchet)
        }
      }
    } catch {
      // A ratchet cannot go back.
      rest = PendingMACs(ratchet: Ratchet(key: start.key, number: start.number))
      rest.previous = start.previous
      rest.hasSeenMissing = start.isBehind
      pendingMACs = rest
      // No credentials are delivered with a log that is not proven to be the vault's.
      lock()
      throw error
    }
    guard rest.ratchet.number == head.sequence + 1 else {
      pendingMACs = rest
      return false
    }
    ratchet = rest.ratchet
    pendingMACs = nil
    return true
  }

  /// Checks rows from the ratchet's number on: a MAC must be right.
  ///
  /// - Returns: the MACs of the rows that have none yet.
  func tailMACs(_ rest: inout PendingMACs, maximum: Int) throws -> [(Int64, [UInt8])] {
    let first = rest.ratchet.number
    guard head.sequence >= first - 1 else {
      throw StoreError.chainBroken(AuditChain.Fault.truncated(after: head.sequence, expected: first - 1).description)
    }
    let rows = try database.prepare(
      "SELECT \(AuditRows.columns) FROM audit_event WHERE sequence >= ? ORDER BY sequence LIMIT ?"
    ).begin().bind(first).bind(Int64(maximum))
    var macs: [(Int64, [UInt8])] = []
    while try rows.step() {
      let record = try AuditRows.read(rows)
      let claimed = AuditRows.previousHash(rows)
      guard record.sequence == rest.ratchet.number, rest.previous == nil || rest.previous == claimed,
        AuditRows.hasTrueHash(rows)
      else { throw StoreError.chainBroken(AuditChain.Fault.changed(sequence: record.sequence).description) }
      rest.previous = record.hash
      let code = rest.ratchet.mac(record.hash)
      guard let stated = AuditRows.mac(rows) else {
        // Only a holder of the key writes this row.
        guard record.event.action != .auditArchived else {
          throw StoreError.chainBroken(AuditChain.Fault.forged(sequence: record.sequence).description)
        }
        rest.hasSeenMissing = true
        macs.append((record.sequence, code))
        continue
      }
      guard stated == code, !rest.hasSeenMissing else {
        throw StoreError.chainBroken(AuditChain.Fault.forged(sequence: record.sequence).description)
      }
    }
    return macs
  }

  func bind(_ macs: [(Int64, [UInt8])]) throws {
    let statement = try database.statement("UPDATE audit_event SET mac = ? WHERE sequence = ?")
    for (sequence, code) in macs { try statement.begin().bind(code).bind(sequence).runOnce() }
  }
}
