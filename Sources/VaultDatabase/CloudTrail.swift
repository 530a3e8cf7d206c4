import VaultModel

/// An event of AWS CloudTrail, as far as it says who had credentials and from where (CloudTrail User Guide, "Record contents").
public struct CloudTrailEvent: Sendable, Hashable {
  /// One event's in every file in which it stands: CloudTrail may deliver it more than once.
  public var id: String?
  public var name: String
  /// `sts.amazonaws.com`
  public var source: String
  public var time: Timestamp
  public var requestId: String?
  /// An address, or the name of a service of AWS's that called for somebody.
  public var address: String?
  /// The access key id that signed the call, and whose it is.
  public var callerKey: String?
  public var callerARN: String?
  /// The access key id that the call issued.
  public var issuedKey: String?
  public var roleARN: String?
  public var roleSessionName: String?
  public var errorCode: String?
}

/// Reads what CloudTrail writes: its files (`{"Records": […]}`), what `aws cloudtrail lookup-events` prints, and an event a line.
public enum CloudTrail {
  /// 200 MiB, uncompressed.
  static let largest = 200 << 20

  /// It is nothing of CloudTrail's.
  public struct NotCloudTrail: ReportableError, Hashable {
    public let path: String
    public var message: String { "\(path) holds no events of CloudTrail" }
    public var hint: String? {
      "a file of a trail (.json or .json.gz), the output of `aws cloudtrail lookup-events`, or an event a line"
    }
    public var exitStatus: ExitStatus { .badData }
  }

  /// - Parameter path: of a file, which may be compressed.
  public static func read(_ path: String) throws -> [CloudTrailEvent] {
    let text: String
    do {
      text = String(decoding: try AuditArchive.contents(of: path, limit: largest), as: UTF8.self)
    } catch is AuditArchive.Damage {
      throw NotCloudTrail(path: path)
    }
    let database = try Database()
    if try isJSON(text, in: database) {
      for place in ["$.Records", "$.Events", "$"] {
        guard try has(place, text, in: database) else { continue }
        if place == "$.Events" {
          guard try holdsJSON(text, at: place, in: database) else { throw NotCloudTrail(path: path) }
          let inner = try database.prepare("SELECT json_extract(value, '$.CloudTrailEvent') FROM json_each(?, '$.Events')")
            .begin()
            .bind(text).rows { $0.text(0) }
          return try events("[" + inner.joined(separator: ",") + "]", path, in: database)
        }
        return try events(
          place == "$"
            ? text
            : try database.prepare("SELECT json_extract(?, '$.Records')").begin().bind(text)
              .first { $0.text(0) } ?? "[]", path, in: database)
      }
      return try events("[" + text + "]", path, in: database)
    }
    let lines = text.split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }
    guard !lines.isEmpty else { throw NotCloudTrail(path: path) }
    return try events("[" + lines.joined(separator: ",") + "]", path, in: database)
  }

  private static func isJSON(_ text: String, in database: Database) throws -> Bool {
    try database.prepare("SELECT json_valid(?)").begin().bind(text).first { $0.int(0) == 1 } == true
  }

  private static func has(_ place: String, _ text: String, in database: Database) throws -> Bool {
    try database.prepare("SELECT json_type(?, ?) = 'array'").begin().bind(text).bind(place).first { $0.int(0) == 1 } == true
  }

  /// Whether what stands in an array can be looked into: no text but one that is JSON itself.
  private static func holdsJSON(_ text: String, at place: String, in database: Database) throws -> Bool {
    let strange = try database.prepare("SELECT EXISTS (SELECT 1 FROM json_each(?, ?) WHERE NOT json_valid(value))").begin()
      .bind(text).bind(place).first { $0.int(0) }
    return strange == 0
  }

  private static func events(_ array: String, _ path: String, in database: Database) throws -> [CloudTrailEvent] {
    guard try isJSON(array, in: database), try holdsJSON(array, at: "$", in: database) else { throw NotCloudTrail(path: path) }
    let rows = try database.prepare(
      """
      SELECT json_extract(value, '$.eventName'), json_extract(value, '$.eventSource'), json_extract(value, '$.eventTime'), \
      json_extract(value, '$.requestID'), json_extract(value, '$.sourceIPAddress'), json_extract(value, '$.userIdentity.accessKeyId'), \
      json_extract(value, '$.userIdentity.arn'), json_extract(value, '$.responseElements.credentials.accessKeyId'), \
      json_extract(value, '$.requestParameters.roleArn'), json_extract(value, '$.requestParameters.roleSessionName'), \
      json_extract(value, '$.errorCode'), json_extract(value, '$.eventID') FROM json_each(?)
      """
    ).begin().bind(array).rows { row -> CloudTrailEvent? in
      guard !row.isNull(0), !row.isNull(1), let time = Timestamp(iso8601: row.text(2)) else { return nil }
      return CloudTrailEvent(
        id: row.optionalText(11), name: row.text(0), source: row.text(1), time: time, requestId: row.optionalText(3),
        address: row.optionalText(4),
        callerKey: row.optionalText(5), callerARN: row.optionalText(6), issuedKey: row.optionalText(7),
        roleARN: row.optionalText(8),
        roleSessionName: row.optionalText(9), errorCode: row.optionalText(10))
    }
    let events = rows.compactMap { $0 }
    guard events.count == rows.count else { throw NotCloudTrail(path: path) }
    return events
  }
}
