import Synchronization
import VaultModel
import VaultStore

/// The live copies of the audit log that the settings name.
actor AuditExporters {
  private let store: VaultStore
  private let clock: any WallClock
  private var exporters: [AuditExporter] = []
  /// Whether rows are being collected. Read for every row, and therefore outside the actor.
  private nonisolated let isGathering = Mutex(false)
  private nonisolated let isWanted = Mutex(false)

  init(store: VaultStore, clock: any WallClock) {
    self.store = store
    self.clock = clock
  }

  /// Uses these sinks from now on. A new one begins after the row `head`; an existing one continues from its position.
  func use(_ targets: [ExporterTarget], from head: Int64) async throws {
    for exporter in exporters where !targets.contains(exporter.target) { await exporter.end() }
    exporters.removeAll { !targets.contains($0.target) }
    for target in targets where !exporters.contains(where: { $0.target == target }) {
      // A database that was restored from a backup may end earlier.
      let known = try await store.exporterCursor(target.name) ?? head
      let cursor = min(known, await store.headSequence)
      if try await store.exporterCursor(target.name) != cursor { try await store.setExporterCursor(target.name, cursor) }
      exporters.append(AuditExporter(target, from: cursor, store: store, clock: clock))
    }
    isWanted.withLock { [isThere = !exporters.isEmpty] in $0 = isThere }
    recordRows()
  }

  /// Rows were added: they are sent soon, many at a time.
  nonisolated func recordRows() {
    guard isWanted.withLock({ $0 }),
      !isGathering.withLock({ old in
        defer { old = true }
        return old
      })
    else { return }
    // Not awaited: the work that added the rows does not wait for it.
    Task(executorPreference: AgentExecutor.current) {
      try? await self.clock.sleep(until: self.clock.now().adding(milliseconds: AuditExporter.gathering))
      self.isGathering.withLock { $0 = false }
      for exporter in await self.exporters { Task(executorPreference: AgentExecutor.current) { await exporter.send() } }
    }
  }

  /// The last row that every receiver is known to have; nil if there are none.
  var received: Int64? {
    get async {
      var least: Int64?
      for exporter in exporters {
        await exporter.resolve()
        let received = await exporter.received
        least = min(least ?? received, received)
      }
      return least
    }
  }

  /// Each sink's name and progress.
  var states: [(name: String, state: String)] {
    get async {
      var states: [(String, String)] = []
      for exporter in exporters { states.append((exporter.target.name, await exporter.state)) }
      return states
    }
  }

  /// Ends them, after one more attempt.
  func end() async {
    for exporter in exporters { await exporter.end() }
    exporters.removeAll()
  }
}
