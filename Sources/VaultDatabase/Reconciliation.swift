import Glibc
import VaultModel

/// The audit log held against what CloudTrail saw.
public struct Reconciliation: Sendable {
  /// Events, each counted once, in however many files it stands.
  public private(set) var count = 0
  /// Calls that both know.
  public private(set) var matched = 0
  /// Calls that minted credentials with a key of this vault, of which the vault knows nothing: the key is used elsewhere.
  public private(set) var outside: [CloudTrailEvent] = []
  /// Calls that the vault logged as done, in the time that the events are of, and AWS did not see.
  public private(set) var unseen: [AuditRecord] = []
  /// Uses of sessions of this vault from an address from which it never called.
  public private(set) var elsewhere: [CloudTrailEvent] = []
  /// Events that have nothing to do with this vault.
  public private(set) var others = 0
  /// Files of archived rows that are not there: calls of their time look as if made outside the vault.
  public private(set) var absent: [String] = []
  /// From where the vault's own calls came.
  public private(set) var addresses: Set<String>

  /// Events come within a quarter of an hour, as a rule (CloudTrail User Guide, "How CloudTrail works").
  static let delay: Int64 = 15 * 60
  private static let minting: Set<String> = [
    "AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "GetRoleCredentials",
  ]

  /// - Parameter addresses: from which the vault's sessions may be used beside those of its own calls.
  public init(_ given: [CloudTrailEvent], with reader: VaultReader, addresses: Set<String> = []) throws {
    self.addresses = addresses
    var ids: Set<String> = []
    let events = given.filter { event in event.id.map { ids.insert($0).inserted } ?? true }
    count = events.count
    let readers = try archives(of: reader) + [reader]
    var byRequest: [String: AuditRecord] = [:]
    var byIssued: [String: AuditRecord] = [:]
    var keys: Set<String> = Set(try reader.accessKeys().map(\.accessKeyId))
    var issued: Set<String> = []
    var logged: [AuditRecord] = []
    for action in AuditAction.allCases where Self.minting.contains(action.rawValue) {
      var filter = AuditFilter()
      filter.action = action
      for record in try readers.flatMap({ try $0.auditRecords(filter) }) {
        if let id = record.event.requestId { byRequest[id] = record }
        if let key = record.event.sourceAccessKeyId { keys.insert(key) }
        guard record.event.outcome == .success else { continue }
        if let key = record.event.accessKeyId {
          byIssued[key] = record
          issued.insert(key)
        }
        logged.append(record)
      }
    }
    var seen: Set<String> = []
    for event in events where Self.minting.contains(event.name) {
      let known = event.requestId.flatMap { byRequest[$0] } ?? event.issuedKey.flatMap { byIssued[$0] }
      if let known {
        if seen.insert(known.id).inserted { matched += 1 }
        if let address = event.address { self.addresses.insert(address) }
      } else if event.errorCode == nil, let key = event.callerKey, keys.contains(key) || issued.contains(key) {
        outside.append(event)
      } else {
        others += 1
      }
    }
    for event in events where !Self.minting.contains(event.name) {
      guard let key = event.callerKey, issued.contains(key) else {
        others += 1
        continue
      }
      // A service of AWS's that acts on a person's call has a name where others have an address.
      guard let address = event.address, !address.hasSuffix(".amazonaws.com"), address != "AWS Internal" else { continue }
      if !self.addresses.contains(address) { elsewhere.append(event) }
    }
    guard let first = events.map(\.time).min(), let last = events.map(\.time).max() else { return }
    unseen = logged.filter { record in
      record.event.requestId != nil && !seen.contains(record.id) && record.time >= first
        && record.time.adding(seconds: Self.delay) <= last
    }
  }

  /// Calls whose rows were archived are the vault's as well.
  private mutating func archives(of reader: VaultReader) throws -> [VaultReader] {
    var readers: [VaultReader] = []
    for segment in try reader.auditSegments() {
      if access(segment.file, R_OK) == 0 {
        readers.append(try VaultReader(archive: segment.file, digest: segment.digest))
      } else {
        absent.append(segment.file)
      }
    }
    return readers
  }

  /// Whether somebody should look.
  public var isClean: Bool { outside.isEmpty && unseen.isEmpty && elsewhere.isEmpty }
}
