import VaultDatabase
import VaultModel

/// The part of an AWS CloudTrail event that says who had credentials, and from where (CloudTrail User Guide, "Record contents").
public struct CloudTrailEvent: Sendable, Hashable {
  /// The same in every file with this event: CloudTrail may deliver it more than once.
  public var id: String?
  public var name: String
  /// `sts.amazonaws.com`
  public var source: String
  public var time: Timestamp
  public var requestId: String?
  /// An address, or the name of an AWS service that called on somebody's behalf.
  public var address: String?
  /// The access key id that signed the call, and its owner.
  public var callerKey: String?
  public var callerARN: String?
  /// The access key id that the call issued.
  public var issuedKey: String?
  public var roleARN: String?
  public var roleSessionName: String?
  public var errorCode: String?
}

/// Reads CloudTrail's formats: its files (`{"Records": […]}`), the output of `aws cloudtrail lookup-events`, and one event per
/// line.
public enum CloudTrail {
  /// The maximum size of an event; CloudTrail limits it to 256 KB.
  static let maxLength = 1 << 20
  /// Bytes passed to SQLite at once.
  private static let batch = 256 << 10

  /// The file is not from CloudTrail.
  public struct NotCloudTrail: ReportableError, Hashable {
    public let path: String
    public var message: String { "\(path) contains no CloudTrail events" }
    public var hint: String? {
      "a file of a trail (.json or .json.gz), the output of `aws cloudtrail lookup-events`, or one event per line"
    }
    public var exitStatus: ExitStatus { .badData }
  }

  /// Lends each event of a file, which may be compressed. Memory use does not depend on their number.
  public static func forEach(_ path: String, _ body: (CloudTrailEvent) throws -> Void) throws {
    let file = try LineFile(path)
    let database = try Database()
    var pieces = JSONPieces(arraysNamed: ["Records", "Events"], maxLength: maxLength)
    var waiting: [UInt8] = []
    var isLookup = false
    var isEmpty = true
    func flush() throws {
      guard !waiting.isEmpty else { return }
      let text = "[" + String(decoding: waiting, as: UTF8.self) + "]"
      waiting.removeAll(keepingCapacity: true)
      for event in try isLookup ? lookedUp(text, path, in: database) : events(text, path, in: database) { try body(event) }
    }
    do {
      try file.forEachPiece { piece in
        isEmpty = isEmpty && piece.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
        try pieces.consume(piece) { object, source in
          let isOfLookup = if case .array(name: "Events") = source { true } else { false }
          if isOfLookup != isLookup || waiting.count + object.count > batch { try flush() }
          isLookup = isOfLookup
          if !waiting.isEmpty { waiting.append(UInt8(ascii: ",")) }
          waiting += object
        }
      }
      guard pieces.isWhole, !isEmpty else { throw NotCloudTrail(path: path) }
      try flush()
    } catch is JSONPieces.Damage {
      throw NotCloudTrail(path: path)
    } catch is AuditArchive.Damage {
      throw NotCloudTrail(path: path)
    }
  }

  private static func isJSON(_ text: String, in database: Database) throws -> Bool {
    try database.prepare("SELECT json_valid(?)").begin().bind(text).first { $0.int(0) == 1 } == true
  }

  /// The output of `lookup-events` has each event as a text inside its own object.
  private static func lookedUp(_ array: String, _ path: String, in database: Database) throws -> [CloudTrailEvent] {
    guard try isJSON(array, in: database), try holdsJSON(array, at: "$", in: database) else { throw NotCloudTrail(path: path) }
    let inner = try database.prepare("SELECT json_extract(value, '$.CloudTrailEvent') FROM json_each(?)").begin().bind(array)
      .rows { $0.text(0) }
    return try events("[" + inner.joined(separator: ",") + "]", path, in: database)
  }

  /// Whether the values of an array can be parsed: no text that is not JSON itself.
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
