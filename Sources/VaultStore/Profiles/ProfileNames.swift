import VaultDatabase

// The names for completion (``NamesFile``).
extension VaultStore {
  /// Call within a transaction that adds or removes a name.
  func changeNames() {
    guard hasNames else { return }
    hasNames = false
    NamesFile.remove(beside: database.path)
  }

  /// Call after a transaction, whether it succeeded or not.
  func keepNames() {
    guard !hasNames, let lines = try? VaultReader(over: database).profileNameLines() else { return }
    NamesFile.write(lines, beside: database.path)
    hasNames = true
  }
}
