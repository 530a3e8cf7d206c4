import Synchronization
import VaultModel
import VaultStore

/// The live copies of the audit log that the settings name.
actor AuditExporters {
  private let store: VaultStore
  private let clock: any WallClock
  private var exporters: [AuditExporter] = []
  /// Whether rows are being gathered. Asked on every row, and so beside the actor.
  private nonisolated let isGathering = Mutex(false)
  private nonisolated let isWanted = Mutex(false)

  init(store: VaultStore, clock: any WallClock) {
    self.store = store
    self.clock = clock
  }

  /// Has these sinks from now on. One that is new begins behind the row `head`; one that was there before goes on from where it was.
  func use(_ targets: [ExporterTarget], from head: Int64) async throws {
    for exporter in exporters where !targets.contains(exporter.target) { await exporter.end() }
    exporters.removeAll { !targets.contains($0.target) }
    for target in targets where !exporters.contains(where: { $0.target == target }) {
      // A copy of the database that was put back may end before.
      let known = try await store.exporterCursor(target.name) ?? head
      let cursor = min(known, await store.headSequence)
      if try await store.exporterCursor(target.name) != cursor { try await store.setExporterCursor(target.name, cursor) }
      exporters.append(AuditExporter(target, from: cursor, store: store, clock: clock))
    }
    isWanted.withLock { [isThere = !exporters.isEmpty] in $0 = isThere }
    recordRows()
  }

  /// Rows were added: they are sent soon, once for many.
  nonisolated func recordRows() {
    guard isWanted.withLock({ $0 }),
      !isGathering.withLock({ old in
        defer { old = true }
        return old
      })
    else { return }
    // Awaited by nobody: what added the rows does not wait for it.
    Task(executorPreference: AgentExecutor.current) {
      try? await self.clock.sleep(until: self.clock.now().adding(milliseconds: AuditExporter.gathering))
      self.isGathering.withLock { $0 = false }
      for exporter in await self.exporters { Task(executorPreference: AgentExecutor.current) { await exporter.send() } }
    }
  }

  /// The last row that every receiver has, as far as that can be known; nil without any.
  var received: Int64? {
    get async {
      var least: Int64?
      for exporter in exporters {
        await exporter.settle()
        let received = await exporter.received
        least = min(least ?? received, received)
      }
      return least
    }
  }

  /// Each sink's name and how far it is.
  var states: [(name: String, state: String)] {
    get async {
      var states: [(String, String)] = []
      for exporter in exporters { states.append((exporter.target.name, await exporter.state)) }
      return states
    }
  }

  /// Ends them, after one more try.
  func end() async {
    for exporter in exporters { await exporter.end() }
    exporters.removeAll()
  }
}
