import AWSConfig
import VaultDatabase
import VaultModel
import VaultStore

/// What followed files said when they were read last, so that a section that says the same is not read again.
struct SectionMarks: Sendable {
  fileprivate(set) var digests: [SectionKey: SectionDigest] = [:]
  /// Of the rows that it is about: any other change of rows makes it worthless.
  fileprivate(set) var generation: UInt64 = 0
  /// By name; they are a part of what a profile says.
  fileprivate(set) var held: [String: AccessKeyRecord]
}

/// What followed files are compared with.
struct KnownSections {
  /// Profiles of the vault's own, which those of the files do not touch.
  let own: Set<String>
  let held: [String: AccessKeyRecord]
  let rows: KnownFileRows
  /// Nil where the rows have changed since, or keys.
  let marks: SectionMarks?
}

/// Finds which sections of followed files are to be taken in: those that do not say what they said, and profiles that lead there.
struct ChangedSections {
  private let known: KnownSections
  private(set) var marks: SectionMarks
  var unchanged: UnchangedSections
  private var changed: Set<String> = []

  /// Profiles whose summary may be another one than before.
  private(set) var affected: Set<String> = []

  init(_ known: KnownSections) {
    self.known = known
    marks = SectionMarks(held: known.held)
    unchanged = UnchangedSections(generation: known.rows.generation)
    if let old = known.marks { marks.digests.reserveCapacity(old.digests.count) }
  }

  /// Whether what the store decides by is not in the file alone: a profile of the vault's own is in the way, or a key belongs to it.
  private func isShared(_ key: SectionKey) -> Bool {
    key.kind == .profile && (known.own.contains(key.name) || known.held[key.name] != nil)
  }

  /// Whether a section, which was not read, is to be left out.
  mutating func isUnchanged(_ key: SectionKey, _ digest: SectionDigest) -> Bool {
    marks.digests[key] = digest
    guard let old = known.marks else { return false }
    if old.digests[key] != digest {
      changed.insert(key.name)
      return false
    }
    return !isShared(key) && leave(key)
  }

  /// Whether a section is to be left out.
  mutating func isUnchanged(_ section: ConfigSection, hasSecrets: Bool) -> Bool {
    let key = SectionKey(section)
    guard known.marks == nil else { return false }
    var section = section
    if section.kind == .profile, let key = known.held[section.name] { KeySettings.add(key, to: &section) }
    guard known.rows.holds(section) else {
      changed.insert(section.name)
      return false
    }
    return !hasSecrets && !isShared(key) && leave(key)
  }

  private mutating func leave(_ key: SectionKey) -> Bool {
    unchanged.keys.insert(key)
    return true
  }

  /// Adds what went, and finds who leads to what changed, over any number of profiles.
  ///
  /// - Returns: the names of all that.
  mutating func spread(_ reader: VaultReader) throws -> Set<String> {
    if let old = known.marks {
      for key in old.digests.keys where marks.digests[key] == nil { changed.insert(key.name) }
    } else {
      for key in known.rows.keys where marks.digests[key] == nil { changed.insert(key.name) }
    }
    guard !changed.isEmpty || known.marks == nil else { return [] }
    let referrers = try reader.referrers()
    if known.marks == nil {
      // Of what stands in no file it is not known whether it was there, and said the same, when the summaries were made.
      for name in referrers.keys where !marks.names(name) { changed.insert(name) }
    }
    var open = Array(changed)
    affected = changed
    while let name = open.popLast() {
      for profile in referrers[name] ?? [] where affected.insert(profile).inserted { open.append(profile) }
    }
    return affected
  }

  /// Whether the keys are those that the files were compared with.
  func stands(with held: [AccessKeyRecord]) -> Bool {
    held.count == known.held.count && held.allSatisfy { known.held[$0.name] == $0 }
  }

  /// The marks to keep once the sections are taken in.
  func marks(generation: UInt64) -> SectionMarks {
    var marks = marks
    marks.generation = generation
    return marks
  }
}

extension SectionMarks {
  /// Whether a section of any kind has that name.
  fileprivate func names(_ name: String) -> Bool {
    [SectionKind.profile, .ssoSession, .services].contains { digests[SectionKey($0, name)] != nil }
  }
}
