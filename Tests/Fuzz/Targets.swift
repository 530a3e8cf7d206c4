import VaultBytes
import VaultModel
import VaultSecrets

@testable import AWSClient
@testable import AWSConfig
@testable import AWSPolicy
@testable import VaultAgent
@testable import VaultAudit
@testable import VaultKeys
@testable import VaultStore
@testable import VaultWire

/// Everything that reads what comes from outside, by name.
let targets: [String: @Sendable ([UInt8]) -> Void] = [
  "config": config, "blocks": blocks, "xml": xml, "json": json, "saml": saml, "process": process, "frame": frame,
  "envelope": envelope,
  "key-file": keyFile, "text": text, "words": words, "export": export, "sink": exporter, "team": team,
  "policy": policy, "denial": denial, "jwe": jwe, "yaml": yaml, "toml": toml, "leapp": leapp,
  "url": url, "guard": guardRules,
]

private func secret(_ bytes: [UInt8]) -> SecretBytes { bytes.withUnsafeBytes { SecretBytes(copying: $0) } }
private func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
private let now = Timestamp(seconds: 1_795_442_400)

/// The AWS files: an error names its line, and what was read leads to credentials or to an error.
@Sendable private func config(_ bytes: [UInt8]) {
  for kind in [ConfigFileKind.config, .credentials] {
    let parsed = bytes.withUnsafeBytes { all -> Result<SectionTable, ConfigError> in
      do throws(ConfigError) { return .success(try ConfigParser.parse(all, file: "f", kind: kind).table) } catch {
        return .failure(error)
      }
    }
    switch parsed {
    case .failure(let error): must(error.message.contains("f:"), error.message)
    case .success(let table):
      let sections = table.sections.map(\.section)
      let resolver = ChainResolver(
        lookup: { kind, name in sections.first { $0.kind == kind && $0.name == name } }, environment: { _ in nil })
      for section in sections.prefix(20) where section.kind == .profile {
        _ = try? resolver.chain(for: section.name)
        _ = resolver.explanation(for: section.name)
        _ = resolver.summary(for: section.name)
      }
    }
  }
}

/// Our own lines in a file of somebody else's: put in and taken out again, the rest is as it was.
@Sendable private func blocks(_ bytes: [UInt8]) {
  var before = MarkedBlocks(bytes)
  for name in before.names { before.remove(name) }
  let rest = before.bytes
  var blocks = MarkedBlocks(rest)
  blocks.put("fuzz", "[profile fuzz]\ncredential_process = x\n")
  blocks.remove("fuzz")
  must(blocks.bytes == rest || blocks.bytes == rest + [0x0A] || rest.isEmpty, "\(rest) became \(blocks.bytes)")
}

@Sendable private func xml(_ bytes: [UInt8]) {
  guard let elements = XMLElements(secret(bytes)) else { return }
  _ = try? CredentialParser.temporary(
    id: elements.text("AccessKeyId"), secret: elements.secret("SecretAccessKey"), token: elements.secret("SessionToken"),
    expiresAt: elements.text("Expiration").flatMap { Timestamp(iso8601: $0) }, now: now)
}

@Sendable private func json(_ bytes: [UInt8]) {
  guard let document = JSONDocument(secret(bytes)) else { return }
  _ = document.text("accessToken")
  _ = document.int("expiresIn")
  _ = document.object("roleCredentials")?.secret("sessionToken")
  _ = try? CachedToken(secret(bytes))
}

@Sendable private func saml(_ bytes: [UInt8]) { _ = try? SAMLAssertion(secret(bytes)) }

/// What a credential_process prints: whatever is taken can be put in an environment.
@Sendable private func process(_ bytes: [UInt8]) {
  guard let answer = try? CredentialProcessAnswer(secret(bytes), now: now) else { return }
  must(answer.credential.accessKeyId.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, answer.credential.accessKeyId)
}

@Sendable private func frame(_ bytes: [UInt8]) {
  let buffer = WireBuffer(capacity: bytes.count)
  bytes.withUnsafeBytes { buffer.append($0) }
  guard let message = Message(buffer) else { return }
  _ = Failure(message)
  _ = try? message.value() as IssuedReply
  _ = try? message.value() as Prompt
  guard message.version == protocolVersion, let context = try? message.context() else { return }
  /// What is read says all that was sent.
  func read<Asked: Request & WireFields>(_: Asked.Type) {
    guard let asked = try? message.request() as Asked, asked.kind == message.kind else { return }
    must((try? asked.frame(from: context).suffix(from: 4).equals(buffer)) == true, "\(bytes)")
  }
  let kinds: [any (Request & WireFields).Type] = [
    IssueRequest.self, ConsoleRequest.self, RotateRequest.self, ForgetRequest.self, IAMCheckRequest.self,
    AddAccessKeyRequest.self,
    RotateAccessKeyRequest.self, ImportRequest.self, LinkFileRequest.self, UnlinkFileRequest.self, LinkProfilesRequest.self,
    KeyCopyRequest.self, ArchiveRequest.self, LoginRequest.self, LogoutRequest.self, DiscoverRequest.self, SAMLRolesRequest.self,
    DenialRequest.self, ReleaseRequest.self, RevokeRequest.self, RevokeInAWSRequest.self,
    AutomationRequest.self, ApproveRequest.self,
  ]
  for kind in kinds { read(kind) }
  _ = try? message.request() as [ProfileChange]
}

private let cipher = EnvelopeCipher(
  master: SecretBytes(String(repeating: "k", count: 32)), id: KeyID(bytes: [1, 2, 3, 4, 5, 6, 7, 8]) ?? KeyID.random())

/// Nobody without the key makes an envelope that opens.
@Sendable private func envelope(_ bytes: [UInt8]) {
  let owner = SecretIdentity(table: "session", row: "ses_fuzz", profile: "app", facts: [])
  let place = AssociatedData(owner: owner, column: "envelope", version: 1, createdAt: now)
  must((try? cipher.open(bytes, at: place)) == nil, "\(bytes)")
  // Behind a right header, too.
  let whole = cipher.seal(SecretBytes("secret"), at: place)
  must((try? cipher.open(Array(whole[..<EnvelopeCipher.headerLength]) + bytes, at: place)) == nil, "\(bytes)")
}

/// An item of another program's store. What was not encrypted with the passphrase does not open.
@Sendable private func jwe(_ bytes: [UInt8]) {
  guard let item = try? PasswordJWE(secret(bytes)), item.iterations <= 1_000 else { return }
  must((try? item.open(SecretBytes("fuzz"))) == nil, "\(bytes)")
}

/// A configuration of another program: it is refused with its line, or read to its end.
@Sendable private func yaml(_ bytes: [UInt8]) {
  do throws(YAMLDocument.Malformed) {
    let document = try YAMLDocument(secret(bytes))
    must(document.entries.allSatisfy { document[$0.name] == $0.value }, "\(document)")
  } catch {
    must(error.line > 0, error.why)
  }
}

@Sendable private func toml(_ bytes: [UInt8]) {
  do throws(TOMLDocument.Malformed) {
    for value in try TOMLDocument(secret(bytes)).values { must(!value.path.isEmpty, value.text) }
  } catch {
    must(error.line > 0, "\(error)")
  }
}

/// The address of a host that is sent something: what is trusted is what libcurl is given, and it is read the same again.
@Sendable private func url(_ bytes: [UInt8]) {
  let raw = string(bytes)
  if let address = WebAddress(raw) {
    // The scheme's own port is not written.
    must(WebAddress(address.text)?.text == address.text && raw.lowercased().hasPrefix(address.scheme + "://"), raw)
    must(!address.host.isEmpty && address.path.hasPrefix("/"), raw)
  }
  guard let start = StartURL(raw) else { return }
  must(StartURL(start.text)?.text == start.text && start.address.origin.count <= start.text.count, raw)
  must(!start.isAWS || start.text.hasPrefix("https://"), raw)
  must(!start.name.isEmpty, raw)
}

@Sendable private func leapp(_ bytes: [UInt8]) { _ = CryptoJSText.open(secret(bytes), passphrase: "fuzz") }

@Sendable private func keyFile(_ bytes: [UInt8]) {
  guard let id = KeyFile.keyId(in: bytes) else { return }
  _ = try? KeyFile(bytes, vaultId: "vlt_fuzz", keyId: id)
}

/// Text that is shown has nothing in it that a terminal acts on; what is parsed and printed again is the same.
@Sendable private func text(_ bytes: [UInt8]) {
  let raw = string(bytes)
  for scalar in safeText(raw).unicodeScalars {
    let value = scalar.value
    must(value >= 0x20 && !(0x7F...0x9F).contains(value), "U+\(String(value, radix: 16))")
    must(!(0x202A...0x202E).contains(value) && !(0x2066...0x2069).contains(value), "U+\(String(value, radix: 16))")
  }
  if let moment = Timestamp(iso8601: raw) { must(Timestamp(iso8601: moment.iso8601)?.iso8601 == moment.iso8601, raw) }
  _ = RoleARN(raw)
  must(RoleSessionName(RoleSessionName(cleaning: raw).description) != nil, raw)
  _ = HTTPDate.parse(raw)
  if let checkpoint = AuditCheckpoint(line: raw) { must(AuditCheckpoint(line: checkpoint.line) == checkpoint, raw) }
  if let key = unhex(raw, count: 8) { must(hex(key) == raw.lowercased(), raw) }
  if let decoded = Base64.decoded(secret(bytes)) { must(decoded.count * 4 / 3 <= bytes.count, "\(bytes)") }
  var json = ByteBuffer()
  bytes.withUnsafeBytes { json.append(json: $0) }
  json.withBytes { json in
    var scanner = JSONScanner(json.bytes)
    var back = ByteBuffer()
    must(scanner.string(into: &back) && scanner.isAtEnd && back.withBytes { $0.elementsEqual(raw.utf8) }, "\(bytes)")
  }
}

/// Whatever tells of a refusal: what is read has no control character, and no session is ever to be trusted by its name.
@Sendable private func denial(_ bytes: [UInt8]) {
  guard let denial = Denial(reading: bytes) else { return }
  for text in [denial.principal, denial.action, denial.resource, denial.policyARN, denial.authorizationId, denial.encodedMessage]
  {
    must((text?.utf8.count ?? 0) <= 16_384, "\(denial)")
  }
  must((denial.authorizationId ?? "").utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0 | 0x20) }, "\(denial)")
  let cause = DenialCause(denial)
  must(!cause.explanation.isEmpty && !cause.hint.isEmpty, "\(cause)")
  for document in ([cause.fix] + cause.possible.map(\.fix)).compactMap({ $0?.document }) {
    for case .aws(let principal) in document.statements.flatMap({ $0.principals?.principals ?? [] }) {
      must(!principal.contains(":assumed-role/"), principal)
    }
    let json = document.json.compact()
    must(json.utf8.allSatisfy { $0 >= 0x20 } && (try? JSONText(Array(json.utf8))) != nil, json)
  }
}

/// The rules of the user's file, whatever it is: root's hold beside them. And a scope as it is stored is one form.
@Sendable private func guardRules(_ bytes: [UInt8]) {
  func rules(_ bytes: [UInt8], _ file: String) -> [GuardRule] {
    bytes.withUnsafeBytes { (try? GuardRules.rules(in: $0, file: file)) ?? [] }
  }
  let root = rules(
    Array("[guard prod-*]\nconfirm = always\nmax_duration = 30m\nautomation = refuse\n".utf8), "/etc/vault/config")
  func limits(_ rules: [GuardRule]) -> GuardLimits { GuardRules(rules).decision(profile: "prod-eu", roleARNs: []).limits }
  let both = limits(root + rules(bytes, "config"))
  var tightened = both
  tightened.tighten(by: limits(root))
  must(tightened == both, string(bytes))
  if let scope = SessionScope(stored: string(bytes)) { must(SessionScope(stored: scope.stored) == scope, string(bytes)) }
}

/// A command line of the config file, split as the SDKs split it.
@Sendable private func words(_ bytes: [UInt8]) { _ = try? ShellWords.split(string(bytes)) }

/// A line of an exported log: whatever it is, it is a row or is told why not.
@Sendable private func export(_ bytes: [UInt8]) {
  var row = ExportedRow()
  var digest = [UInt8](repeating: 0, count: 32)
  bytes.withUnsafeBytes { line in
    guard row.read(line) == nil else { return }
    guard row.computeHash(after: row.hash, into: &digest) else { return }
    must(digest.contains { $0 != 0 } && row.hash.count == 32, "\(bytes)")
    _ = row.checkpoint
  }
}

/// What a receiver of log messages is sent of a hostile row: no byte that ends a line, and no more than receivers take.
@Sendable private func exporter(_ bytes: [UInt8]) {
  let text = string(bytes)
  let who = Requester(
    user: text, uid: 1, pid: 1, program: text, executable: text, directory: text, parent: text, host: text)
  var event = AuditEvent(action: .deliver, outcome: .success, trigger: .exec, profile: text, requester: who)
  event.detail = text
  let record = AuditRecord(
    id: "evt_1", sequence: 1, time: now, event: event, subject: nil, subjectVersion: nil, hash: [UInt8](repeating: 1, count: 32))
  let message = SyslogMessage.bytes(of: ExportFields(record, vaultId: "vlt_1"))
  must(message.count <= SyslogMessage.maxLength && message.allSatisfy { (0x20...0x7E).contains($0) }, text)
  _ = SyslogAddress(text)
}

/// Rows from the team's server: a form that is taken apart is, put together again, the same.
@Sendable private func team(_ bytes: [UInt8]) {
  var fields = CanonicalRowFields()
  func look(_ bytes: UnsafeRawBufferPointer) {
    guard fields.read(bytes) else { return }
    var values: [AuditValue] = []
    for field in AuditField.hashed {
      switch fields[field] {
      case .none: values.append(.none)
      case .number(let number): values.append(.number(number))
      case .text(let range):
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        // What is not UTF-8 is repaired in a `String`.
        guard text.utf8.elementsEqual(bytes[range]) else { return }
        values.append(.text(text))
      }
    }
    var form = CanonicalRow()
    form.put(values, after: [UInt8](repeating: 0, count: 32))
    must(form.bytes.elementsEqual(bytes), "\(Array(bytes))")
  }
  bytes.withUnsafeBytes { look($0) }
  var reader = TeamStream.Reader()
  for half in [bytes[..<(bytes.count / 2)], bytes[(bytes.count / 2)...]] {
    half.withUnsafeBytes { reader.append($0) }
    guard (try? reader.consume({ form, _, _ in look(form) })) != nil else { return }
  }
}

/// A policy of somebody else's: it is refused with its place, or printed and read again it is the same and decides the same.
@Sendable private func policy(_ bytes: [UInt8]) {
  let raw = string(bytes)
  let short = String(raw.prefix(400))
  must(WildcardPattern(literal: short).matches(short) && WildcardPattern("*").matches(short), short)
  _ = WildcardPattern(short).matches(short)
  _ = (Timestamp(condition: raw), ConditionNumber(raw), AddressRange(raw), Base64.decoded(raw), RequestCaller(arn: raw))
  let text: JSONText
  do throws(JSONFault) { text = try JSONText(bytes) } catch {
    must(error.line > 0 && error.column > 0, error.message)
    return
  }
  let keys: ContextKeys = [
    "aws:SourceIp": ["203.0.113.1"], "aws:TagKeys": ["a", ""], "aws:CurrentTime": [now.iso8601], "k": [short],
  ]
  let callers: [RequestCaller] = [
    .user(arn: "arn:aws:iam::123456789012:user/alice", id: "AIDAALICE"), .service("ec2.amazonaws.com"),
    .roleSession(arn: "arn:aws:sts::123456789012:assumed-role/app/a", role: "arn:aws:iam::123456789012:role/app"),
  ]
  for kind in PolicyKind.allCases {
    let document: PolicyDocument
    do throws(PolicyFault) { document = try PolicyDocument(text, kind: kind) } catch {
      must(error.place != nil, error.message)
      continue
    }
    let again = (try? JSONText(Array(document.json.pretty().utf8))).flatMap { try? PolicyDocument($0, kind: kind) }
    must(again == document, raw)
    for caller in callers {
      let request = PolicyRequest(
        caller: caller, action: "sts:AssumeRole", resource: "arn:aws:iam::123456789012:role/app", keys: keys)
      let decision = document.decision(on: request)
      must((decision.statement == nil) == (decision.outcome == .implicitDeny), raw)
      must(PolicyDecision(of: [document, document], on: request).outcome == decision.outcome, raw)
    }
  }
}
