import VaultModel
import VaultStore

/// A live copy of the audit log at somebody else's: every committed row, in order, from where the last sending ended.
///
/// Nothing waits for it. What it could not send it sends later, also after a restart: the number of the last row that was taken stands in the
/// database. A row may come twice, where it is not known whether it came, and never not at all.
actor AuditSink {
  /// Rows that are sent before the cursor is written.
  static let batch = 256
  /// Milliseconds for which rows are gathered: a delivery that wrote one is answered before it is sent.
  static let gathering: Int64 = 100
  /// Seconds of the longest pause between two tries.
  static let longestPause = 60.0
  /// Rows that are sent once more where a connection broke: those that the other side may not have read.
  static let doubtful: Int64 = 64

  /// Seconds for which the agent's end waits for it.
  static let parting: Int64 = 3

  nonisolated let target: SinkTarget
  private let store: VaultStore
  private let clock: any WallClock
  private let link: SinkLink
  private var position: Int64
  /// Where the connection began that is in use.
  private var connectedAt: Int64
  private var failures = 0
  private var isSending = false
  private var hasMore = false
  private var isEnded = false
  private var retry: Task<Void, Never>?
  private(set) var trouble: String?

  /// - Parameter position: the last row that was sent.
  init(_ target: SinkTarget, from position: Int64, store: VaultStore, clock: any WallClock) {
    self.target = target
    self.position = position
    connectedAt = position
    self.store = store
    self.clock = clock
    link = SinkLink(target, vaultId: store.vaultId)
  }

  /// What `vault agent status` says of it.
  var state: String { "row \(position)" + (trouble.map { "; \($0)" } ?? "") }

  /// Sends what there is, unless that failed a moment ago.
  func send() async {
    guard retry == nil else { return }
    hasMore = true
    guard !isSending else { return }
    isSending = true
    while hasMore, !isEnded {
      hasMore = false
      do { try await sendAll() } catch { pause(Failure(error).message) }
    }
    isSending = false
  }

  private func sendAll() async throws {
    while !isEnded, retry == nil {
      let rows = try await store.auditRows(after: position, most: Self.batch)
      guard let first = rows.first else { return }
      if first.sequence != position + 1 {
        AgentLog.write(
          "audit_\(target.name): rows \(position + 1) to \(first.sequence - 1) were archived before they could be sent")
      }
      let outcome = await Thread.run { [link] in link.send(rows) }
      if outcome.isNew { connectedAt = position }
      if outcome.sent > 0 { position = rows[outcome.sent - 1].sequence }
      if let failure = outcome.failure {
        if failure.isDoubtful { position = max(connectedAt, position - Self.doubtful) }
        pause(failure.why)
      } else if failures > 0 {
        AgentLog.write("audit_\(target.name): rows are taken again")
        failures = 0
        trouble = nil
      }
      try await store.setSinkCursor(target.name, position)
    }
  }

  /// Tries again later, each time later than before, up to a minute; a part is left to chance, for a team's laptops whose receiver was away.
  private func pause(_ why: String) {
    if failures == 0 { AgentLog.write("audit_\(target.name): \(why); rows are kept and sent later") }
    trouble = why
    failures += 1
    guard retry == nil else { return }
    let seconds = min(Self.longestPause, 0.5 * Double(1 << min(failures, 10))) * Double.random(in: 0.5..<1)
    retry = Task(executorPreference: AgentLane.current) { [clock] in
      do { try await clock.sleep(until: clock.now().adding(milliseconds: Int64(seconds * 1_000))) } catch { return }
      await self.again()
    }
  }

  private func again() async {
    retry = nil
    await send()
  }

  /// Ends it, after one more try for what there is; a receiver that takes its time gets the rest at the next start.
  func end() async {
    retry?.cancel()
    if retry == nil {
      let (over, word) = AsyncStream<Void>.makeStream()
      let last = Task(executorPreference: AgentLane.current) {
        await self.finish()
        word.finish()
      }
      let limit = Task(executorPreference: AgentLane.current) { [clock] in
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
    // What began before may be under way still.
    while isSending, !Task.isCancelled { try? await clock.sleep(until: clock.now().adding(milliseconds: 10)) }
  }
}
