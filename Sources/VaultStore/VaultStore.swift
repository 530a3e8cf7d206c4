import VaultDatabase
import VaultModel
import VaultSecrets

/// The vault's one writer: profiles, sealed secrets, sessions and the audit log, over one connection on a thread of its own.
///
/// Whoever makes a store holds the agent's lock: two writers on one file are what SQLite 3.40 cannot be trusted with (security page, 1).
/// Every change is one transaction with its audit row, and a call that returns has committed.
public actor VaultStore {
  private let executor: ThreadExecutor
  private let ownsThread: Bool
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// For tasks whose work is mostly the store's.
  public nonisolated let lane: StoreExecutor

  /// `vlt_…`
  public nonisolated let vaultId: String
  nonisolated let clock: any WallClock
  let database: Database
  let path: String
  var cipher: EnvelopeCipher?
  /// Seals in the form of today, where the vault has the one before.
  var successor: EnvelopeCipher?
  var trust = RowTrust()
  /// Moves with every change of rows that lead to a secret.
  var rowGeneration: UInt64 = 0
  var head: AuditHead
  /// The log's keys, once the vault was unlocked; they stay when it is locked, since they open nothing.
  var ratchet: Ratchet?
  var signing: SigningKey?
  /// The row that the sealed ratchet key is for.
  var sealedNumber: Int64 = 0
  /// Rows that have no code yet and are to get one; nil where all have theirs.
  var uncoded: UncodedRows?
  var isArchiving = false
  /// Is called after each transaction that added rows.
  private var onRows: @Sendable (_ isDelivery: Bool) -> Void = { _ in }
  var deferred = DeferredAuditRows()
  var deliveries = WaitingDeliveries()
  /// Whether the file of the profiles' names is there and right; one that was there before this agent may be of another database.
  var hasNames = false
  var onLate: @Sendable () -> Void = {}
  /// The agent's start, until its row is written: before the first other row, so that a log that is then found to be an old copy has none.
  private var opening: (event: AuditEvent, time: Timestamp)?
  /// Who the agent is, for the rows that it writes unasked.
  let agent: Requester
  /// Intents that were begun here and have no outcome yet; those of an agent before were settled at the start.
  var openIntents: [String: String] = [:]
  /// Those of them whose profile was forgotten since: what they bring is not kept.
  var takenIntents: Set<String> = []
  /// The sessions that were forgotten, until ``takeForgotten()``.
  var forgotten: Set<ForgottenSession> = []
  private var writesThrough = true
  /// The schema that was found to be the vault's own, by SQLite's number for it.
  private var knownSchema: Int64

  /// Opens the database, making or migrating it, and settles what a killed agent left: intents without an outcome become `unknown`.
  ///
  /// - Parameters:
  ///   - requester: who the agent is, for the rows that it writes unasked.
  ///   - lane: where to run; nil for a thread of its own, which ends with the store.
  public init(path: String, clock: any WallClock, host requester: Requester, lane given: StoreExecutor? = nil) async throws {
    lane = given ?? StoreExecutor()
    executor = lane.thread
    ownsThread = given == nil
    self.clock = clock
    self.path = path
    agent = requester
    do {
      let opened = try Schema.openForWriting(path: path, now: clock.now())
      database = opened.database
      knownSchema = try opened.database.schemaVersion()
      vaultId = try Self.findOrMakeVault(opened.database, clock.now())
      head = try AuditHead(database: opened.database, vaultId: vaultId)
      NamesFile.remove(beside: path)
      try settle(migratedFrom: opened.migratedFrom, requester)
      keepNames()
    } catch {
      if ownsThread { executor.end() }
      throw error
    }
  }

  deinit { if ownsThread { executor.end() } }

  private static func findOrMakeVault(_ database: Database, _ now: Timestamp) throws -> String {
    if let id = try database.statement("SELECT id FROM vault").begin().first({ $0.text(0) }) { return id }
    let id = Identifier.make("vlt")
    try database.transaction {
      try database.statement("INSERT INTO vault (id, created_at) VALUES (?, ?)").begin().bind(id).bind(now.milliseconds).run()
    }
    return id
  }

  private func settle(migratedFrom: Int64?, _ requester: Requester) throws {
    let orphans = try database.prepare(
      """
      SELECT \(AuditRows.columns) FROM audit_event WHERE outcome = 'intent' \
      AND NOT EXISTS (SELECT 1 FROM audit_event o WHERE o.intent_id = audit_event.id)
      """
    ).begin().rows { try AuditRows.read($0) }
    guard migratedFrom != nil || !orphans.isEmpty else { return }
    try change { store in
      if let migratedFrom {
        var event = AuditEvent(action: .schemaMigrated, outcome: .success, trigger: .start, requester: requester)
        event.detail = "from \(migratedFrom) to \(Schema.version)"
        try store.append(event)
      }
      for orphan in orphans {
        var event = orphan.event
        event.outcome = .unknown
        event.intentId = orphan.id
        event.error = "the agent ended before the outcome was known"
        try store.append(event)
      }
    }
  }

  /// Ends the store's use of the file.
  public func close() throws {
    try writeLateRows()
    if ratchet != nil, cipher != nil { try change { try $0.sealRatchet() } }
    lock()
    try database.checkpoint()
  }

  /// Brings the write-ahead log into the file, as far as readers allow.
  public func checkpoint() throws { try database.checkpoint() }

  // MARK: transactions

  /// How far a commit must have got before the call returns.
  enum Durability {
    /// On the disk: for what mints or changes something.
    case full
    /// In the kernel: survives the process, not a power cut of the last second. For deliveries.
    case process
  }

  /// One transaction; the chain's head moves only with its commit.
  func change<Result>(_ durability: Durability = .full, _ body: (isolated VaultStore) throws -> Result) throws -> Result {
    if writesThrough != (durability == .full) {
      try database.execute(durability == .full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
      writesThrough = durability == .full
    }
    let before = head
    let unsaid = opening
    defer { keepNames() }
    do {
      let result = try database.transaction {
        try requireOwnSchema()
        try appendLateRows()
        return try body(self)
      }
      deferred.removeAll()
      if head.sequence != before.sequence { onRows(durability == .process) }
      return result
    } catch {
      // Asked again, since whoever else wrote a row (an sqlite3 shell) is what every later one would otherwise fail on.
      head = (try? AuditHead(database: database, vaultId: vaultId)) ?? before
      rewindAuditKeys()
      opening = unsaid
      trust.version = nil
      throw error
    }
  }

  /// Within a transaction: looks at the tables again where somebody has changed them. No row is written beside a trigger of theirs.
  private func requireOwnSchema() throws {
    let version = try database.schemaVersion()
    guard version != knownSchema else { return }
    try Schema.check(database)
    knownSchema = version
  }

  /// Names who is told, after each transaction that added rows to the log; `isDelivery` where nothing was minted or changed.
  public func observeRows(_ body: @escaping @Sendable (_ isDelivery: Bool) -> Void) { onRows = body }

  /// Adds a row to the audit log. Only within ``change(_:_:)``.
  @discardableResult
  func append(_ event: AuditEvent, subject: (id: String, version: Int64)? = nil, at time: Timestamp? = nil) throws -> AuditRecord
  {
    if let opening {
      self.opening = nil
      try append(opening.event, at: opening.time)
    }
    var record = AuditRecord(
      id: Identifier.make("evt"), sequence: head.sequence + 1, time: time ?? clock.now(), event: event, subject: subject?.id,
      subjectVersion: subject?.version, hash: [])
    record.hash = AuditChain.hash(of: record, after: head.hash)
    // Somebody else's row between ours would have made this one fail; a ratchet that is elsewhere is no use, and is taken anew at the next unlocking.
    if let ratchet, ratchet.number != record.sequence { self.ratchet = nil }
    try AuditRows.insert(record, after: head.hash, mac: ratchet?.mac(record.hash), isPending: true, into: database)
    head = AuditHead(sequence: record.sequence, hash: record.hash)
    if record.sequence % AuditRows.indexBatch == 0 { try AuditRows.index(through: record.sequence, in: database) }
    try storeAuditKeys()
    return record
  }

  /// A row by itself.
  public func record(_ event: AuditEvent) throws {
    try record([event])
  }

  /// The agent has started: the row is written with the next one.
  public func begin(with event: AuditEvent) { opening = (event, clock.now()) }

  /// The agent ends. One that wrote nothing, and never knew whether the log is the one that the key store knows of, leaves no row.
  public func end(with event: AuditEvent) throws {
    guard opening == nil || (ratchet != nil && cipher != nil) else { return }
    try change(.process) { _ = try $0.append(event) }
  }

  /// Several rows in one transaction.
  public func record(_ events: [AuditEvent]) throws {
    try change { store in for event in events { try store.append(event) } }
  }

  /// The newest row's number; 0 where there is none.
  public var headSequence: Int64 { head.sequence }

  // MARK: settings of the vault

  /// - Throws: `RowError` for one that leads to a secret and that another program changed.
  public func setting(_ name: String) throws -> String? {
    let found = try database.statement("SELECT value, mac FROM setting WHERE name = ?").begin().bind(name).first {
      (value: $0.text(0), code: $0.isNull(1) ? nil : $0.blob(1))
    }
    guard let found else { return nil }
    guard try !Self.leads(name) || authenticRows().fits(found.code, RowForm(setting: name, found.value)) else {
      throw RowError.setting(name)
    }
    return found.value
  }

  /// Whether a setting says where a secret goes, or which one. Others are written also while the vault is locked.
  static func leads(_ name: String) -> Bool {
    name != "locked" && name != placeSetting && !["config.", "sink.", "import."].contains { name.hasPrefix($0) }
  }

  /// - Parameter value: nil takes the setting away.
  public func setSetting(_ name: String, _ value: String?, requester: Requester) throws {
    if Self.leads(name) { _ = try authenticRows() }
    try change { try $0.write(name, value, requester) }
  }

  /// Within a transaction.
  func write(_ name: String, _ value: String?, _ requester: Requester) throws {
    try set(name, value)
    var event = AuditEvent(action: .settingChanged, outcome: .success, trigger: .manual, requester: requester)
    event.detail = value.map { "\(name) = \($0)" } ?? "\(name) removed"
    if Self.leads(name) { try bindRows(event) } else { try append(event) }
  }

  /// Within a transaction that logs the change, and binds the rows where the setting leads somewhere.
  func set(_ name: String, _ value: String?) throws {
    if let value {
      try database.statement(
        """
        INSERT INTO setting (name, value, mac) VALUES (?, ?, ?) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, mac = excluded.mac
        """
      )
      .begin().bind(name).bind(value).bind(Self.leads(name) ? rowMACs().code(RowForm(setting: name, value)) : nil).run()
    } else {
      try database.statement("DELETE FROM setting WHERE name = ?").begin().bind(name).run()
    }
  }
}

/// The end of the audit chain.
struct AuditHead: Sendable {
  var sequence: Int64
  var hash: [UInt8]

  init(sequence: Int64, hash: [UInt8]) {
    self.sequence = sequence
    self.hash = hash
  }

  /// - Throws: `StoreError.chainBroken` where the last row is not what its hash says; nothing is appended to such a log.
  init(database: Database, vaultId: String) throws {
    let last = try database.prepare("SELECT \(AuditRows.columns) FROM audit_event ORDER BY sequence DESC LIMIT 1").begin().first {
      row in
      (record: try AuditRows.read(row), previous: AuditRows.previousHash(row))
    }
    guard let last else {
      let archived = try AuditKeyRows.segments(in: database).last
      self.init(sequence: archived?.last ?? 0, hash: archived?.lastHash ?? AuditChain.root(vaultId: vaultId))
      return
    }
    guard AuditChain.hash(of: last.record, after: last.previous) == last.record.hash else {
      throw StoreError.chainBroken("row \(last.record.sequence) was changed")
    }
    self.init(sequence: last.record.sequence, hash: last.record.hash)
  }
}
