import AWSConfig
import VaultDatabase
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

// A person's changes to vault-managed profiles and keys.
extension ProfileCatalog {
  /// Adds or changes a vault-managed profile.
  func put(_ changes: [ProfileChange], requester: Requester, prompter: any Prompter) async throws {
    try await observeChanges(prompter, requester)
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
