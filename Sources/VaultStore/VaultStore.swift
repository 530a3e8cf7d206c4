import VaultAudit
import VaultConcurrency
import VaultDatabase
import VaultModel
import VaultSecrets

/// A report of a store about its log.
public enum StoreEvent: Sendable {
  /// A transaction has added rows; `isDelivery` if nothing was issued or changed.
  case rowsAdded(isDelivery: Bool)
  /// A delivery could not be logged yet.
  case rowDeferred
  /// Sessions were forgotten or revoked.
  case sessionsWithdrawn
}

/// The only writer of a vault: profiles, sealed secrets, sessions and the audit log, over one connection on a thread of its own.
///
/// The creator of a store holds the agent's lock: SQLite 3.40 cannot be trusted with two writers on one file (security page, 1).
/// Every change is one transaction with its audit row, and it is committed when the call returns.
public actor VaultStore {
  private let thread: ThreadExecutor
  private let ownsThread: Bool
  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// For tasks that mostly use the store.
  public nonisolated let executor: StoreExecutor

  /// `vlt_…`
  public nonisolated let vaultId: String
  nonisolated let clock: any WallClock
  let database: Database
  let path: String
  var cipher: EnvelopeCipher?
  /// Seals in the current form, if the vault still has the previous one.
  var successor: EnvelopeCipher?
  var trust = RowTrust()
  /// Changes with every change of rows that lead to a secret.
  var rowGeneration: UInt64 = 0
  var head: AuditHead
  /// The log's keys, once the vault was unlocked; they stay after a lock, since they open nothing.
  var ratchet: Ratchet?
  var signing: SigningKey?
  /// The row of the sealed ratchet key.
  var sealedNumber: Int64 = 0
  /// Rows that have no MAC yet and are to get one; nil if all have theirs.
  var pendingMACs: PendingMACs?
  var isArchiving = false
  let report: @Sendable (StoreEvent) -> Void
  var deferred = DeferredAuditRows()
  var deliveries = WaitingDeliveries()
  /// Whether the file of profile names exists and is correct; one from before this agent may belong to another database.
  var hasNames = false
  /// The agent's start, until its row is written: before the first other row, so that a log that turns out to be an old copy has
  /// none.
  private var opening: (event: AuditEvent, time: Timestamp)?
  /// The agent as requester, for the rows that it writes automatically.
  let agent: Requester
  /// Intents begun here that have no outcome yet; those of earlier agents were resolved at the start.
  var openIntents: [String: String] = [:]
  /// Those of them whose profile was forgotten since: their results are not stored.
  var claimedIntents: Set<String> = []
  /// The sessions that were taken back, until ``consumeForgotten()``.
  var forgotten: Set<ForgottenSession> = []
  /// Those of the present transaction.
  var ending: [SessionRecord] = []
  public nonisolated let withdrawals = Withdrawals()
  private var writesThrough = true
  /// SQLite's version number of the schema that was last verified.
  private var knownSchema: Int64

  /// Opens the database, creating or migrating it, and resolves what a killed agent left: intents without an outcome become
  /// `unknown`.
  ///
  /// - Parameters:
  ///   - requester: the agent, for the rows that it writes automatically.
  ///   - executor: runs the store; nil for a thread of its own, which ends with the store.
  ///   - report: called on the executor's thread.
  public init(
    path: String, clock: any WallClock, host requester: Requester, executor given: StoreExecutor? = nil,
    report: @escaping @Sendable (StoreEvent) -> Void = { _ in }
  ) async throws {
    executor = given ?? StoreExecutor()
    thread = executor.thread
    ownsThread = given == nil
    self.clock = clock
    self.path = path
    agent = requester
    self.report = report
    do {
      let opened = try Schema.openForWriting(path: path, now: clock.now())
      database = opened.database
      knownSchema = try opened.database.schemaVersion()
      vaultId = try Self.findOrMakeVault(opened.database, clock.now())
      head = try AuditHead(database: opened.database, vaultId: vaultId)
      NamesFile.remove(beside: path)
      try resolveOrphans(migratedFrom: opened.migratedFrom, requester)
      keepNames()
    } catch {
      if ownsThread { thread.end() }
      throw error
    }
  }

  deinit { if ownsThread { thread.end() } }

  private static func findOrMakeVault(_ database: Database, _ now: Timestamp) throws -> String {
    if let id = try database.statement("SELECT id FROM vault").begin().first({ $0.text(0) }) { return id }
    let id = Identifier.make("vlt")
    try database.transaction {
      try database.statement("INSERT INTO vault (id, created_at) VALUES (?, ?)").begin().bind(id).bind(now.milliseconds).run()
    }
    return id
  }

  private func resolveOrphans(migratedFrom: Int64?, _ requester: Requester) throws {
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

  /// Closes the file.
  public func close() throws {
    try writeLateRows()
    if ratchet != nil, cipher != nil { try change { try $0.sealRatchet() } }
    lock()
    try database.checkpoint()
  }

  /// Copies the write-ahead log into the file, as far as readers allow.
  public func checkpoint() throws { try database.checkpoint() }

  // MARK: transactions

  /// How durable a commit must be before the call returns.
  enum Durability {
    /// On the disk: for calls that issue or change something.
    case full
    /// In the kernel: survives the process, but not a power cut within the last second. For deliveries.
    case process
  }

  /// One transaction; the chain's head advances only with its commit.
  func change<Result>(_ durability: Durability = .full, _ body: (isolated VaultStore) throws -> Result) throws -> Result {
    if writesThrough != (durability == .full) {
      try database.execute(durability == .full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
      writesThrough = durability == .full
    }
    let before = head
    let unsaid = opening
    defer {
      ending.removeAll()
      keepNames()
    }
    do {
      let result = try database.transaction {
        try requireOwnSchema()
        try appendLateRows()
        return try body(self)
      }
      deferred.removeAll()
      if !ending.isEmpty {
        withdrawals.withdraw(ending, at: clock.now())
        report(.sessionsWithdrawn)
      }
      if head.sequence != before.sequence { report(.rowsAdded(isDelivery: durability == .process)) }
      return result
    } catch {
      // Read again: if another program (an sqlite3 shell) wrote a row, every later one would fail otherwise.
      head = (try? AuditHead(database: database, vaultId: vaultId)) ?? before
      rewindAuditKeys()
      opening = unsaid
      trust.version = nil
      throw error
    }
  }

  /// Call within a transaction: verifies the tables again if they were changed. No row is written if a foreign trigger exists.
  private func requireOwnSchema() throws {
    let version = try database.schemaVersion()
    guard version != knownSchema else { return }
    try Schema.check(database)
    knownSchema = version
  }

  /// Adds a row to the audit log. Call only within ``change(_:_:)``.
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
    // A foreign row in between would have made this one fail. A ratchet at another row is useless, and is loaded again at the next
    // unlock.
    if let ratchet, ratchet.number != record.sequence { self.ratchet = nil }
    try AuditRows.insert(record, after: head.hash, mac: ratchet?.mac(record.hash), isPending: true, into: database)
    head = AuditHead(sequence: record.sequence, hash: record.hash)
    if record.sequence % AuditRows.indexBatch == 0 { try AuditRows.index(through: record.sequence, in: database) }
    try storeAuditKeys()
    return record
  }

  /// Logs a single row.
  public func record(_ event: AuditEvent) throws {
    try record([event])
  }

  /// The agent has started: its row is written with the next one.
  public func begin(with event: AuditEvent) { opening = (event, clock.now()) }

  /// The agent ends. It leaves no row if it wrote nothing and never learnt whether the log matches the key store's checkpoint.
  public func end(with event: AuditEvent) throws {
    guard opening == nil || (ratchet != nil && cipher != nil) else { return }
    try change(.process) { _ = try $0.append(event) }
  }

  /// Several rows in one transaction.
  public func record(_ events: [AuditEvent]) throws {
    try change { store in for event in events { try store.append(event) } }
  }

  /// The newest row's number; 0 if there is none.
  public var headSequence: Int64 { head.sequence }

  // MARK: settings of the vault

  /// - Throws: `RowError` for a setting that leads to a secret and that another program changed.
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

  /// Whether a setting decides where a secret is sent, or which one. Others can be written even while the vault is locked.
  static func leads(_ name: String) -> Bool {
    name != "locked" && name != placeSetting && !["config.", "sink.", "import."].contains { name.hasPrefix($0) }
  }

  /// - Parameter value: nil removes the setting.
  public func setSetting(_ name: String, _ value: String?, requester: Requester) throws {
    if Self.leads(name) { _ = try authenticRows() }
    try change { try $0.write(name, value, requester: requester) }
  }

  /// Call within a transaction.
  func write(_ name: String, _ value: String?, requester: Requester) throws {
    try set(name, value)
    var event = AuditEvent(action: .settingChanged, outcome: .success, trigger: .manual, requester: requester)
    event.detail = value.map { "\(name) = \($0)" } ?? "\(name) removed"
    if Self.leads(name) { try bindRows(event) } else { try append(event) }
  }

  /// Call within a transaction that logs the change; it updates the row MACs if the setting leads to a secret.
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

  /// - Throws: `StoreError.chainBroken` if the last row does not match its hash; nothing is appended to such a log.
  init(database: Database, vaultId: String) throws {
    let last = try database.prepare("SELECT \(AuditRows.columns) FROM audit_event ORDER BY sequence DESC LIMIT 1").begin().first {
      (sequence: $0.int(AuditField.sequence.rawValue), hash: $0.blob(AuditField.hash.rawValue), isTrue: AuditRows.hasTrueHash($0))
    }
    guard let last else {
      let archived = try AuditKeyRows.segments(in: database).last
      self.init(sequence: archived?.last ?? 0, hash: archived?.lastHash ?? AuditChain.root(vaultId: vaultId))
      return
    }
    guard last.isTrue else { throw StoreError.chainBroken("row \(last.sequence) was changed") }
    self.init(sequence: last.sequence, hash: last.hash)
  }
}
