import Glibc
import VaultModel

/// The audit log held against what CloudTrail saw.
public struct Reconciliation: Sendable {
  /// Events, each counted once, in however many files it stands.
  public private(set) var count = 0
  /// Calls that both know.
  public private(set) var matched = 0
  /// Calls that minted credentials with a key of this vault, of which the vault knows nothing: the key is used elsewhere. And those that AWS
  /// refused, where they came from an address from which the vault never called: at home the vault itself may have tried again.
  public private(set) var outside: [CloudTrailEvent] = []
  /// Calls that the vault logged as done, in the time that the events are of, and AWS did not see.
  public private(set) var unseen: [AuditRecord] = []
  /// Uses of sessions and keys of this vault from an address from which it never called.
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
    "AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken",
    "GetRoleCredentials",
  ]

  /// Findings of a kind that are kept; the rest is counted.
  public static let maxFindings = 10_000
  /// Findings that were counted and not kept.
  public private(set) var more = 0

  /// Goes over the events twice: only when it is known from where the vault calls can it be said who calls from elsewhere.
  ///
  /// - Parameters:
  ///   - forEach: lends every event; the same ones each time.
  ///   - addresses: from which the vault's sessions may be used beside those of its own calls.
  public init(
    with reader: VaultReader, addresses: Set<String> = [], forEach: @escaping ((CloudTrailEvent) throws -> Void) throws -> Void
  ) throws {
    self.addresses = addresses
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
    func isOurs(_ key: String?) -> Bool { key.map { keys.contains($0) || issued.contains($0) } ?? false }
    /// Each event once, in however many files it stands: eight bytes of memory for each.
    func forEachOnce(_ body: (CloudTrailEvent) -> Void) throws {
      var ids: Set<Int> = []
      try forEach { event in if event.id.map({ ids.insert($0.hashValue).inserted }) ?? true { body(event) } }
    }
    var seen: Set<String> = []
    var span: (first: Timestamp, last: Timestamp)?
    try forEachOnce { event in
      count += 1
      span = (min(span?.first ?? event.time, event.time), max(span?.last ?? event.time, event.time))
      guard Self.minting.contains(event.name) else { return }
      let known = event.requestId.flatMap { byRequest[$0] } ?? event.issuedKey.flatMap { byIssued[$0] }
      guard let known else { return }
      if seen.insert(known.id).inserted { matched += 1 }
      if let address = event.address, self.addresses.count < Self.maxFindings { self.addresses.insert(address) }
    }
    var failed: [CloudTrailEvent] = []
    try forEachOnce { event in
      let isMinting = Self.minting.contains(event.name)
      if isMinting,
        event.requestId.map({ byRequest[$0] != nil }) ?? false || event.issuedKey.map({ byIssued[$0] != nil }) ?? false
      {
        return
      }
      if !isOurs(event.callerKey) {
        others += 1
      } else if isMinting, event.errorCode == nil {
        Self.keep(event, in: &outside, &more)
      } else if isForeign(event) {
        if isMinting { Self.keep(event, in: &failed, &more) } else { Self.keep(event, in: &elsewhere, &more) }
      }
    }
    outside += failed
    guard let span else { return }
    unseen = logged.filter { record in
      record.event.requestId != nil && !seen.contains(record.id) && record.time >= span.first
        && record.time.adding(seconds: Self.delay) <= span.last
    }
  }

  private static func keep(_ event: CloudTrailEvent, in list: inout [CloudTrailEvent], _ more: inout Int) {
    if list.count < Self.maxFindings { list.append(event) } else { more += 1 }
  }

  /// Whether it came from an address that is not the vault's. A service of AWS's that acts on a person's call has a name where others have one.
  private func isForeign(_ event: CloudTrailEvent) -> Bool {
    guard let address = event.address, !address.hasSuffix(".amazonaws.com"), address != "AWS Internal" else { return false }
    return !addresses.contains(address)
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
