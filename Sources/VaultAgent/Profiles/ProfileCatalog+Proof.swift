import AWSConfig
import VaultDatabase
import VaultModel
import VaultStore

// Nothing is sent, run or written because of rows that this vault did not write.
extension ProfileCatalog {
  typealias Lookup = (SectionKind, String) -> ConfigSection?

  /// Runs `body` with the profiles and sections that the vault itself wrote. Rows of watched files that another program changed are
  /// first read from the files again.
  ///
  /// - Throws: `RowError` for vault-managed profiles; `StoreError.locked` once `body` finds nothing else wrong, since a profile's
  ///   faults can be reported without a key.
  func proven<Value>(_ prompter: any Prompter, _ requester: Requester, body: (@escaping Lookup) throws -> Value) async throws
    -> Value
  {
    guard await store.isUnlocked else {
      _ = try body { [reader] kind, name in try? reader.section(kind, name) }
      throw StoreError.locked
    }
    do {
      do {
        return try await provenOnce(prompter, requester, body: body)
      } catch let fault as RowError where fault.isOfFile {
        try await readAgain(fault, prompter: prompter, requester: requester)
        return try await provenOnce(prompter, requester, body: body)
      }
    } catch let fault as RowError {
      try await log(fault, requester)
      throw fault
    }
  }

  private func provenOnce<Value>(
    _ prompter: any Prompter, _ requester: Requester, body: (@escaping Lookup) throws -> Value
  ) async throws -> Value {
    try await repairFileRows(prompter, requester)
    let sections = ProvenSections(reader: reader, macs: try await store.authenticRows())
    do {
      let value = try body(sections.section)
      if let fault = sections.fault { throw fault }
      return value
    } catch {
      // A section that is withheld looks missing.
      throw sections.fault ?? error
    }
  }

  /// A chain resolver over proven sections; see ``proven(_:_:body:)``.
  func resolved<Value>(
    _ environment: [String: String], prompter: any Prompter, requester: Requester, body: (ChainResolver) throws -> Value
  ) async throws -> Value {
    try await proven(prompter, requester) { lookup in
      try body(ChainResolver(lookup: lookup, environment: { environment[$0] }))
    }
  }

  /// Reads the watched files again if their rows were taken in while the vault was locked, or some are missing.
  private func repairFileRows(_ prompter: any Prompter, _ requester: Requester) async throws {
    _ = try await store.authenticRows()
    switch await store.fileRows {
    case .asWritten: return
    case .pending: try await readFiles(nil, prompter: prompter, requester: requester)
    case .changed: try await readAgain(nil, prompter: prompter, requester: requester)
    }
  }

  /// - Parameter fault: nil if it is unknown which row is wrong.
  private func readAgain(_ fault: RowError?, prompter: any Prompter, requester: Requester) async throws {
    prompter.notice("\(fault?.message ?? VaultStore.changedFileRows); the watched files are read again")
    try await readFiles(fault, prompter: prompter, requester: requester)
  }

  private func readFiles(_ fault: RowError?, prompter: any Prompter, requester: Requester) async throws {
    _ = try await importing.share(fault?.what ?? "follow", for: prompter) { [self] prompter in
      let sources = try ImportSources(followed: try await store.watchedFiles())
      return try await importFiles(sources, trigger: .start, prompter: prompter, requester: requester, after: fault)
    }
  }

  /// Logs rows from another program, each once.
  func log(_ fault: RowError, _ requester: Requester) async throws {
    guard told.insert(fault).inserted else { return }
    var event = AuditEvent(action: .databaseChanged, outcome: .refused, trigger: .start, requester: requester)
    event.error = fault.message
    try await store.record(event)
  }
}
