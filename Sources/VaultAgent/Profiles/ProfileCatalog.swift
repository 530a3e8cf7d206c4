import AWSClient
import AWSConfig
import VaultConcurrency
import VaultDatabase
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// The current profiles: follows the AWS files, and resolves a profile's name to a plan.
///
/// One `stat` per request detects a change of a watched file, so that nothing has to watch or wake up.
actor ProfileCatalog {
  let store: VaultStore
  let masterKeys: MasterKeyService
  let reader: VaultReader
  private let defaultSessionName: RoleSessionName
  var knownFiles: [WatchedFile]?
  var marks: SectionMarks?
  /// Rows that are known, and logged, to be from another program.
  var told: Set<RowError> = []
  private var plans: [PlanKey: CredentialPlan] = [:]
  /// The environments of the cached plans, each once: a thousand plans mostly share one.
  private var environments: [[String: String]] = []
  let importing: SingleFlightGroup<any Prompter, ImportOutcome>
  private var knownRoles: ProfilesByRole?
  private let changed: @Sendable () -> Void

  /// The inputs of a plan besides the profiles.
  private struct PlanKey: Hashable {
    let profile: String
    let duration: SessionDuration?
    let sessionName: RoleSessionName?
    let keyUse: KeyUse
    let scope: SessionScope
    let role: RoleARN?
    let run: AutomationRun?
    /// Its index among the environments.
    let environment: Int
  }

  /// - Parameter changed: called after every change to profiles or keys.
  init(
    store: VaultStore, masterKeys: MasterKeyService, reader: VaultReader, defaultSessionName: RoleSessionName,
    clock: any WallClock, changed: @escaping @Sendable () -> Void = {}
  ) {
    self.changed = changed
    importing = SingleFlightGroup(clock: clock)
    self.store = store
    self.masterKeys = masterKeys
    self.reader = reader
    self.defaultSessionName = defaultSessionName
  }

  /// The plan for a request.
  func plan(for request: CredentialRequest, prompter: any Prompter, requester: Requester) async throws -> CredentialPlan {
    try await plan(
      for: request.profile, duration: request.duration, sessionName: request.sessionName, keyUse: request.keyUse,
      scope: request.scope, role: request.role, run: request.run, environment: request.environment, prompter: prompter,
      requester: requester)
  }

  /// The plan for a profile.
  ///
  /// - Throws: `AgentError.unknownProfile`, or the fault in the profile's configuration; also for a scope that it cannot have.
  func plan(
    for profile: String, duration: SessionDuration?, sessionName: RoleSessionName?, keyUse: KeyUse = .session,
    scope: SessionScope = .none, role: RoleARN? = nil, run: AutomationRun? = nil, environment: [String: String],
    prompter: any Prompter, requester: Requester
  ) async throws -> CredentialPlan {
    try await observeChanges(prompter, requester)
    func key(_ place: Int) -> PlanKey {
      PlanKey(
        profile: profile, duration: duration, sessionName: sessionName, keyUse: keyUse, scope: scope, role: role,
        run: run, environment: place)
    }
    if let plan = plans[key(place(of: environment))] { return plan }
    guard try reader.section(.profile, profile) != nil else { throw try unknown(profile) }
    let own = try await resolved(environment, prompter: prompter, requester: requester) { try $0.chain(for: profile) }
    let chain = try own.scoped(scope, role: role, keyUse: keyUse)
    if let duration, !duration.isForRole {
      guard chain.roles.isEmpty, case .keys = chain.identity else { throw AgentError.tooLong(profile: profile) }
    }
    let plan = CredentialPlan(
      chain, duration: duration, sessionName: sessionName, defaultSessionName: defaultSessionName, keyUse: keyUse,
      scope: scope, run: run, isOwn: run == nil && chain == own && (scope.isEmpty || !chain.roles.isEmpty),
      proxy: ProxySettings { environment[$0] }.display)
    if plans.count >= 4_096 { plans.removeAll() }
    // The environments may have been renumbered meanwhile.
    plans[key(place(of: environment))] = plan
    return plan
  }

  private func place(of environment: [String: String]) -> Int {
    if let known = environments.firstIndex(of: environment) { return known }
    if environments.count >= 64 {
      environments.removeAll()
      plans.removeAll()
    }
    environments.append(environment)
    return environments.count - 1
  }

  /// - Throws: `AgentError.unknownProfile`.
  func requireProfile(_ name: String) throws {
    guard try reader.section(.profile, name) != nil else { throw try unknown(name) }
  }

  private func unknown(_ profile: String) throws -> AgentError {
    let names = try reader.profileNames()
    return .unknownProfile(name: profile, suggestion: Suggestion.nearest(to: profile, in: names), count: names.count)
  }

  /// The endpoint of a service for a profile.
  func endpoint(of profile: String, _ service: AWSConfig.Service, environment: [String: String]) throws -> EndpointSettings {
    try resolver(environment).endpoint(of: profile, service)
  }

  /// A profile's region from files alone: its own, else that of its nearest source, else its partition's.
  func region(of profile: String, _ environment: [String: String]) throws -> String? {
    var files = environment
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] { files[name] = nil }
    let chain = try resolver(files).chain(for: profile)
    return chain.region ?? chain.roles.last?.region
  }

  func resolver(_ environment: [String: String]) -> ChainResolver {
    ChainResolver(lookup: { [reader] kind, name in try? reader.section(kind, name) }, environment: { environment[$0] })
  }

  /// The profiles by their roles, read once after each change.
  func profilesByRole() throws -> ProfilesByRole {
    if let knownRoles { return knownRoles }
    let resolver = resolver([:])
    let roles = ProfilesByRole(try reader.profileNames()) { (try? resolver.chain(for: $0))?.deliveredRoleARNs ?? [] }
    knownRoles = roles
    return roles
  }

  /// Called after every change to profiles or keys.
  func forgetPlans() {
    plans.removeAll()
    knownRoles = nil
    knownFiles = nil
    changed()
  }
}

// Places for signing in.
extension ProfileCatalog {
  /// - Parameter name: the name of an `sso-session`, or of a profile that uses one; or a start URL, as in older profiles.
  func signInPlace(
    named name: String, environment: [String: String], _ prompter: any Prompter, _ requester: Requester
  ) async throws -> SSOSessionConfig {
    if try reader.section(.ssoSession, name) != nil || reader.section(.profile, name) != nil {
      return try await resolved(environment, prompter: prompter, requester: requester) { try $0.signInPlace(named: name) }
    }
    // A sign-in of the older form is named after its URL.
    if let profile = try reader.profiles(ofSignIn: name).first {
      let place = try await resolved(environment, prompter: prompter, requester: requester) { try $0.signInPlace(named: profile) }
      if place.name == name { return place }
    }
    let names = try reader.sectionNames(.ssoSession)
    throw AgentError.unknownSignIn(name: name, suggestion: Suggestion.nearest(to: name, in: try names + reader.profileNames()))
  }

  /// The sign-in place, if there is only one.
  func onlySignInPlace(environment: [String: String], _ prompter: any Prompter, _ requester: Requester) async throws
    -> SSOSessionConfig
  {
    let names = try reader.signInNames()
    guard names.count == 1 else { throw AgentError.whichSignIn(names: names) }
    return try await signInPlace(named: names[0], environment: environment, prompter, requester)
  }
}

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

// A person's changes to vault-managed profiles and keys.
extension ProfileCatalog {
  /// Adds or changes a vault-managed profile.
  func put(_ changes: [ProfileChange], requester: Requester, prompter: any Prompter) async throws {
    try await observeChanges(prompter, requester)
    if changes.count == 1, let change = changes.first, change.mustExist, try await isOwnSignIn(change.name) {
      return try await changeSignIn(change, prompter: prompter, requester: requester)
    }
    var written: [VaultStore.WrittenProfile] = []
    for change in changes { written.append(try await checked(change, prompter: prompter, requester: requester)) }
    try await store.putProfiles(written, requester: requester)
    forgetPlans()
  }

  /// The profile after a change. A profile that cannot lead to credentials is refused here, where the person can correct it.
  private func checked(_ change: ProfileChange, prompter: any Prompter, requester: Requester) async throws
    -> VaultStore.WrittenProfile
  {
    guard ProfileChange.isProfileName(change.name) else {
      throw AgentError.badRequest(
        "invalid profile name: use 1 to 256 bytes, no control characters, no leading -")
    }
    var section = try reader.section(.profile, change.name)
    if change.mustExist {
      try requireProfile(change.name)
      try await requireOwn(change.name)
      // A change keeps the rest, and so must not adopt another program's data.
      section = try await proven(prompter, requester) { $0(.profile, change.name) }
    } else if section != nil {
      throw AgentError.profileExists(name: change.name)
    }
    let settings = try change.applied(to: section?.settings ?? [])
    let candidate = ConfigSection(kind: .profile, name: change.name, settings: settings)
    let resolver = ChainResolver(
      lookup: { [reader] kind, name in kind == .profile && name == candidate.name ? candidate : try? reader.section(kind, name) },
      environment: { _ in nil })
    _ = try resolver.chain(for: change.name)
    return (change.name, settings, resolver.summary(for: change.name))
  }

  func remove(_ name: String, requester: Requester) async throws {
    try requireProfile(name)
    try await requireOwn(name)
    let hasHidden = try reader.shadowedSections().contains { $0.profile == name }
    try await store.removeProfile(name, requester: requester)
    forgetPlans()
    // The profile of a watched file that it had hidden is taken in with the next request, as if the file had changed.
    if hasHidden { knownFiles = try await store.watchedFiles().map(\.asChanged) }
  }

  /// - Throws: if the profile comes from a watched file, where it must be changed.
  private func requireOwn(_ name: String) async throws {
    guard try await isOwn(name) else {
      let file = try reader.section(.profile, name)?.settings.first?.origin.description
      throw AgentError.notOurs(profile: name, file: file ?? "an AWS config file")
    }
  }

  private func isOwn(_ name: String) async throws -> Bool {
    try await store.ownSections().contains { $0.kind == .profile && $0.name == name }
  }

  /// Seals an access key, and creates the profile that hands out its sessions if none has that name.
  func addAccessKey(_ name: String, _ credential: Credential, mfaSerial: String?, replace: Bool, requester: Requester)
    async throws
  {
    guard ProfileChange.isProfileName(name) else {
      throw AgentError.badRequest(
        "invalid key name: use 1 to 256 bytes, no control characters, no leading -")
    }
    if !replace, try await store.accessKeys().contains(where: { $0.name == name }) { throw AgentError.keyExists(name: name) }
    let isOwn = try await isOwn(name)
    let section =
      isOwn ? try await proven(NonInteractivePrompter(), requester) { $0(.profile, name) } : try reader.section(.profile, name)
    try await store.addAccessKey(name: name, credential: credential, mfaSerial: mfaSerial, requester: requester)
    if section != nil, !isOwn { return try await retake(NonInteractivePrompter(), requester) }
    // A vault-managed profile says that it has the key.
    var settings =
      section?.settings.filter { !KeySettings.names.contains($0.name) && (mfaSerial == nil || $0.name != "mfa_serial") } ?? []
    settings += KeySettings.make(accessKeyId: credential.accessKeyId, mfaSerial: mfaSerial)
    try await rewrite(name, settings: settings, requester: requester)
  }

  /// Writes a profile's settings and updates everything that depends on them.
  private func rewrite(_ name: String, settings: [Setting], requester: Requester) async throws {
    try await store.putProfiles([(name, settings, ProfileSummary(name: name, kind: nil))], requester: requester)
    try await summarizeOwn()
  }

  /// The endpoints for an access key's calls, and the chain of the profile that hands out its sessions.
  func keyPlace(_ name: String, environment: [String: String], prompter: any Prompter, requester: Requester) async throws -> (
    CredentialChain, iam: EndpointSettings
  ) {
    if let setting = try reader.section(.profile, name)?["aws_secret_access_key"]
      ?? reader.section(.profile, name)?["aws_access_key_id"],
      setting.origin.line > 0
    {
      throw KeyRotationError.inFile(name: name, file: setting.origin.description)
    }
    return try await resolved(environment, prompter: prompter, requester: requester) {
      (try $0.chain(for: name), try $0.endpoint(of: name, .iam))
    }
  }

  /// A key has a new ID: its profile is updated, if the vault manages it.
  func keyChanged(_ name: String, accessKeyId: String, requester: Requester) async throws {
    guard try await isOwn(name), let section = try await proven(NonInteractivePrompter(), requester, body: { $0(.profile, name) })
    else {
      return forgetPlans()
    }
    let settings = section.settings.map { setting in
      setting.name == "aws_access_key_id"
        ? Setting(name: setting.name, value: .text(accessKeyId), origin: setting.origin) : setting
    }
    try await rewrite(name, settings: settings, requester: requester)
  }

  func removeAccessKey(_ name: String, requester: Requester) async throws {
    let keys = try await store.accessKeys()
    guard keys.contains(where: { $0.name == name }) else {
      throw AgentError.unknownKey(name: name, suggestion: Suggestion.nearest(to: name, in: keys.map(\.name)))
    }
    try await store.removeAccessKey(name: name, requester: requester)
    if let serial = keys.first(where: { $0.name == name })?.mfaSerial,
      !keys.contains(where: { $0.name != name && $0.mfaSerial == serial })
    {
      try await store.removeMFASecret(serial: serial, requester: requester)
    }
    if !(try await isOwn(name)) { return try await retake(NonInteractivePrompter(), requester) }
    let left =
      try await proven(NonInteractivePrompter(), requester) { $0(.profile, name) }?.settings.filter {
        !KeySettings.names.contains($0.name) && $0.name != "mfa_serial"
      }
      ?? []
    if left.isEmpty {
      try await store.removeProfile(name, requester: requester)
      try await summarizeOwn()
    } else {
      try await rewrite(name, settings: left, requester: requester)
    }
  }
}
