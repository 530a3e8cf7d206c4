import VaultConcurrency
import VaultModel
import VaultStore

/// Sends a live copy of the audit log to a receiver: every committed row, in order, from where it last stopped.
///
/// Nothing waits for it. Rows that could not be sent are sent later, even after a restart: the database has the number of the last
/// row that was taken. A row may be sent twice if its arrival is uncertain, but none is left out.
actor AuditExporter {
  /// Rows that are sent before the cursor is written.
  static let batch = 256
  /// Milliseconds for which rows are collected: a delivery is answered before its row is sent.
  static let gathering: Int64 = 100
  /// Seconds of the longest pause between two attempts.
  static let maxDelay = 60.0
  /// Datagrams that are sent again if the network reports that one did not arrive.
  static let doubtful: Int64 = 64
  /// Rows of one stream after which their arrival is confirmed: if the stream breaks before, all of them are sent again.
  static let unconfirmed: Int64 = 1_000
  /// Seconds of silence after which a stream is checked, so that its rows are confirmed or sent again.
  static let quiet: Int64 = 5

  /// Seconds that the agent's end waits for it.
  static let parting: Int64 = 3

  nonisolated let target: ExporterTarget
  private let store: VaultStore
  private let clock: any WallClock
  private let link: ExporterLink
  private var position: Int64
  /// The position at which the current connection began. Of a stream, nothing beyond it is certain: the receiver's kernel may have
  /// rows that its program never reads.
  private var connectedAt: Int64
  /// Whether the receiver ends a stream that the exporter has ended; one that does not is not asked again.
  private var confirms = true
  private var failures = 0
  private var isSending = false
  private var hasMore = false
  private var isEnded = false
  private var retry: Task<Void, Never>?
  private var watch: Task<Void, Never>?
  private(set) var trouble: String?

  /// - Parameter position: the last row that was sent.
  init(_ target: ExporterTarget, from position: Int64, store: VaultStore, clock: any WallClock) {
    self.target = target
    self.position = position
    connectedAt = position
    self.store = store
    self.clock = clock
    link = ExporterLink(target, vaultId: store.vaultId)
  }

  /// The last row that is known to have arrived; for UDP, the last one sent.
  var received: Int64 { target.isStream ? connectedAt : position }

  /// The state in `vault agent status`: only what is known.
  var state: String {
    let known =
      switch target {
      case .syslog(.tcp) where position > connectedAt:
        "row \(connectedAt) delivered; rows to \(position) sent, not confirmed"
      case .syslog(.tcp): "row \(position) delivered"
      case .syslog(.udp): "row \(position) sent; UDP confirms nothing"
      default: "row \(position) queued"
      }
    return known + (trouble.map { "; \($0)" } ?? "")
  }

  /// Sends the pending rows, unless an attempt has just failed.
  func send() async {
    guard retry == nil else { return }
    hasMore = true
    guard !isSending else { return }
    isSending = true
    while hasMore, !isEnded {
      hasMore = false
      do { try await sendAll() } catch { delay(Failure(error).message) }
    }
    isSending = false
    watchStream()
  }

  /// Checks the stream after a while, repeatedly, until the arrival of its rows is known.
  private func watchStream() {
    watch?.cancel()
    watch = nil
    guard target.isStream, position > connectedAt, retry == nil, !isEnded else { return }
    watch = Task(executorPreference: AgentExecutor.current) { [clock] in
      do { try await clock.sleep(until: clock.now().adding(seconds: Self.quiet)) } catch { return }
      await self.look()
    }
  }

  private func look() async {
    watch = nil
    guard !isSending, retry == nil, !isEnded else { return }
    if confirms {
      await resolve()
    } else {
      let outcome = await BlockingPool.shared.run { [link] in Result { try link.check() } }
      switch outcome {
      case _ where isSending: break
      case .success(let isOpen): if !isOpen { connectedAt = position }
      case .failure(let error):
        position = connectedAt
        delay((error as? ExporterSocket.Broken)?.why ?? "\(error)")
      }
    }
    if hasMore { await send() } else { watchStream() }
  }

  private func sendAll() async throws {
    while !isEnded, retry == nil {
      let rows = try await store.auditRows(after: position, maximum: Self.batch)
      guard let first = rows.first else { return }
      if first.sequence != position + 1 {
        AgentLog.write(
          "audit_\(target.name): rows \(position + 1) to \(first.sequence - 1) were archived before they could be sent")
      }
      let outcome = await BlockingPool.shared.run { [link] in link.send(rows) }
      if outcome.isNew { connectedAt = position }
      if outcome.sent > 0 { position = rows[outcome.sent - 1].sequence }
      if let failure = outcome.failure {
        if failure.isDoubtful { position = target.isStream ? connectedAt : max(connectedAt, position - Self.doubtful) }
        delay(failure.why)
      } else if failures > 0 {
        AgentLog.write("audit_\(target.name): rows are accepted again")
        failures = 0
        trouble = nil
      }
      if outcome.failure == nil, confirms, target.isStream, position - connectedAt >= Self.unconfirmed { await confirm() }
      try await store.setExporterCursor(target.name, received)
    }
  }

  /// Confirms the arrival of the rows, as far as possible.
  func resolve() async {
    guard target.isStream, confirms, position > connectedAt, trouble == nil, !isSending else { return }
    // Nothing is sent meanwhile: the rows before the next connection's start are those that this one is known to have delivered.
    isSending = true
    await confirm()
    isSending = false
    try? await store.setExporterCursor(target.name, received)
    if hasMore { await send() }
  }

  /// Ends the stream, in order to learn whether its rows have arrived.
  private func confirm() async {
    let outcome = await BlockingPool.shared.run { [link] in Result { try link.confirm() } }
    switch outcome {
    case .success(true): connectedAt = position
    case .success(false), .success(nil):
      // The arrival is unknown, so all of them are sent again, once.
      confirms = false
      position = connectedAt
      hasMore = true
    case .failure(let error):
      position = connectedAt
      delay((error as? ExporterSocket.Broken)?.why ?? "\(error)")
    }
  }

  /// Retries later, with growing pauses of up to a minute. A part is random, for a team's laptops whose receiver was away.
  private func delay(_ why: String) {
    if failures == 0 { AgentLog.write("audit_\(target.name): \(why); rows are kept and sent later") }
    trouble = why
    failures += 1
    guard retry == nil else { return }
    let seconds = min(Self.maxDelay, 0.5 * Double(1 << min(failures, 10))) * Double.random(in: 0.5..<1)
    retry = Task(executorPreference: AgentExecutor.current) { [clock] in
      do { try await clock.sleep(until: clock.now().adding(milliseconds: Int64(seconds * 1_000))) } catch { return }
      await self.again()
    }
  }

  private func again() async {
    retry = nil
    await send()
  }

  /// Ends it, after one more attempt to send the rest; a slow receiver gets the remaining rows at the next start.
  func end() async {
    retry?.cancel()
    watch?.cancel()
    if retry == nil {
      let (over, word) = AsyncStream<Void>.makeStream()
      let last = Task(executorPreference: AgentExecutor.current) {
        await self.finish()
        word.finish()
      }
      let limit = Task(executorPreference: AgentExecutor.current) { [clock] in
        try? await clock.sleep(until: clock.now().adding(seconds: Self.parting))
        word.finish()
      }
      for await _ in over {}
      limit.cancel()
      last.cancel()
    }
    isEnded = true
  }

  private func finish() async {
    await send()
    // An earlier attempt may still be running.
    while isSending, !Task.isCancelled { try? await clock.sleep(until: clock.now().adding(milliseconds: 10)) }
    await resolve()
  }
}
