/// The protocol version. It is raised by any change that an older program would misread.
///
/// These never change: the frame (4 bytes of length, little-endian), the header (2 bytes of version, 2 of kind), and the layout of
/// ``MessageKind/failure``, so that programs of any two versions can report that they are incompatible.
public let protocolVersion: UInt16 = 3

/// The longest payload that either side accepts: the longest SAML assertion that AWS accepts, with its line ends and the fields
/// around it.
public let maxPayloadBytes = 160 * 1_024

/// The meaning of a message.
public enum MessageKind: UInt16, Sendable {
  // Sent by the client: see ``Request``.
  case credential = 1, importFiles = 2, putProfiles = 3, removeProfile = 4, addAccessKey = 5, removeAccessKey = 6
  case rotate = 7, forget = 8, lock = 9, unlock = 10, keyRotate = 12, status = 13, stop = 14, refresh = 15
  /// The answer to a `prompt`, as bytes.
  case answer = 16
  case login = 17, logout = 18, discover = 19, rotateAccessKey = 20, console = 21, auditCheckpoint = 22, auditAccept = 23
  case auditKey = 24, auditArchive = 25, linkFile = 26, unlinkFile = 27, samlRoles = 28, keyCopy = 29
  case settings = 40, linkProfiles = 41, iamCheck = 42, denial = 43
  case addSignIn = 44, takeKeys = 45
  case takeOver = 50
  case release = 51
  case automation = 60, automationEnd = 61
  case approvals = 65, approve = 66
  case revoke = 70, revokeInAWS = 71

  // Sent by the agent.
  /// The reply to a request.
  case done = 101
  case failure = 102
  /// A ``Prompt``; the client sends an `answer`.
  case prompt = 103
  /// A line for the user; more follows.
  case notice = 104
  /// The reason of a wait, shown only if the wait is long. An empty one only means that the agent is alive.
  case progress = 105
  /// A ``Page``.
  case page = 106
  /// One entry of a long result; more follows.
  case entry = 107
}

/// One message as received: a header and a run of fields.
public struct Message: Sendable {
  public let version: UInt16
  /// Nil for a kind that this program does not know.
  public let kind: MessageKind?
  private let payload: WireBytes

  /// - Returns: nil if the payload is malformed.
  public init?(_ payload: WireBuffer) {
    guard payload.count >= 4, payload.count <= maxPayloadBytes else { return nil }
    version = UInt16(payload[0]) | UInt16(payload[1]) << 8
    kind = MessageKind(rawValue: UInt16(payload[2]) | UInt16(payload[3]) << 8)
    self.payload = WireBytes(payload)
  }

  /// The fields, to be read from the first on.
  var fields: FieldCoder { FieldCoder(reading: payload[4..<payload.count]) }

  /// The value that the message carries.
  public func value<Value: FieldValue>() throws(WireError) -> Value {
    let fields = fields
    var value: Value?
    fields.field(&value)
    try fields.end()
    guard let value else { throw .field(tag: 1, "is missing") }
    return value
  }
}

extension WireBuffer {
  /// A frame, ready to be sent.
  ///
  /// - Throws: ``WireError/tooLong`` if the payload exceeds ``maxPayloadBytes``.
  static func frame(_ kind: MessageKind, version: UInt16 = protocolVersion, _ list: (FieldCoder) -> Void) throws(WireError)
    -> WireBuffer
  {
    let frame = WireBuffer()
    frame.append(littleEndian: UInt32(0))
    frame.append(littleEndian: version)
    frame.append(littleEndian: kind.rawValue)
    list(FieldCoder(writing: frame))
    guard frame.count - 4 <= maxPayloadBytes else { throw .tooLong }
    frame.overwrite(UInt32(frame.count - 4), at: 0)
    return frame
  }

  /// The frame of a message that carries a value.
  public static func frame(_ kind: MessageKind, _ value: some FieldValue) throws(WireError) -> WireBuffer {
    try frame(kind) {
      var value = value
      $0.field(&value)
    }
  }
}
