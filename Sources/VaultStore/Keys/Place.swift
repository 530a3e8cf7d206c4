import VaultDatabase
import VaultModel

// The location of the vault's file. A copied folder has the same id, and so the same checkpoint in the desktop's keyring: rows
// added to the copy would make the original's log look cut off, and its vault refuse.
extension VaultStore {
  /// Not authenticated, as it must be read before the key is fetched; without it a copy cannot be told from its original, but
  /// nothing worse.
  static let placeSetting = "place"

  /// - Throws: `StoreError.copied` if the file in which the log was last continued still exists and is not this one.
  public func checkPlace() throws {
    guard let known = try setting(Self.placeSetting), let blank = known.firstIndex(of: " "), let inode = Int64(known[..<blank])
    else { return }
    let there = String(known[known.index(after: blank)...])
    guard there != path else { return }
    let (other, own) = (FileIdentity(path: there), FileIdentity(path: path))
    // A moved file is gone from its old path; a file reached by another path is the same one.
    guard other.inode == inode, other.device != own.device || other.inode != own.inode else { return }
    throw StoreError.copied(of: there)
  }

  /// Records that the log continues in this file.
  public func recordPlace() throws {
    let place = "\(FileIdentity(path: path).inode) \(path)"
    guard try setting(Self.placeSetting) != place else { return }
    try change(.process) { try $0.set(Self.placeSetting, place) }
  }

  /// Logs that a user continues with a copy.
  public func acceptPlace(requester: Requester) throws {
    var event = AuditEvent(action: .auditAccepted, outcome: .success, trigger: .manual, requester: requester)
    event.detail = "the log continues in a copy of the vault's folder, \(path)"
    try record(event)
  }
}
