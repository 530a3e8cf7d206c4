import AWSConfig
import VaultDatabase
import VaultModel
import VaultStore

/// The contents of the watched files at the last read, so that an unchanged section is not read again.
struct SectionMarks: Sendable {
  fileprivate(set) var digests: [SectionKey: SectionDigest] = [:]
  /// For each name, the profiles that refer to it, or did.
  fileprivate(set) var referrers: [String: Set<String>] = [:]
  /// The generation of the rows that the marks describe: any other change of rows invalidates them.
  fileprivate(set) var generation: UInt64 = 0
  /// Keyed by name; the keys are part of a profile's contents.
  fileprivate(set) var held: [String: AccessKeyRecord]
}

/// The state with which the watched files are compared.
struct KnownSections {
  /// Vault-managed profiles, which those of the files do not change.
  let own: Set<String>
  let held: [String: AccessKeyRecord]
  let rows: KnownFileRows
  /// Nil if the rows or the keys have changed since.
  let marks: SectionMarks?
}

/// Finds the sections of watched files to take in: those that have changed, and the profiles that lead to them.
struct ChangedSections {
  private let known: KnownSections
  private(set) var marks: SectionMarks
  var unchanged: UnchangedSections
  private var changed: Set<String> = []

  /// Profiles whose summary may have changed.
  private(set) var affected: Set<String> = []

  init(_ known: KnownSections) {
    self.known = known
    marks = SectionMarks(held: known.held)
    unchanged = UnchangedSections(generation: known.rows.generation)
    if let old = known.marks { marks.digests.reserveCapacity(old.digests.count) }
  }

  /// Whether the store's decision depends on more than the file: a vault-managed profile hides this one, or a key belongs to it.
  private func isShared(_ key: SectionKey) -> Bool {
    key.kind == .profile && (known.own.contains(key.name) || known.held[key.name] != nil)
  }

  /// Whether to skip a section that was not parsed.
  mutating func isUnchanged(_ key: SectionKey, _ digest: SectionDigest) throws -> Bool {
    marks.digests[key] = digest
    guard let old = known.marks else { return false }
    if old.digests[key] != digest {
      try add(key.name)
      return false
    }
    return !isShared(key) && leave(key)
  }

  /// Whether to skip a section.
  mutating func isUnchanged(_ section: ConfigSection, hasSecrets: Bool) throws -> Bool {
    let key = SectionKey(section)
    guard known.marks == nil else { return false }
    var section = section
    if section.kind == .profile, let key = known.held[section.name] { KeySettings.add(key, to: &section) }
    guard known.rows.holds(section) else {
      try add(section.name)
      return false
    }
    return !hasSecrets && !isShared(key) && leave(key)
  }

  /// - Throws: `RowsMoved` if there are so many that reading the whole files costs less: after a new line at the top of a long
  ///   file.
  private mutating func add(_ name: String) throws {
    changed.insert(name)
    if changed.count > 1_000 { throw RowsMoved() }
  }

  private mutating func leave(_ key: SectionKey) -> Bool {
    unchanged.keys.insert(key)
    return true
  }

  /// Adds removed sections, and finds the profiles that lead to a change, through any number of profiles.
  ///
  /// - Parameter sections: the sections that are taken in.
  /// - Returns: the names of all these.
  mutating func spread(_ reader: VaultReader, from sections: [ConfigSection]) throws -> Set<String> {
    if let old = known.marks {
      for key in old.digests.keys where marks.digests[key] == nil { unchanged.gone.insert(key) }
      marks.referrers = old.referrers
    } else {
      for key in known.rows.keys where marks.digests[key] == nil { unchanged.gone.insert(key) }
      for (name, profiles) in try reader.referrers() { marks.referrers[name] = Set(profiles) }
      // If no file has a name, it is unknown whether it existed, with the same contents, when the summaries were made.
      for name in marks.referrers.keys where !marks.names(name) { changed.insert(name) }
    }
    for key in unchanged.gone { changed.insert(key.name) }
    for section in sections where section.kind == .profile {
      for name in VaultReader.references where section.text(name) != nil {
        marks.referrers[section.text(name) ?? "", default: []].insert(section.name)
      }
    }
    var open = Array(changed)
    affected = changed
    while let name = open.popLast() {
      for profile in marks.referrers[name] ?? [] where affected.insert(profile).inserted { open.append(profile) }
    }
    return affected
  }

  /// Whether the keys are those with which the files were compared.
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
