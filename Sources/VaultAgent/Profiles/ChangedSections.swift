import AWSConfig
import VaultDatabase
import VaultModel
import VaultStore

/// What followed files said when they were read last, so that a section that says the same is not read again.
struct SectionMarks: Sendable {
  fileprivate(set) var digests: [SectionKey: SectionDigest] = [:]
  /// For each name, the profiles that refer to it, or did.
  fileprivate(set) var referrers: [String: Set<String>] = [:]
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
  mutating func isUnchanged(_ key: SectionKey, _ digest: SectionDigest) throws -> Bool {
    marks.digests[key] = digest
    guard let old = known.marks else { return false }
    if old.digests[key] != digest {
      try add(key.name)
      return false
    }
    return !isShared(key) && leave(key)
  }

  /// Whether a section is to be left out.
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

  /// - Throws: `RowsMoved` for so many that it costs less to read the files as a whole: after a new line at the top of a long file.
  private mutating func add(_ name: String) throws {
    changed.insert(name)
    if changed.count > 1_000 { throw RowsMoved() }
  }

  private mutating func leave(_ key: SectionKey) -> Bool {
    unchanged.keys.insert(key)
    return true
  }

  /// Adds what went, and finds who leads to what changed, over any number of profiles.
  ///
  /// - Parameter sections: those that are taken in.
  /// - Returns: the names of all that.
  mutating func spread(_ reader: VaultReader, from sections: [ConfigSection]) throws -> Set<String> {
    if let old = known.marks {
      for key in old.digests.keys where marks.digests[key] == nil { unchanged.gone.insert(key) }
      marks.referrers = old.referrers
    } else {
      for key in known.rows.keys where marks.digests[key] == nil { unchanged.gone.insert(key) }
      for (name, profiles) in try reader.referrers() { marks.referrers[name] = Set(profiles) }
      // Of what stands in no file it is not known whether it was there, and said the same, when the summaries were made.
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
