import AWSClient
import AWSConfig
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// Takes over findings. What the vault has under a name is never overwritten: it is skipped, and that is said.
struct TakeOver {
  let catalog: ProfileCatalog
  let ssoSessions: SSOSessions
  let isDryRun: Bool
  /// What the vault has.
  let known: [SectionKey: KnownSection]
  let context: RequestContext

  /// One item for each finding.
  func run(_ findings: [TakeOverFinding]) async throws -> [TakeOverItem] {
    var items = findings.map { finding in
      TakeOverItem {
        ($0.kind, $0.name, $0.origin) = (finding.kind, finding.name, finding.origin)
      }
    }
    // Profiles may lead to a key.
    try await takeKeys(findings, &items)
    try await takeSections(findings, &items)
    try await takeSignIns(findings, &items)
    for (place, finding) in findings.enumerated() {
      if case .none(let why) = finding.offer { items[place].detail = why }
    }
    return items.map(Self.shortened)
  }

  /// Whatever a hostile file says, an item fits in a message. Scalars are counted, since one character may have any number of them.
  private static func shortened(_ item: TakeOverItem) -> TakeOverItem {
    func short(_ text: String) -> String { String(String.UnicodeScalarView(text.unicodeScalars.prefix(1_000))) }
    var item = item
    (item.name, item.origin, item.detail) = (short(item.name), short(item.origin), item.detail.map(short))
    return item
  }

  /// `2 access keys, 1 profile`
  static func counts(_ items: [TakeOverItem]) -> String {
    var counts: [(kind: String, count: Int)] = []
    for item in items {
      if let place = counts.firstIndex(where: { $0.kind == item.kind.rawValue }) {
        counts[place].count += 1
      } else {
        counts.append((item.kind.rawValue, 1))
      }
    }
    return counts.map { "\($0.count) \($0.kind)\($0.count == 1 ? "" : "s")" }.joined(separator: ", ")
  }

  // MARK: profiles and sso-sessions

  private func takeSections(_ findings: [TakeOverFinding], _ items: inout [TakeOverItem]) async throws {
    var offered: [SectionKey: ConfigSection] = [:]
    var places: [Int] = []
    /// The sso-sessions that the vault has with other contents.
    var others: Set<String> = []
    /// Why sso-sessions are not taken.
    var refused: [String: String] = [:]
    for (place, finding) in findings.enumerated() {
      guard case .section(let section, let replaces) = finding.offer else { continue }
      let key = SectionKey(section)
      if let fault = Self.fault(of: section) {
        items[place].detail = fault
        if section.kind == .ssoSession { refused[section.name] = fault }
      } else if offered[key] != nil {
        items[place].detail = "another of this name comes first"
      } else if let before = known[key], before.isOwn || !replaces {
        (items[place].result, items[place].detail) = (.known, Self.difference(section, before))
        if section.kind == .ssoSession, items[place].detail != nil { others.insert(section.name) }
      } else {
        offered[key] = section
        places.append(place)
      }
    }
    let keyed = Set(items.filter { $0.kind == .accessKey && $0.result != .notTaken }.map(\.name))
    let resolver = ChainResolver(
      lookup: { kind, name in
        let key = SectionKey(kind, name)
        let section = offered[key] ?? known[key]?.section
        guard kind == .profile, keyed.contains(name), section?["aws_access_key_id"] == nil else { return section }
        let keys = KeySettings.make(accessKeyId: "‹key›", mfaSerial: nil)
        return ConfigSection(kind: kind, name: name, settings: (section?.settings ?? []) + keys)
      }, environment: { _ in nil })
    var taken: [ConfigSection] = []
    var replacesAny = false
    for place in places {
      let finding = findings[place]
      guard case .section(let section, let replaces) = finding.offer else { continue }
      if let session = section.text("sso_session"), others.contains(session) {
        items[place].detail = "the vault has another sso-session \"\(session)\""
        continue
      }
      if let session = section.text("sso_session"), known[SectionKey(.ssoSession, session)] == nil, let why = refused[session] {
        items[place].detail = "its sso-session \"\(session)\" is not taken: \(why)"
        continue
      }
      if section.kind == .profile {
        do { _ = try resolver.chain(for: section.name) } catch {
          items[place].detail = error.message
          continue
        }
      }
      (items[place].result, items[place].detail) = (.taken, finding.note)
      taken.append(section)
      replacesAny = replacesAny || replaces && known[SectionKey(section)] != nil
    }
    guard !taken.isEmpty, !isDryRun else { return }
    try await catalog.takeOver(taken, isHiding: replacesAny, context)
  }

  /// The names and values of other programs are as hostile as their files.
  private static func fault(of section: ConfigSection) -> String? {
    guard ProfileChange.isProfileName(section.name) else { return "the name is not one that a profile may have" }
    for setting in section.settings {
      guard let text = setting.text, text.utf8.count <= 16_384,
        !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
      else { return "\(setting.name) has control characters or is too long" }
    }
    // As strict as `vault add`: whoever signs in there is shown this host.
    if let url = section.text("sso_start_url"), StartURL(url) == nil {
      return "its start URL \"\(url)\" is not an https URL"
    }
    for name in ["sso_region", "region"] {
      // saml2aws writes an empty region where none is set.
      guard let region = section.text(name), name != "region" || !region.isEmpty else { continue }
      if !Partition.isRegionName(region) { return "\(name) \"\(region)\" is not the name of a region" }
    }
    return nil
  }

  private static func difference(_ section: ConfigSection, _ known: KnownSection) -> String? {
    let differs = section.settings.contains { known.section.text($0.name) != $0.text }
    guard differs else { return nil }
    return known.isOwn
      ? "another \(section.kind.rawValue)"
      : "another \(section.kind.rawValue) has this name (\(known.section.settings.first?.origin.description ?? "an AWS config file"))"
  }

  // MARK: access keys

  private func takeKeys(_ findings: [TakeOverFinding], _ items: inout [TakeOverItem]) async throws {
    var known = Dictionary(
      try await catalog.store.accessKeys().map { ($0.name, $0.accessKeyId) }, uniquingKeysWith: { first, _ in first })
    for (place, finding) in findings.enumerated() {
      guard case .accessKey(let credential, let serial) = finding.offer else { continue }
      guard ProfileChange.isProfileName(finding.name) else {
        items[place].detail = "the name is not one that a profile may have"
        continue
      }
      if let id = known[finding.name] {
        items[place].result = .known
        if let credential, credential.accessKeyId != id {
          items[place].detail =
            "another key (\(id)); `vault access-key add --replace` would overwrite it"
        }
        continue
      }
      if let credential, !isDryRun {
        do {
          try await catalog.addAccessKey(
            finding.name, credential, mfaSerial: serial, replace: false, requester: context.requester)
        } catch let error as AgentError {
          items[place].detail = error.message
          continue
        }
      }
      (items[place].result, items[place].detail) = (.taken, finding.note)
      known[finding.name] = credential?.accessKeyId ?? ""
    }
  }

  // MARK: sign-ins

  private func takeSignIns(_ findings: [TakeOverFinding], _ items: inout [TakeOverItem]) async throws {
    for (place, finding) in findings.enumerated() {
      guard case .signIn(let token, let config) = finding.offer else { continue }
      if try await ssoSessions.isSignedIn(config) {
        items[place].result = .known
        continue
      }
      if let token, !isDryRun {
        do {
          try await ssoSessions.takeOver(token, in: config, context.network)
        } catch let error as SignInError {
          items[place].detail = Failure(error).message
          continue
        }
      }
      (items[place].result, items[place].detail) = (.taken, finding.note)
    }
  }
}

/// A section that the vault has, or would have once the AWS files are followed.
struct KnownSection: Sendable {
  let section: ConfigSection
  let isOwn: Bool
}

extension ProfileCatalog {
  /// Follows AWS files, unless they are followed already.
  func follow(_ files: ImportRequest, _ context: RequestContext) async throws -> ImportOutcome {
    try await observeChanges(context.prompter, context.requester)
    let known = Set(try await store.watchedFiles().map(\.path))
    if [files.config, files.credentials].compactMap({ $0 }).allSatisfy(known.contains) { return ImportOutcome() }
    return try await importFiles(files, requester: context.requester, prompter: context.prompter)
  }

  /// The places where the vault's profiles sign in; in a dry run, also those of files that are not followed yet.
  func signInPlaces(among known: [SectionKey: KnownSection], _ request: TakeOverRequest, _ context: RequestContext) async throws
    -> [SSOSessionConfig]
  {
    guard request.program == .awsCLICache else { return [] }
    guard request.dryRun else {
      var places: [SSOSessionConfig] = []
      for name in try reader.signInNames() {
        let place = try? await signInPlace(
          named: name, environment: context.environment, context.prompter, context.requester)
        if let place { places.append(place) }
      }
      return places
    }
    let environment = context.environment
    let resolver = ChainResolver(lookup: { known[SectionKey($0, $1)]?.section }, environment: { environment[$0] })
    let places = known.keys.filter { $0.kind == .ssoSession || known[$0]?.section["sso_start_url"] != nil }
      .compactMap { try? resolver.signInPlace(named: $0.name) }
    return Dictionary(places.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }).values.sorted { $0.name < $1.name }
  }

  /// Every section of the vault, and those of AWS files that it does not have yet.
  func knownSections(besides sections: [ConfigSection]) async throws -> [SectionKey: KnownSection] {
    var known = Dictionary(
      sections.map { (SectionKey($0), KnownSection(section: $0, isOwn: false)) }, uniquingKeysWith: { first, _ in first })
    for (kind, names) in [
      (SectionKind.profile, try reader.profileNames()), (.ssoSession, try reader.sectionNames(.ssoSession)),
    ] {
      for name in names {
        if let section = try reader.section(kind, name) {
          known[SectionKey(kind, name)] = KnownSection(section: section, isOwn: false)
        }
      }
    }
    for section in try await store.ownSections() { known[SectionKey(section)] = KnownSection(section: section, isOwn: true) }
    return known
  }

  /// Writes vault-managed sections.
  ///
  /// - Parameter isHiding: some take the place of a watched file's profile; it is recorded what they hide.
  func takeOver(_ sections: [ConfigSection], isHiding: Bool, _ context: RequestContext) async throws {
    let index = Dictionary(sections.map { (SectionKey($0), $0) }, uniquingKeysWith: { first, _ in first })
    let resolver = ChainResolver(
      lookup: { [reader] kind, name in index[SectionKey(kind, name)] ?? (try? reader.section(kind, name)) },
      environment: { _ in nil })
    let summaries = sections.filter { $0.kind == .profile }.map { resolver.summary(for: $0.name) }
    _ = try await store.importOwn(sections: sections, summaries: summaries, keys: [], requester: context.requester)
    try await summarizeOwn()
    if isHiding { try await retake(context.prompter, context.requester) }
  }
}
