import VaultBytes

/// What a session is narrowed to, and what else it carries, besides what its profile says.
///
/// AWS intersects a role's permissions with the session policies of the call, and unites these with one another: another policy in
/// the same call only ever adds to what the session may do.
public struct SessionScope: Sendable, Hashable {
  /// The AWS-managed policy `ReadOnlyAccess` of the role's partition.
  public var isReadOnly = false
  /// An inline session policy, JSON.
  public var policy: String?
  public var policyARNs: [String] = []
  public var tags: [SessionTag] = []
  public var transitiveTagKeys: [String] = []
  public var sourceIdentity: String?
  public var externalId: String?

  public init() {}

  /// - Parameter fill: sets what is not as in ``none``.
  public init<Fault: Error>(_ fill: (inout Self) throws(Fault) -> Void) throws(Fault) {
    self.init()
    try fill(&self)
  }

  /// That of a profile's own sessions.
  public static let none = SessionScope()
  public static let readOnly = SessionScope { $0.isReadOnly = true }

  public var isEmpty: Bool { self == .none }
  /// Whether it takes permissions away.
  public var narrows: Bool { isReadOnly || policy != nil || !policyARNs.isEmpty }

  /// The policies that the call names.
  public func managedPolicies(in partition: String) -> [String] {
    (isReadOnly ? ["arn:\(partition):iam::aws:policy/ReadOnlyAccess"] : []) + policyARNs
  }
}

// The limits of the STS API (`AssumeRole`; botocore, `sts/2011-06-15`), so that AWS is not asked in vain.
extension SessionScope {
  /// Inline and managed policies together.
  public static let policyCharacters = 2_048
  static let maxPolicies = 10
  static let maxTags = 50

  /// - Throws: for what STS would refuse, or would make wider than it says.
  public func check() throws(Failure) {
    try checkPolicies()
    try checkTags()
    if let sourceIdentity, !Self.isName(sourceIdentity, 2...256, also: "_+=,.@-") {
      throw Failure("the source identity must have 2 to 256 letters, digits or _ + = , . @ -", exitStatus: .usage)
    }
    if let externalId, !Self.isName(externalId, 2...1_224, also: "_+=,.@:/-") {
      throw Failure("the external id must have 2 to 1224 letters, digits or _ + = , . @ : / -", exitStatus: .usage)
    }
  }

  private func checkPolicies() throws(Failure) {
    guard !isReadOnly || (policy == nil && policyARNs.isEmpty) else {
      throw Failure(
        "read-only access cannot be combined with other session policies: AWS would allow what either of them allows",
        hint: "leave one of them out, or write the narrower policy", exitStatus: .usage)
    }
    if let policy {
      let isPrintable = policy.unicodeScalars.allSatisfy { (0x20...0xFF).contains($0.value) || [9, 10, 13].contains($0.value) }
      guard policy.hasPrefix("{"), policy.hasSuffix("}"), isPrintable else {
        throw Failure(
          "the session policy is not a JSON object of characters up to U+00FF",
          hint: #"write any other character as \uXXXX"#, exitStatus: .badData)
      }
    }
    for arn in policyARNs where !Self.isPolicyARN(arn) {
      throw Failure(
        "\"\(arn.prefix(256))\" is not the ARN of a policy",
        hint: "it has the form arn:aws:iam::ACCOUNT:policy/NAME, or \"aws\" as the account",
        exitStatus: .usage)
    }
    guard Set(policyARNs).count == policyARNs.count else {
      throw Failure("a policy's ARN is there twice", exitStatus: .usage)
    }
    // The longest name of a partition stands for any.
    let managed = managedPolicies(in: Partition.usGov.rawValue)
    guard managed.count <= Self.maxPolicies else {
      throw Failure("\(managed.count) managed session policies; AWS accepts \(Self.maxPolicies)", exitStatus: .usage)
    }
    let length = managed.reduce(policy?.unicodeScalars.count ?? 0) { $0 + $1.utf8.count }
    guard length <= Self.policyCharacters else {
      throw Failure(
        "the session policies have \(length) characters; AWS accepts \(Self.policyCharacters), inline and ARNs together",
        hint: "make a managed policy of it in the role's account, and name that", exitStatus: .badData)
    }
  }

  private func checkTags() throws(Failure) {
    guard tags.count <= Self.maxTags else {
      throw Failure("\(tags.count) session tags; AWS accepts \(Self.maxTags)", exitStatus: .usage)
    }
    var keys: Set<String> = []
    for tag in tags {
      guard tag.hasValidKey else {
        throw Failure(
          "\"\(tag.key.prefix(256))\" is not the key of a session tag",
          hint: "1 to 128 letters, digits, blanks or _ . : / = + - @, not beginning with aws:", exitStatus: .usage)
      }
      guard tag.hasValidValue else {
        throw Failure(
          "the value of the session tag \"\(tag.key)\" is not valid",
          hint: "up to 256 letters, digits, blanks or _ . : / = + - @", exitStatus: .usage)
      }
      // Keys are case-insensitive (IAM User Guide, "Passing session tags").
      guard keys.insert(tag.key.lowercased()).inserted else {
        throw Failure("the session tag \"\(tag.key)\" is there twice; case does not matter", exitStatus: .usage)
      }
    }
    for key in transitiveTagKeys where !tags.contains(where: { $0.key == key }) {
      throw Failure("the transitive key \"\(key.prefix(256))\" is not the key of a session tag", exitStatus: .usage)
    }
    guard Set(transitiveTagKeys).count == transitiveTagKeys.count else {
      throw Failure("a transitive key is there twice", exitStatus: .usage)
    }
  }

  private static func isName(_ text: String, _ length: ClosedRange<Int>, also: String) -> Bool {
    length.contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case 48...57, 65...90, 97...122: true
        default: also.utf8.contains(byte)
        }
      }
  }

  /// `arn:PARTITION:iam::ACCOUNT:policy/[PATH/]NAME`.
  static func isPolicyARN(_ text: String) -> Bool {
    guard (20...2_048).contains(text.utf8.count), text.utf8.allSatisfy({ (33...126).contains($0) }) else { return false }
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "iam", parts[3].isEmpty else {
      return false
    }
    let isAccount = parts[4] == "aws" || (parts[4].utf8.count == 12 && parts[4].utf8.allSatisfy { (48...57).contains($0) })
    return isAccount && parts[5].hasPrefix("policy/") && !parts[5].hasSuffix("/")
  }
}

extension SessionTag {
  /// `aws:` is reserved for AWS (IAM User Guide, "Passing session tags").
  public var hasValidKey: Bool {
    (1...128).contains(key.unicodeScalars.count) && Self.isText(key) && !key.lowercased().hasPrefix("aws:")
  }
  public var hasValidValue: Bool { value.unicodeScalars.count <= 256 && Self.isText(value) }

  /// `[\p{L}\p{Z}\p{N}_.:/=+\-@]*` (STS API, `Tag`).
  private static func isText(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
      case .spaceSeparator, .lineSeparator, .paragraphSeparator: true
      case .decimalNumber, .letterNumber, .otherNumber: true
      default: "_.:/=+-@".unicodeScalars.contains(scalar)
      }
    }
  }
}

// Two scopes at once: what was asked for, and what a rule or a run imposes.
extension SessionScope {
  /// The scope that is never wider than this one or the other.
  ///
  /// - Throws: for two that one call cannot express. AWS unites the session policies of a call, so that two different policies would
  ///   together allow more than each alone.
  public func narrowed(by other: SessionScope) throws(Failure) -> SessionScope {
    var scope = self
    if !narrows {
      (scope.isReadOnly, scope.policy, scope.policyARNs) = (other.isReadOnly, other.policy, other.policyARNs)
    } else if other.narrows, !hasPolicies(of: other) {
      throw Failure(
        "the session is already narrowed by \(other.policyWords), and \(policyWords) cannot be added: AWS would allow what either allows",
        hint: "leave out the options that narrow it", exitStatus: .configuration)
    }
    for tag in other.tags {
      guard let own = tags.first(where: { $0.key.lowercased() == tag.key.lowercased() }) else {
        scope.tags.append(tag)
        continue
      }
      guard own == tag else {
        throw Failure("the session tag \"\(tag.key)\" is already set to another value", exitStatus: .configuration)
      }
    }
    for key in other.transitiveTagKeys where !transitiveTagKeys.contains(key) { scope.transitiveTagKeys.append(key) }
    scope.sourceIdentity = try Self.either(sourceIdentity, other.sourceIdentity, of: "source identity")
    scope.externalId = try Self.either(externalId, other.externalId, of: "external id")
    try scope.check()
    return scope
  }

  private func hasPolicies(of other: SessionScope) -> Bool {
    isReadOnly == other.isReadOnly && policy == other.policy && Set(policyARNs) == Set(other.policyARNs)
  }

  private static func either(_ one: String?, _ other: String?, of what: String) throws(Failure) -> String? {
    guard let one, let other, one != other else { return one ?? other }
    throw Failure("the \(what) is already set to another value", exitStatus: .configuration)
  }

  /// "read-only access", "a session policy", "the policy arn:…": for messages; empty if nothing is narrowed.
  public var policyWords: String {
    var words: [String] = isReadOnly ? ["read-only access"] : []
    if policy != nil { words.append("an inline policy") }
    if !policyARNs.isEmpty {
      words.append("\(policyARNs.count == 1 ? "the policy" : "the policies") \(policyARNs.joined(separator: ", "))")
    }
    return words.joined(separator: " and ")
  }
}

// In rows of the database: whole, and in one form only, since MACs cover the text.
extension SessionScope {
  /// JSON; nil for ``none``.
  public var stored: String? {
    guard !isEmpty else { return nil }
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("readOnly", isReadOnly)
      writer.field("policy", policy)
      writer.strings("policyArns", policyARNs)
      writer.pairs("tags", tags)
      writer.strings("transitiveTagKeys", transitiveTagKeys)
      writer.field("sourceIdentity", sourceIdentity)
      writer.field("externalId", externalId)
    }
    return String(decoding: writer.consume(), as: UTF8.self)
  }

  /// - Parameter stored: nil for ``none``.
  /// - Returns: nil for a text that ``stored`` never is, and for a scope that STS would refuse.
  public init?(stored: String?) {
    self.init()
    guard let stored else { return }
    guard read(stored.utf8.span.bytes), self.stored == stored, (try? check()) != nil else { return nil }
  }

  private mutating func read(_ bytes: RawSpan) -> Bool {
    var scanner = JSONScanner(bytes)
    guard scanner.consume("{"), scanner.consume(field: "readOnly") else { return false }
    isReadOnly = scanner.consume(word: "true")
    guard isReadOnly || scanner.consume(word: "false") else { return false }
    return Self.optional("policy", from: &scanner, &policy) && Self.strings("policyArns", from: &scanner, &policyARNs)
      && Self.tags(&scanner, &tags) && Self.strings("transitiveTagKeys", from: &scanner, &transitiveTagKeys)
      && Self.optional("sourceIdentity", from: &scanner, &sourceIdentity)
      && Self.optional("externalId", from: &scanner, &externalId)
      && scanner.consume("}") && scanner.isAtEnd
  }

  private static func text(_ scanner: inout JSONScanner) -> String? {
    var buffer = ByteBuffer()
    return scanner.string(into: &buffer) ? String(validating: Array(buffer.bytes), as: UTF8.self) : nil
  }

  private static func optional(_ name: StaticString, from scanner: inout JSONScanner, _ value: inout String?) -> Bool {
    guard scanner.consume(","), scanner.consume(field: name) else { return false }
    if scanner.consume(word: "null") { return true }
    value = text(&scanner)
    return value != nil
  }

  private static func strings(_ name: StaticString, from scanner: inout JSONScanner, _ values: inout [String]) -> Bool {
    guard scanner.consume(","), scanner.consume(field: name), scanner.consume("[") else { return false }
    if scanner.consume("]") { return true }
    repeat {
      guard let text = text(&scanner) else { return false }
      values.append(text)
    } while scanner.consume(",")
    return scanner.consume("]")
  }

  private static func tags(_ scanner: inout JSONScanner, _ tags: inout [SessionTag]) -> Bool {
    guard scanner.consume(","), scanner.consume(field: "tags"), scanner.consume("{") else { return false }
    if scanner.consume("}") { return true }
    repeat {
      guard let key = text(&scanner), scanner.consume(":"), let value = text(&scanner) else { return false }
      tags.append(SessionTag(key: key, value: value))
    } while scanner.consume(",")
    return scanner.consume("}")
  }
}

extension JSONWriter {
  fileprivate mutating func strings(_ name: String, _ values: [String]) {
    key(name)
    array { for value in values { $0.string(value) } }
  }

  fileprivate mutating func pairs(_ name: String, _ tags: [SessionTag]) {
    key(name)
    object { for tag in tags { $0.field(tag.key, tag.value) } }
  }
}

extension SessionScope {
  /// The scope as the audit log and reports show it: a policy by its digest, which the caller makes; neither an external id, which
  /// may be a secret between two accounts, nor what has a field of its own. Nil if nothing of it is shown.
  public func shown(policyDigest: (String) -> String) -> String? {
    guard narrows || !tags.isEmpty else { return nil }
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("readOnly", isReadOnly)
      writer.strings("policyArns", policyARNs)
      writer.field("policyDigest", policy.map(policyDigest))
      writer.pairs("tags", tags)
    }
    return String(decoding: writer.consume(), as: UTF8.self)
  }
}
