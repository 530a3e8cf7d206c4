import VaultDatabase

// The names that completion reads (``NamesFile``).
extension VaultStore {
  /// Within a transaction that adds a name or takes one away.
  func changeNames() {
    guard hasNames else { return }
    hasNames = false
    NamesFile.remove(beside: database.path)
  }

  /// After a transaction, however it ended.
  func keepNames() {
    guard !hasNames, let lines = try? VaultReader(over: database).profileNameLines() else { return }
    NamesFile.write(lines, beside: database.path)
    hasNames = true
  }
}
