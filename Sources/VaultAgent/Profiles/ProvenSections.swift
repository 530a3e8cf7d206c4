import VaultDatabase
import VaultModel
import VaultStore

/// Looks up sections for one plan, and withholds any that the vault did not write itself.
final class ProvenSections {
  private let reader: VaultReader
  private let macs: RowMACs
  /// The fault of the first section that the vault did not write, or that could not be read.
  private(set) var fault: (any Error)?

  init(reader: VaultReader, macs: RowMACs) {
    self.reader = reader
    self.macs = macs
  }

  func section(_ kind: SectionKind, _ name: String) -> ConfigSection? {
    do {
      guard let stored = try reader.storedSection(kind, name) else { return nil }
      guard macs.vouch(for: stored) else { throw RowError.section(kind, name: name, isOwn: stored.isOwn) }
      return stored.section
    } catch {
      if fault == nil { fault = error }
      return nil
    }
  }
}
