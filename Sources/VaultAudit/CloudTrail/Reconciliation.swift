import Glibc
import VaultDatabase
import VaultModel

/// The result of comparing the audit log with CloudTrail.
public struct Reconciliation: Sendable {
  /// Events, each counted once, even if it is in several files.
  public private(set) var count = 0
  /// Calls in both logs.
  public private(set) var matched = 0
  /// Calls that issued credentials with a key of this vault and are not in the audit log: the key is used elsewhere. Refused calls
  /// are included if they came from an address from which the vault never called: from its own address, the vault may have retried.
  public private(set) var outside: [CloudTrailEvent] = []
  /// Calls that the audit log has as done within the period of the events, and CloudTrail has not.
  public private(set) var unseen: [AuditRecord] = []
  /// Uses of this vault's sessions and keys from an address from which it never called.
  public private(set) var elsewhere: [CloudTrailEvent] = []
  /// Events unrelated to this vault.
  public private(set) var others = 0
  /// Missing archive files: calls of their period look as if made outside the vault.
  public private(set) var absent: [String] = []
  /// The addresses of the vault's own calls.
  public private(set) var addresses: Set<String>

  /// Events usually arrive within a quarter of an hour (CloudTrail User Guide, "How CloudTrail works").
  static let delay: Int64 = 15 * 60
  private static let minting: Set<String> = [
    "AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken",
    "GetRoleCredentials",
  ]

  /// The maximum number of findings kept per kind; the rest are only counted.
  public static let maxFindings = 10_000
  /// Findings that were counted but not kept.
  public private(set) var more = 0

  /// Reads the events twice: the vault's own addresses must be known before calls from elsewhere can be found.
  ///
  /// - Parameters:
  ///   - forEach: lends every event; the same ones each time.
  ///   - addresses: further addresses from which the vault's sessions may be used, besides those of its own calls.
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
    /// Each event once, even if it is in several files; needs eight bytes of memory per event.
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

  /// Whether it came from an address that is not the vault's. An AWS service that acts on a user's call has a name in place of an
  /// address.
  private func isForeign(_ event: CloudTrailEvent) -> Bool {
    guard let address = event.address, !address.hasSuffix(".amazonaws.com"), address != "AWS Internal" else { return false }
    return !addresses.contains(address)
  }

  /// Calls whose rows were archived are the vault's too.
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

  /// Whether there is nothing to investigate.
  public var isClean: Bool { outside.isEmpty && unseen.isEmpty && elsewhere.isEmpty }
}
