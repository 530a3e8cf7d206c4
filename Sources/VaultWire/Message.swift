import VaultModel

/// The protocol version. It is raised by any change that an older program would misread.
///
/// These never change: the frame (4 bytes of length, little-endian), the header (2 bytes of version, 2 of kind), and the layout of
/// ``MessageKind/failure``, so that programs of any two versions can report that they are incompatible.
public let protocolVersion: UInt16 = 1

/// The longest payload that either side accepts: the longest SAML assertion that AWS accepts, with its line ends and the fields
/// around it.
public let maxPayloadBytes = 160 * 1_024

/// What a message means.
public enum MessageKind: UInt16, Sendable {
  // Sent by the client.
  case credential = 1
  case importFiles = 2
  /// One profile (`profile`) or several, each followed by its settings (`setting`, `unset`).
  case putProfile = 3
  case removeProfile = 4
  case addAccessKey = 5
  case removeAccessKey = 6
  case rotate = 7
  case forget = 8
  case lock = 9
  case unlock = 10
  case keyStatus = 11
  case keyRotate = 12
  case status = 13
  case stop = 14
  case refresh = 15
  /// The answer to a `prompt`.
  case answer = 16
  case login = 17
  case logout = 18
  case discover = 19
  case rotateAccessKey = 20
  case console = 21
  /// The log's checkpoint in the key store (`item`; with `refresh`, after the newest was stored there), and what the agent finds
  /// wrong (`text`).
  case auditCheckpoint = 22
  case auditAccept = 23
  /// A new key for an auditor.
  case auditKey = 24
  /// Archive the rows before a time (`text`, milliseconds) into the file at an open descriptor's path (`name`).
  case auditArchive = 25
  /// Start or stop keeping a profile's credentials fresh in a section (`name`) of a file (`credentialsFile`).
  case linkFile = 26
  case unlinkFile = 27
  /// The roles that a SAML assertion offers, from a command (`text`) or from the user.
  case samlRoles = 28
  /// Back up the master key to a file (`name`), or restore it; the passphrase is prompted for, or is in a file (`text`).
  case keyBackup = 29
  case keyRestore = 30
  /// Add entries for profiles (`item`) to an AWS config file (`configFile`); with `unset`, remove them.
  case linkProfiles = 41
  /// A settings file was changed: read the settings again.
  case settings = 40

  // Sent by the agent.
  case issued = 100
  case done = 101
  case failure = 102
  /// The user is asked for something; the client sends an `answer`.
  case prompt = 103
  /// A line for the user; more follows.
  case notice = 104
  /// What the agent is waiting for; shown only when the wait is long.
  case progress = 105
  /// A web page that the user must visit (`text`), with a code to compare (`name`), rows of a QR code (`item`), and the loopback
  /// address that sends a browser there (`endpoint`).
  case page = 106
  /// One entry of a long result; more follows.
  case entry = 107
}

/// What a field of a message holds. A message may have several fields with the same tag, in order.
public enum FieldTag: UInt16, Sendable {
  // Failures; these three never change.
  case message = 1
  case hint = 2
  case exitStatus = 3

  case profile = 10
  case trigger = 11
  case duration = 12
  case minimumRemaining = 13
  case refresh = 14
  case region = 15
  case mfaCode = 16
  case sessionName = 17
  case reason = 18
  /// The index of the word in the client's command line where the command to run begins.
  case commandIndex = 19
  /// There is a user who can be asked.
  case interactive = 20
  /// `NAME=value`: one of the AWS inputs in the client's environment.
  case environment = 21
  case all = 22
  /// How a user signs in: `browser` or `device`.
  case flow = 23
  /// Serve the credentials on loopback.
  case server = 24
  /// Hand out long-term access keys themselves, or sign with them, instead of creating a session.
  case noSession = 28

  case accessKeyId = 30
  case secretAccessKey = 31
  case sessionToken = 32
  case expiration = 33
  case sessionId = 34
  case name = 35
  case mfaSerial = 36
  /// The secret of a virtual MFA device, Base32.
  case mfaSecret = 37
  case accountId = 38
  case accountName = 39
  /// Where credentials are served, and the token for that.
  case endpoint = 48
  case endpointToken = 49

  /// `name=value` to set in a profile.
  case setting = 40
  /// A name to remove from a profile.
  case unset = 41
  case configFile = 42
  case credentialsFile = 43
  case homeDirectory = 44
  case once = 45
  case replace = 46
  case email = 47
  /// The path of the file that holds the token for the credential endpoint.
  case tokenFile = 27
  /// Also write a sign-in's tokens for the SDKs; adopt theirs.
  case share = 25
  case adopt = 26

  case promptKind = 50
  case text = 51
  case answer = 52

  /// One item of a result: `label TAB value`.
  case item = 60

  /// Which vault the client means: its folder's identity (``VaultPaths/identity``), a tab, and its path.
  case vault = 70
  /// `NAME=value`: one variable of the requester's own session on this machine: its bus, its display, its `PATH`.
  case session = 71
  /// The profiles whose programs wait for this request, outermost first, one per line (``profileChainVariable``).
  case chain = 72
}

/// One message as received: a header and fields, checked to lie within the payload.
public struct Message: Sendable {
  public let version: UInt16
  /// Nil for a kind that this program does not know.
  public let kind: MessageKind?
  private let payload: WireBuffer
  private let fields: [(tag: UInt16, range: Range<Int>)]

  /// - Returns: nil if the payload is malformed.
  public init?(_ payload: WireBuffer) {
    guard payload.count >= 4, payload.count <= maxPayloadBytes else { return nil }
    func word(_ offset: Int) -> UInt16 { UInt16(payload[offset]) | UInt16(payload[offset + 1]) << 8 }
    version = word(0)
    kind = MessageKind(rawValue: word(2))
    var fields: [(tag: UInt16, range: Range<Int>)] = []
    var offset = 4
    while offset < payload.count {
      guard payload.count - offset >= 6 else { return nil }
      let length = Int(word(offset + 2)) | Int(word(offset + 4)) << 16
      guard length <= payload.count - offset - 6 else { return nil }
      fields.append((word(offset), offset + 6..<offset + 6 + length))
      offset += 6 + length
    }
    self.payload = payload
    self.fields = fields
  }

  /// Lends the bytes of the first field with this tag; nil if there is none.
  public func withBytes<Result>(_ tag: FieldTag, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result? {
    guard let field = fields.first(where: { $0.tag == tag.rawValue }) else { return nil }
    return try payload.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[field.range])) }
  }

  public func has(_ tag: FieldTag) -> Bool { fields.contains { $0.tag == tag.rawValue } }

  /// The text of the first field with this tag. Invalid UTF-8 is replaced.
  public func text(_ tag: FieldTag) -> String? {
    withBytes(tag) { String(decoding: $0, as: UTF8.self) }
  }

  public func texts(_ tag: FieldTag) -> [String] {
    fields.lazy.filter { $0.tag == tag.rawValue }.map { field in
      payload.withBytes { String(decoding: $0[field.range], as: UTF8.self) }
    }
  }

  /// The texts of one tag, each with the texts of `parts` that follow it before the next.
  public func groups(of head: FieldTag, _ parts: FieldTag) -> [(head: String, parts: [String])] {
    var groups: [(head: String, parts: [String])] = []
    for field in fields where field.tag == head.rawValue || field.tag == parts.rawValue {
      let text = payload.withBytes { String(decoding: $0[field.range], as: UTF8.self) }
      if field.tag == head.rawValue {
        groups.append((text, []))
      } else if !groups.isEmpty {
        groups[groups.count - 1].parts.append(text)
      }
    }
    return groups
  }

  /// Whether the fields with this tag hold exactly these bytes, in order, each field followed by a zero.
  public func holds(_ bytes: [UInt8], in tag: FieldTag) -> Bool {
    payload.withBytes { payload in
      bytes.withUnsafeBytes { bytes in
        var start = 0
        for field in fields where field.tag == tag.rawValue {
          let end = start + field.range.count
          guard end < bytes.count, bytes[end] == 0, payload[field.range].elementsEqual(bytes[start..<end]) else { return false }
          start = end + 1
        }
        return start == bytes.count
      }
    }
  }

  public func number(_ tag: FieldTag) -> Int? { text(tag).flatMap { Int($0) } }
}

/// Builds a frame: four bytes of length, then the payload.
public struct MessageWriter: ~Copyable {
  private let buffer = WireBuffer()

  public init(_ kind: MessageKind, version: UInt16 = protocolVersion) {
    buffer.append(littleEndian: UInt32(0))
    buffer.append(littleEndian: version)
    buffer.append(littleEndian: kind.rawValue)
  }

  public func add(_ tag: FieldTag, _ bytes: UnsafeRawBufferPointer) {
    buffer.append(littleEndian: tag.rawValue)
    buffer.append(littleEndian: UInt32(truncatingIfNeeded: bytes.count))
    buffer.append(bytes)
  }

  public func add(_ tag: FieldTag, _ buffer: WireBuffer) { buffer.withBytes { add(tag, $0) } }

  public func add(_ tag: FieldTag, _ text: String) {
    var text = text
    text.withUTF8 { add(tag, UnsafeRawBufferPointer($0)) }
  }

  public func add(_ tag: FieldTag, _ text: String?) {
    if let text { add(tag, text) }
  }

  public func add(_ tag: FieldTag, _ number: Int) { add(tag, String(number)) }

  /// A field whose presence means yes.
  public func add(_ tag: FieldTag, if condition: Bool) { if condition { add(tag, "") } }

  /// The frame, ready to be sent.
  ///
  /// - Throws: ``WireError/tooLong`` if the payload exceeds ``maxPayloadBytes``.
  public consuming func frame() throws(WireError) -> WireBuffer {
    let length = buffer.count - 4
    guard length <= maxPayloadBytes else { throw .tooLong }
    buffer.overwrite(UInt32(length), at: 0)
    return buffer
  }
}

/// What can go wrong on the socket.
public enum WireError: ReportableError {
  case tooLong
  case malformed
  case closed
  case timedOut
  case system(operation: String, code: Int32)

  public var message: String {
    switch self {
    case .tooLong: "a message would pass the \(maxPayloadBytes / 1_024) KiB that one may have"
    case .malformed: "what came over the agent's socket is no message"
    case .closed: "the agent ended the connection"
    case .timedOut: "the agent did not answer in time"
    case .system(let operation, let code): "cannot \(operation) the agent's socket (errno \(code))"
    }
  }

  public var hint: String? {
    switch self {
    case .closed, .timedOut: "see `vault agent log`"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .tooLong: .badData
    case .timedOut: .temporary
    default: .inputOutput
    }
  }
}
