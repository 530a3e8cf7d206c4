import VaultModel
import VaultStore

/// The settings of a running agent, whose changes go into the audit log.
actor LiveSettings {
  private let files: [String]
  private let environment: [String: String]
  private let store: VaultStore
  private let exporters: AuditExporters
  private let autoLock: AutoLock

  init(files: [String], environment: [String: String], store: VaultStore, exporters: AuditExporters, autoLock: AutoLock) {
    self.autoLock = autoLock
    self.files = files
    self.environment = environment
    self.store = store
    self.exporters = exporters
  }

  /// Reads the files, logs the values that changed, and applies them.
  ///
  /// - Parameter requester: who changed them; the agent itself, at its start.
  /// - Throws: if a file is invalid, or a change cannot be logged; the settings then stay as they were.
  func reload(requester: Requester, trigger: AuditTrigger) async throws {
    let settings = try AgentSettings(files: files, environment: environment)
    // A new sink begins with the row that records its addition.
    let head = await store.headSequence
    try await store.recordSettings(settings.logged, requester: requester, trigger: trigger)
    await store.setFailureRule(settings.failureRule)
    try await exporters.use(settings.exporters, from: head)
    await autoLock.use(settings.lockRule, settings.lockEvents, bus: settings.loginBus)
  }
}
