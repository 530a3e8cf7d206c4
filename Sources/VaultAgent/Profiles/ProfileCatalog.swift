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

  /// The inputs of a plan besides the profiles.
  private struct PlanKey: Hashable {
    let profile: String
    let duration: SessionDuration?
    let sessionName: RoleSessionName?
    let keyUse: KeyUse
    /// Its index among the environments.
    let environment: Int
  }

  init(
    store: VaultStore, masterKeys: MasterKeyService, reader: VaultReader, defaultSessionName: RoleSessionName,
    clock: any WallClock
  ) {
    importing = SingleFlightGroup(clock: clock)
    self.store = store
    self.masterKeys = masterKeys
    self.reader = reader
    self.defaultSessionName = defaultSessionName
  }

  /// The plan for a profile.
  ///
  /// - Throws: `AgentError.unknownProfile`, or the fault in the profile's configuration.
  func plan(
    for profile: String, duration: SessionDuration?, sessionName: RoleSessionName?, keyUse: KeyUse = .session,
    environment: [String: String], prompter: any Prompter, requester: Requester
  ) async throws -> CredentialPlan {
    try await observeChanges(prompter, requester)
    let key = PlanKey(
      profile: profile, duration: duration, sessionName: sessionName, keyUse: keyUse, environment: place(of: environment))
    if let plan = plans[key] { return plan }
    guard try reader.section(.profile, profile) != nil else { throw try unknown(profile) }
    let chain = try await resolved(environment, prompter: prompter, requester: requester) { try $0.chain(for: profile) }
    if let duration, !duration.isForRole {
      guard chain.roles.isEmpty, case .keys = chain.identity else { throw AgentError.tooLong(profile: profile) }
    }
    let plan = CredentialPlan(
      chain, duration: duration, sessionName: sessionName, defaultSessionName: defaultSessionName, keyUse: keyUse,
      proxy: ProxySettings { environment[$0] }.display)
    if plans.count >= 4_096 { plans.removeAll() }
    // The environments may have been renumbered meanwhile.
    let place = self.place(of: environment)
    plans[PlanKey(profile: profile, duration: duration, sessionName: sessionName, keyUse: keyUse, environment: place)] = plan
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

  /// Called after every change to profiles or keys.
  func forgetPlans() {
    plans.removeAll()
    knownFiles = nil
  }
}
