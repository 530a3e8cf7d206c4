import VaultDatabase
import VaultModel

/// The known rows from watched files, as long as they are as this vault wrote them.
public struct KnownFileRows: Sendable {
  /// Changes with every change of rows that lead to a secret.
  public let generation: UInt64
  private let macs: RowMACs
  private let stored: [SectionKey: RowMAC]

  fileprivate struct RowMAC: Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init?(_ bytes: UnsafeRawBufferPointer) {
      guard bytes.count == 32 else { return nil }
      words = bytes.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
    }

    static func == (one: Self, other: Self) -> Bool { one.words == other.words }
    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
  }

  fileprivate init(generation: UInt64, macs: RowMACs, stored: [SectionKey: RowMAC]) {
    self.generation = generation
    self.macs = macs
    self.stored = stored
  }

  /// The requested ones.
  public var keys: some Collection<SectionKey> { stored.keys }

  /// Whether a section matches its rows, including file and lines.
  public func holds(_ section: ConfigSection) -> Bool {
    guard let known = stored[SectionKey(section)] else { return false }
    let form = RowForm(section, isOwn: false, origin: VaultStore.origin(of: section))
    return macs.code(form).withUnsafeBytes { RowMAC($0) } == known
  }
}

/// Sections in the files that match their rows, and so were left out of an import.
public struct UnchangedSections: Sendable {
  public var keys: Set<SectionKey> = []
  /// Sections that are no longer in the files.
  public var gone: Set<SectionKey> = []
  /// The generation of the rows that they were compared with.
  public let generation: UInt64

  public init(generation: UInt64) { self.generation = generation }
}

/// The files must be read as a whole: too much has changed in them, or the rows have changed since the comparison.
public struct RowsMoved: Error {
  public init() {}
}

extension VaultStore {
  /// The rows to compare watched files with; nil if everything must be imported: the vault is locked, or another program changed
  /// rows.
  ///
  /// - Parameter generation: the generation whose rows the caller already has, so that they are not read again.
  /// - Throws: `RowError` if another program changed the vault's own rows.
  public func knownFileRows(besides generation: UInt64?) throws -> KnownFileRows? {
    guard isUnlocked else { return nil }
    let macs = try authenticRows()
    guard trust.files == .asWritten else { return nil }
    guard generation != rowGeneration else { return KnownFileRows(generation: rowGeneration, macs: macs, stored: [:]) }
    var stored: [SectionKey: KnownFileRows.RowMAC] = [:]
    for sql in [
      "SELECT 'profile', name, mac FROM profile WHERE is_own = 0 AND removed_at IS NULL",
      "SELECT kind, name, mac FROM shared_section WHERE is_own = 0",
    ] as [StaticString] {
      let statement = try database.statement(sql).begin()
      while try statement.step() {
        guard let kind = SectionKind(rawValue: statement.text(0)) else { continue }
        let name = statement.text(1)
        statement.withBlob(2) { stored[SectionKey(kind, name)] = KnownFileRows.RowMAC($0) }
      }
    }
    return KnownFileRows(generation: rowGeneration, macs: macs, stored: stored)
  }

  /// The file that a section's rows name; nil unless it is a profile.
  static func origin(of section: ConfigSection) -> String? {
    section.kind == .profile ? section.settings.first?.origin.file ?? SettingOrigin.vault.file : nil
  }
}
