import Glibc
import Testing
import VaultModel
@testable import VaultWire

struct WireTests {
  private static let context = ClientContext {
    ($0.vaultIdentity, $0.vaultPath, $0.commandIndex, $0.chain) = ("1:2", "/srv/vault", 4, ["a", "b"])
    $0.session.append("DISPLAY=:0")
    $0.environment.append("AWS_REGION=eu-west-1")
    $0.environment.append("HTTPS_PROXY=")
    ($0.run, $0.agentVariable) = ("run_0123456789abcdef", "CLAUDECODE")
  }

  private static let scope = SessionScope {
    ($0.isReadOnly, $0.policy, $0.policyARNs) = (true, "{}", ["arn:aws:iam::aws:policy/A"])
    ($0.tags, $0.transitiveTagKeys) = ([SessionTag(key: "team", value: "a")], ["team"])
    ($0.sourceIdentity, $0.externalId) = ("alice", "tenant")
  }

  private static let issue = IssueRequest {
    ($0.profile, $0.trigger, $0.duration, $0.minimumRemaining) = ("app-dev", .exec, .default, 600)
    ($0.refresh, $0.noSession, $0.server, $0.tokenFile) = (true, true, true, true)
    ($0.region, $0.mfaCode, $0.sessionName) = ("eu-west-1", WireBytes("123456"), RoleSessionName("alice"))
    ($0.reason, $0.shell) = ("why – because", 4_242)
    ($0.scope, $0.role) = (scope, RoleARN("arn:aws:iam::123456789012:role/dev"))
  }

  private static let change = ProfileChange {
    ($0.name, $0.set, $0.unset, $0.mustExist) = ("app", ["region=x", "output=json"], ["mfa_serial"], true)
  }

  /// Every type of request that is a run of fields, with every field set.
  private static let requests: [any Request & WireFields] = [
    issue, ConsoleRequest { ($0.credentials, $0.service, $0.once) = (issue, "s3", true) },
    DenialRequest { ($0.credentials, $0.encodedMessage, $0.authorizationId) = (issue, "a_b", "a1") },
    AutomationRequest { ($0.name, $0.adopter, $0.credentials) = ("robot", 1, issue) },
    RotateRequest { ($0.profile, $0.mfaCode, $0.reason) = ("app", WireBytes("123456"), "why") },
    IAMCheckRequest { ($0.profile, $0.reader, $0.mfaCode, $0.reason) = ("app", "admin", WireBytes("123456"), "drift") },
    ForgetRequest { ($0.profile, $0.all) = ("app", true) }, ReleaseRequest { $0.token = WireBytes("token") },
    RevokeRequest {
      ($0.profile, $0.session, $0.automation, $0.pid) = ("app", "ses_1", "nightly", 4_242)
      ($0.all, $0.reason) = (true, "incident")
    },
    RevokeInAWSRequest {
      ($0.profile, $0.roleARN, $0.sessionNames, $0.runs) = ("admin", "arn:aws:iam::1:role/a", ["alice"], ["run_1"])
      ($0.before, $0.document) = (Timestamp(seconds: 1), WireBytes("{}"))
      ($0.mfaCode, $0.reason) = (WireBytes("123456"), "incident")
    },
    ApproveRequest { ($0.id, $0.deny) = ("k7q2mx", true) },
    AddAccessKeyRequest {
      ($0.name, $0.accessKeyId, $0.secretAccessKey) = ("me", "AKIAIOSFODNN7EXAMPLE", WireBytes("secret"))
      ($0.mfaSerial, $0.mfaSecret, $0.replace) = ("arn", WireBytes("base32"), true)
    },
    RotateAccessKeyRequest { ($0.name, $0.mfaCode, $0.reason) = ("me", WireBytes("123456"), "why") },
    ImportRequest { ($0.config, $0.credentials, $0.home, $0.once) = ("/c", "/k", "/home/me", true) },
    TakeKeysRequest {
      $0.files = ImportRequest { ($0.config, $0.home) = ("/c", "/home/me") }
      ($0.dryRun, $0.program) = (true, "/usr/bin/vault")
    },
    LinkFileRequest { ($0.profile, $0.section, $0.file, $0.scope) = ("app", "app", "/f", scope) },
    UnlinkFileRequest { ($0.file, $0.name) = ("/f", "app") },
    LinkProfilesRequest { ($0.file, $0.names, $0.unlink) = ("/f", ["a", "b"], true) },
    KeyCopyRequest { ($0.file, $0.passphraseFile, $0.restore) = ("/f", "/p", true) },
    ArchiveRequest { ($0.file, $0.before) = ("/f", Timestamp(milliseconds: -1)) },
    LoginRequest {
      ($0.name, $0.flow, $0.share, $0.adopt, $0.home, $0.isFirst) = ("corp", .browser, true, true, "/home/me", true)
    },
    LogoutRequest { ($0.name, $0.all) = ("corp", true) }, DiscoverRequest { ($0.name, $0.flow) = ("corp", .browser) },
    SAMLRolesRequest { $0.command = "saml" },
    TakeOverRequest {
      ($0.program, $0.home, $0.path, $0.dryRun) = (.granted, "/home/me", "/g", true)
      $0.files = ImportRequest { ($0.config, $0.home) = ("/c", "/home/me") }
      $0.variables.append("AWS_VAULT_BACKEND=file")
    },
    AddSignInRequest {
      ($0.url, $0.region, $0.scopes, $0.name) = ("https://corp.awsapps.com/start", "us-east-1", "a", "corp")
    },
  ]

  /// All else that is a run of fields.
  private static let others: [any WireFields] = [
    Done(), context, change, scope, SessionTag(key: "team", value: "a"),
    Revoked {
      ($0.sessions, $0.expiration) = (3, Timestamp(seconds: 1))
      ($0.programs, $0.files, $0.runs) = (2, ["[app] in /f"], 1)
      ($0.requests, $0.pid, $0.program) = (1, 4_242, "/usr/bin/vault")
    },
    AWSRevocation {
      ($0.policyName, $0.document) = ("AWSRevokeOlderSessions", WireBytes("{}"))
      ($0.before, $0.isAddition) = (Timestamp(seconds: 1), true)
    },
    IssuedReply {
      ($0.accessKeyId, $0.secretAccessKey, $0.sessionToken) = ("ASIA", WireBytes("secret"), WireBytes("token"))
      ($0.expiration, $0.accountId, $0.endpoint) = (Timestamp(seconds: 1), "1", "http://127.0.0.1:1/")
      ($0.endpointToken, $0.tokenFile, $0.region, $0.sessionId) = (WireBytes("token"), "/t", "eu-west-1", "ses_1")
    },
    RotatedSession {
      ($0.profile, $0.sessionId, $0.expiration, $0.fault, $0.exitStatus) = ("a", "ses_1", Timestamp(seconds: 1), "no", .refused)
    },
    DenialReply {
      ($0.principal, $0.action, $0.resource, $0.policyType) = ("arn:p", "s3:GetObject", "arn:r", "session policy")
      ($0.isExplicit, $0.policyARN, $0.sid) = (true, "arn:q", "Deny1")
      ($0.fault, $0.missingPermission) = ("no", "sts:DecodeAuthorizationMessage")
    },
    RotatedAccessKey { ($0.old, $0.new) = ("a", "b") },
    SignedIn { ($0.name, $0.expiration, $0.isRenewable) = ("corp", Timestamp(seconds: 1), true) },
    AddedSignIn {
      ($0.name, $0.startURL, $0.region, $0.isNew) = ("corp-2", "https://corp", "eu-west-1", true)
      ($0.other, $0.otherRegion) = ("corp", "us-east-1")
    },
    DiscoveredPlace { ($0.name, $0.region, $0.startURL, $0.isSession) = ("corp", "eu-west-1", "https://corp", true) },
    AccountEntry { ($0.id, $0.name, $0.email, $0.roles) = ("1", "dev", "a@b", ["admin", "read"]) },
    TakeOverItem {
      ($0.kind, $0.name, $0.origin, $0.result, $0.detail) = (.accessKey, "work", "~/.awsvault/keys/work", .known, "why")
    },
    OfferedRole { ($0.account, $0.role, $0.provider) = ("1", "arn:role", "arn:provider") },
    AgentStatus {
      ($0.version, $0.protocolVersion, $0.pid, $0.started, $0.vaultId) = ("1", 2, 3, Timestamp(seconds: 1), "vlt_1")
      ($0.memoryFault, $0.isUnlocked, $0.locksAt, $0.lockCause) = ("no", true, Timestamp(seconds: 2), .idle)
      $0.exporters = [ExporterStatus { ($0.name, $0.state) = ("syslog", "up to date") }]
    },
    ExporterStatus { ($0.name, $0.state) = ("syslog", "up to date") },
    ImportOutcome { ($0.lines, $0.warnings, $0.plainKeys) = (["one"], ["two", ""], "three") },
    RotatedKey { ($0.keyId, $0.count) = ("k", 3) },
    KeyCopy { ($0.keyId, $0.notice) = ("k", "n") }, LogCheckpoint { ($0.line, $0.fault) = ("l", "f") },
    AuditorKey { ($0.sequence, $0.key) = (7, WireBytes("key")) },
    ArchivedRows { ($0.first, $0.last, $0.left) = (1, .max, .min) },
    Page { ($0.url, $0.code, $0.address, $0.rows) = ("https://a", "AB-CD", "http://127.0.0.1:1/", ["101", "010"]) },
    WaitingApproval {
      ($0.id, $0.profile, $0.role, $0.program, $0.executable) = ("k7q2mx", "app", "arn:r", "terraform", "/usr/bin/terraform")
      ($0.pid, $0.directory, $0.scope, $0.duration, $0.reason) = (4_242, "/srv", "{}", 3_600, "why")
      $0.parents = [Ancestor(pid: 7, executable: "/bin/bash")]
      ($0.automation, $0.run, $0.remembered, $0.requests) = ("agent", "run_1", 900, 200)
      $0.credentials = "session"
      ($0.asked, $0.expires) = (Timestamp(seconds: 1), Timestamp(seconds: 2))
      $0.lines = [WaitingApproval.Line { ($0.name, $0.value) = ("profile", "app") }]
    },
    Prompt {
      ($0.kind, $0.text, $0.names, $0.setting, $0.value) = (.variables, "?", ["A", "B"], "trusted", "x")
      $0.minimum = 12
    },
  ]

  private static func bytes(_ value: some FieldValue) -> [UInt8] {
    let buffer = WireBuffer()
    value.append(to: buffer)
    return buffer.withBytes { Array($0) }
  }

  private static func read<Value: FieldValue>(_ bytes: [UInt8], as type: Value.Type = Value.self) -> Value? {
    bytes.withUnsafeBytes { Value(field: WireBytes(copying: $0)) }
  }

  private static func field(_ tag: Int, _ value: [UInt8]) -> [UInt8] {
    [UInt8(tag & 255), UInt8(tag >> 8)] + (0..<4).map { UInt8(truncatingIfNeeded: value.count >> (8 * $0)) } + value
  }

  private static func fields(_ bytes: [UInt8]) -> [(tag: Int, value: [UInt8])] {
    var (rest, fields): (ArraySlice<UInt8>, [(Int, [UInt8])]) = (bytes[...], [])
    while rest.count >= 6 {
      let head = Array(rest.prefix(6))
      let length = (2..<6).reduce(0) { $0 | Int(head[$1]) << (8 * ($1 - 2)) }
      fields.append((Int(head[0]) | Int(head[1]) << 8, Array(rest.dropFirst(6).prefix(length))))
      rest = rest.dropFirst(6 + length)
    }
    return fields
  }

  private static func message(_ frame: WireBuffer) throws -> Message { try #require(Message(frame.suffix(from: 4))) }

  @Test("every request crosses whole, with its sender", arguments: requests)
  func requestCrosses(request: any Request & WireFields) throws {
    func cross<Asked: Request & WireFields>(_ request: Asked) throws {
      let message = try Self.message(request.frame(from: Self.context))
      #expect(message.kind == request.kind && message.version == protocolVersion)
      let asked: Asked = try message.request()
      #expect(Self.bytes(asked) == Self.bytes(request))
      #expect(try Self.bytes(message.context()) == Self.bytes(Self.context))
    }
    try cross(request)
  }

  @Test("every request of one argument or none crosses whole")
  func simpleRequestCrosses() throws {
    func cross<Argument: FieldValue, Reply>(_ request: SimpleRequest<Argument, Reply>, _ kind: MessageKind) throws {
      let message = try Self.message(request.frame(from: Self.context))
      #expect(message.kind == kind)
      let argument: Argument = try message.request()
      #expect(Self.bytes(argument) == Self.bytes(request))
    }
    try cross(.lock, .lock)
    try cross(.unlock, .unlock)
    try cross(.stop, .stop)
    try cross(.refresh, .refresh)
    try cross(.settings, .settings)
    try cross(.approvals, .approvals)
    try cross(.auditAccept, .auditAccept)
    try cross(.status, .status)
    try cross(.keyRotate, .keyRotate)
    try cross(.auditKey, .auditKey)
    try cross(.auditCheckpoint(refresh: true), .auditCheckpoint)
    try cross(.removeProfile("app"), .removeProfile)
    try cross(.removeAccessKey("me"), .removeAccessKey)
    try cross(.putProfiles([Self.change, ProfileChange { $0.name = "b" }]), .putProfiles)
  }

  @Test(
    "of every type, each property is carried, a missing one is refused unless it is optional, and so is one that is unknown, repeated, out of place or garbled",
    arguments: requests as [any WireFields] + others)
  func fieldByField(value: any WireFields) throws {
    func check<Value: WireFields>(_ value: Value) throws {
      let properties = Array(Mirror(reflecting: value).children)
      let whole = Self.bytes(value)
      let fields = Self.fields(whole)
      try #require(fields.map(\.tag) == Array(properties.indices.map { $0 + 1 }))
      #expect(Self.read(whole, as: Value.self).map { Self.bytes($0) } == whole)
      for (index, property) in properties.enumerated() {
        func changed(_ change: (inout [(tag: Int, value: [UInt8])]) -> Void) -> Value? {
          var fields = fields
          change(&fields)
          return Self.read(fields.flatMap { Self.field($0.tag, $0.value) })
        }
        let name = Comment(rawValue: property.label ?? "")
        let isOptional = Mirror(reflecting: property.value).displayStyle == .optional
        #expect((changed { $0.remove(at: index) } == nil) == !isOptional, name)
        #expect(changed { $0.insert($0[index], at: index) } == nil, name)
        #expect(changed { $0[index].tag = 99 } == nil, name)
        if index > 0 { #expect(changed { $0.swapAt(index, index - 1) } == nil, name) }
        if !(property.value is WireBytes), !(property.value is WireBytes?) {
          #expect(changed { $0[index].value = [0xFF, 0xFE, 0xFD] } == nil, name)
        }
      }
      #expect(Self.read(whole + Self.field(properties.count + 1, []), as: Value.self) == nil)
    }
    try check(value)
  }

  @Test("a text over 32 KiB, and a duration or a session name that AWS refuses, are refused")
  func values() {
    #expect(Self.read(Array(repeating: 65, count: 32 * 1_024), as: String.self) != nil)
    #expect(Self.read(Array(repeating: 65, count: 32 * 1_024 + 1), as: String.self) == nil)
    #expect(Self.read(Self.bytes(899), as: SessionDuration.self) == nil)
    #expect(Self.read(Self.bytes("a b"), as: RoleSessionName.self) == nil)
    #expect(Self.read([2], as: Bool.self) == nil)
    #expect(Self.read(Self.bytes("nothing"), as: AuditTrigger.self) == nil)
    #expect(Self.read(Array("A=1".utf8), as: EnvironmentBlock.self) == nil)
    #expect(Self.read(Array("A=1\0".utf8), as: EnvironmentBlock.self)?.entries == ["A=1"])
  }

  @Test("the frame and the layout of a failure are as they were in version 1")
  func failure() throws {
    let failure = Failure("no profile \"x\"", hint: "look", exitStatus: .noInput)
    let frame = try failure.frame()
    var expected: [UInt8] = [3, 0, 102, 0]
    for (tag, text) in [(1, "no profile \"x\""), (2, "look"), (3, "66")] { expected += Self.field(tag, Array(text.utf8)) }
    #expect(frame.withBytes { Array($0) } == [UInt8(expected.count), 0, 0, 0] + expected)
    #expect(Failure(try Self.message(frame)) == failure)
    expected[0] = 1
    let old = WireBuffer()
    expected.withUnsafeBytes { old.append($0) }
    #expect(Failure(try #require(Message(old))) == failure)
    let plain = Failure("no", exitStatus: .refused)
    #expect(Failure(try Self.message(plain.frame())) == plain)
  }

  @Test("of a sender of another version, nothing is believed")
  func otherVersion() throws {
    let message = try Self.message(Self.issue.frame(from: Self.context, version: protocolVersion + 1))
    #expect(try Self.bytes(message.context()) == Self.bytes(ClientContext()))
  }

  @Test("a message over the limit is not sent")
  func tooLong() {
    let request = SimpleRequest.removeProfile(String(repeating: "x", count: maxPayloadBytes))
    #expect(throws: WireError.self) { try request.frame(from: Self.context) }
  }

  @Test("every cut and every changed bit of a message is refused, or read as exactly what it says")
  func hostile() throws {
    let frame = try Self.issue.frame(from: Self.context)
    let whole = frame.withBytes { Array($0.dropFirst(4)) }
    func read(_ bytes: [UInt8]) throws {
      let buffer = WireBuffer()
      bytes.withUnsafeBytes { buffer.append($0) }
      guard let message = Message(buffer), message.version == protocolVersion, message.kind == .credential else { return }
      guard let context = try? message.context(), let asked = try? message.request() as IssueRequest else { return }
      #expect(try asked.frame(from: context).withBytes { Array($0.dropFirst(4)) } == bytes)
    }
    for length in 0..<whole.count { try read(Array(whole[..<length])) }
    for index in whole.indices {
      for bit in 0..<8 {
        var changed = whole
        changed[index] ^= 1 << bit
        try read(changed)
      }
    }
  }

  @Test("a frame that arrives byte by byte is put together")
  func slowly() throws {
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let channel = Channel(descriptor: ends[0])
    for byte in try WireBuffer.frame(.done, 3).withBytes({ Array($0) }) {
      var byte = byte
      #expect(write(ends[1], &byte, 1) == 1)
    }
    let message = try #require(try channel.receive())
    #expect(try message.value() == 3)
    close(ends[1])
    #expect(throws: WireError.self) { try channel.receive() }
  }
}
