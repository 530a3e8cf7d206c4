import VaultDatabase
import VaultModel
import VaultStore

/// Looks sections up for one plan, and lends none that the vault did not write itself.
final class ProvenSections {
  private let reader: VaultReader
  private let codes: RowMACs
  /// The first that was not as the vault wrote it, or could not be read.
  private(set) var fault: (any Error)?

  init(reader: VaultReader, codes: RowMACs) {
    self.reader = reader
    self.codes = codes
  }

  func section(_ kind: SectionKind, _ name: String) -> ConfigSection? {
    do {
      guard let stored = try reader.storedSection(kind, name) else { return nil }
      guard codes.vouch(for: stored) else { throw RowError.section(kind, name: name, isOwn: stored.isOwn) }
      return stored.section
    } catch {
      if fault == nil { fault = error }
      return nil
    }
  }
}
