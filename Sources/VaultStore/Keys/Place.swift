import VaultDatabase
import VaultModel

// Where the vault's file is. A folder that was copied has the same id, and so the same head in the desktop's keyring: rows of the copy would
// make the log of the one it was copied from look cut off, and its vault refuse.
extension VaultStore {
  /// Not authenticated, as it must be read before the key is fetched; without it a copy is not told from its original, and no more.
  static let placeSetting = "place"

  /// - Throws: `StoreError.copied` where the file in which the log went on last is still there, and is not this one.
  public func checkPlace() throws {
    guard let known = try setting(Self.placeSetting), let blank = known.firstIndex(of: " "), let inode = Int64(known[..<blank])
    else { return }
    let there = String(known[known.index(after: blank)...])
    guard there != path else { return }
    let (other, own) = (FileIdentity(path: there), FileIdentity(path: path))
    // A file that was moved is gone from there; one that is reached by another path is the same.
    guard other.inode == inode, other.device != own.device || other.inode != own.inode else { return }
    throw StoreError.copied(of: there)
  }

  /// Says that the log goes on in this file.
  public func takePlace() throws {
    let place = "\(FileIdentity(path: path).inode) \(path)"
    guard try setting(Self.placeSetting) != place else { return }
    try change(.process) { try $0.set(Self.placeSetting, place) }
  }

  /// Logs that a person goes on with a copy.
  public func acceptPlace(requester: Requester) throws {
    var event = AuditEvent(action: .auditAccepted, outcome: .success, trigger: .manual, requester: requester)
    event.detail = "the log goes on in a copy of the vault's folder, \(path)"
    try record(event)
  }
}
