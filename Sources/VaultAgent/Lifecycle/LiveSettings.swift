import VaultModel
import VaultStore

/// The settings that a running agent goes by, and their way into the audit log.
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

  /// Reads the files, logs what is another value than before, and goes by it.
  ///
  /// - Parameter requester: who changed them; the agent itself, at its start.
  /// - Throws: where a file makes no sense, or a change cannot be logged; the settings stay as they were then.
  func take(requester: Requester, trigger: AuditTrigger) async throws {
    let settings = try AgentSettings(files: files, environment: environment)
    // A sink that is new begins with the row that says so.
    let head = await store.headSequence
    try await store.recordSettings(settings.logged, requester: requester, trigger: trigger)
    await store.setFailureRule(settings.failureRule)
    try await exporters.use(settings.exporters, from: head)
    await autoLock.use(settings.lockRule, settings.lockEvents, bus: settings.loginBus)
  }
}
