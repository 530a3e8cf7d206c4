import AWSConfig
import VaultBytes
import VaultDatabase
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

// Importing AWS files, and following them.
extension ProfileCatalog {
  /// Reads the watched files again if one of them has changed.
  func observeChanges(_ prompter: any Prompter, _ requester: Requester) async throws {
    let known: [WatchedFile]
    do {
      if let knownFiles { known = knownFiles } else { known = try await store.watchedFiles() }
    } catch let fault as RowError {
      try await log(fault, requester)
      throw fault
    }
    knownFiles = known
    guard known.contains(where: { FileIdentity(path: $0.path) != $0.identity }) else { return }
    _ = try await importing.share("follow", for: prompter) { [self] prompter in
      if let outcome = try await importChanges(known, prompter: prompter, requester: requester) { return outcome }
      let sources = try ImportSources(followed: known)
      return try await importFiles(sources, trigger: .start, prompter: prompter, requester: requester)
    }
  }

  /// Takes in the changes in watched files.
  ///
  /// - Returns: nil if they must be taken in as a whole.
  private func importChanges(_ followed: [WatchedFile], prompter: any Prompter, requester: Requester) async throws
    -> ImportOutcome?
  {
    let held = Dictionary(try await store.accessKeys().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let marks = marks?.held == held ? marks : nil
    guard let rows = try await store.knownFileRows(besides: marks?.generation) else { return nil }
    let known = KnownSections(
      own: try await store.ownProfileNames(), held: held, rows: rows, marks: marks?.generation == rows.generation ? marks : nil)
    do {
      guard let sources = try ImportSources(changedIn: followed, known: known, reader: reader) else { return nil }
      return try await importFiles(sources, trigger: .start, prompter: prompter, requester: requester)
    } catch is RowsMoved {
      return nil
    } catch is ConfigError {
      // Of several faults in a file, the first is reported.
      return nil
    }
  }

  /// Reads the watched files again, since the vault's own data for them has changed.
  func retake(_ prompter: any Prompter, _ requester: Requester) async throws {
    _ = try await importFiles(
      try ImportSources(followed: try await store.watchedFiles()), trigger: .manual, prompter: prompter, requester: requester)
  }

  /// Imports the profiles of files that a person names.
  func importFiles(_ request: ImportRequest, requester: Requester, prompter: any Prompter) async throws -> ImportOutcome {
    if request.once {
      let sources = try ImportSources(followed: []).adding(request)
      return try await copy(sources, prompter: prompter, requester: requester)
    }
    let known = try await store.watchedFiles()
    var sources = try ImportSources(followed: known).adding(request)
    if await !store.isUnlocked {
      try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
      // A locked vault trusts its list unverified.
      let proven = try await store.watchedFiles()
      if proven != known { sources = try ImportSources(followed: proven).adding(request) }
    }
    return try await importFiles(sources, trigger: .manual, prompter: prompter, requester: requester)
  }

  /// Replaces the followed profiles by the current contents of the files.
  ///
  /// - Parameter fault: the fault in their rows that another program caused.
  func importFiles(
    _ sources: ImportSources, trigger: AuditTrigger, prompter: any Prompter, requester: Requester,
    after fault: RowError? = nil
  ) async throws -> ImportOutcome {
    // The key is created before anything is taken in, so that a vault is complete from its first import on. If the vault is locked,
    // only files without secrets can be followed.
    if !sources.keys.isEmpty || trigger == .manual { try await masterKeys.ensureUnlocked(for: prompter, requester: requester) }
    let held = try await store.accessKeys()
    let changes = sources.changes
    if let changes, !changes.stands(with: held) { throw RowsMoved() }
    let sections = sources.sections(holding: held)
    let index = Dictionary(sections.map { (SectionKey($0), $0) }, uniquingKeysWith: { first, _ in first })
    // A key that was added by hand belongs to the file's profile, as it does if the file came first.
    let all = try await store.ownSections()
    let stubs = Set(all.filter { KeySettings.isStub($0, held) && index[SectionKey($0)] != nil }.map(\.name))
    let own = all.filter { $0.kind != .profile || !stubs.contains($0.name) }
    let ownIndex = Dictionary(own.map { (SectionKey($0), $0) }, uniquingKeysWith: { first, _ in first })
    let resolver = ChainResolver(
      lookup: { [reader] kind, name in
        let key = SectionKey(kind, name)
        if let section = ownIndex[key] ?? index[key] { return section }
        return changes?.unchanged.keys.contains(key) == true ? try? reader.section(kind, name) : nil
      }, environment: { _ in nil })
    let summaries = sections.filter { $0.kind == .profile }.map { resolver.summary(for: $0.name) }
    let summary = try await store.importFiles(
      sources.files, sections: sections, summaries: summaries, keys: sources.keys, unchanged: changes?.unchanged,
      yielding: stubs, requester: requester, trigger: trigger, after: fault)
    for key in held where summary.removed.contains(key.name) && key.origin == SettingOrigin.vault.file {
      // The key stays, and so does a profile for it.
      try await store.putProfiles(
        [(key.name, KeySettings.make(key), ProfileSummary(name: key.name, kind: .keys))], requester: requester)
    }
    try await store.updateSummaries(
      own.filter { $0.kind == .profile && changes?.affected.contains($0.name) != false }.map { resolver.summary(for: $0.name) })
    forgetPlans()
    marks = changes?.marks(generation: summary.generation)
    let hidden = summary.shadowed.map { name in
      let place = index[SectionKey(.profile, name)]?.settings.first?.origin.description ?? "an AWS config file"
      return
        "\(place): ignored in favor of the vault-managed profile \"\(name)\"; `vault remove \(ShellText.word(name))` removes that"
    }
    let unusable = Self.unusable(summaries.filter { ownIndex[SectionKey(.profile, $0.name)] == nil })
    return ImportOutcome {
      ($0.lines, $0.warnings) = (
        Self.lines(summary, unusable: unusable.count), sources.warnings + hidden + unusable.lines
      )
      $0.plainKeys = Self.plainKeys(sources)
    }
  }

  /// Copies the profiles into the vault as vault-managed profiles.
  private func copy(_ sources: ImportSources, prompter: any Prompter, requester: Requester) async throws -> ImportOutcome {
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let sections = sources.sections(holding: [])
    let index = Dictionary(sections.map { (SectionKey($0), $0) }, uniquingKeysWith: { first, _ in first })
    let resolver = ChainResolver(
      lookup: { [reader] kind, name in index[SectionKey(kind, name)] ?? (try? reader.section(kind, name)) },
      environment: { _ in nil })
    let summaries = sections.filter { $0.kind == .profile }.map { resolver.summary(for: $0.name) }
    let summary = try await store.importOwn(sections: sections, summaries: summaries, keys: sources.keys, requester: requester)
    try await summarizeOwn()
    let unusable = Self.unusable(summaries)
    return ImportOutcome {
      ($0.lines, $0.warnings) = (Self.lines(summary, unusable: unusable.count), sources.warnings + unusable.lines)
      $0.plainKeys = Self.plainKeys(sources)
    }
  }

  /// Updates the summaries of vault-managed profiles for `vault list`.
  func summarizeOwn() async throws {
    forgetPlans()
    let resolver = resolver([:])
    let own = try await store.ownSections().filter { $0.kind == .profile }
    try await store.updateSummaries(own.map { resolver.summary(for: $0.name) })
  }

  /// The profiles that lead to no credentials, with the reason that `vault show` gives; not all of many.
  private static func unusable(_ summaries: [ProfileSummary]) -> (count: Int, lines: [String]) {
    let broken = summaries.filter { $0.problem != nil }
    var lines = broken.prefix(10).map { "\"\($0.name)\" cannot be used: \($0.problem ?? "")" }
    if broken.count > 10 { lines.append("\(broken.count - 10) more profiles cannot be used; `vault list` marks them as broken") }
    return (broken.count, lines)
  }

  private static func lines(_ summary: ImportSummary, unusable: Int) -> [String] {
    let total = summary.added.count + summary.changed.count + summary.unchanged
    return [
      "\(total) \(total == 1 ? "profile" : "profiles"): \(summary.added.count) new, \(summary.changed.count) changed, \(summary.removed.count) gone"
        + (unusable > 0 ? "; \(unusable) of them cannot be used" : "")
    ]
  }

  private static func plainKeys(_ sources: ImportSources) -> String? {
    let count = sources.keys.count
    return count == 0
      ? nil
      : "\(count) access \(count == 1 ? "key is" : "keys are") encrypted in the vault; `vault import --take-keys` takes the plain text out of \(sources.keyFiles.joined(separator: ", "))"
  }
}
