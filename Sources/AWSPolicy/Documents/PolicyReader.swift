/// The document is no valid policy.
public struct PolicyFault: Error, Sendable, Hashable {
  /// Where it is wrong: `Statement[0].Effect`; empty for the document as a whole.
  public let path: String
  /// Where it is wrong in the text, if there is a text.
  public var place: TextPlace?
  public let message: String
  let steps: [JSONStep]

  init(_ message: String, at steps: [JSONStep] = []) {
    self.message = message
    self.steps = steps
    path = steps.reduce(into: "") { path, step in
      switch step {
      case .member(let name): path += (path.isEmpty ? "" : ".") + name.prefix(64)
      case .element(let index): path += "[\(index)]"
      }
    }
  }
}

extension PolicyDocument {
  /// Reads a policy, strictly: an element that IAM does not know or that this kind of policy cannot have is refused.
  public init(_ text: JSONText, kind: PolicyKind) throws(PolicyFault) {
    do { try self.init(json: text.value, kind: kind) } catch {
      var error = error
      error.place = text.place(of: error.steps)
      throw error
    }
  }

  /// Reads a policy of AWS's own answer, or one made by this program.
  ///
  /// - Parameter isLive: whether AWS has accepted it: the limit of its length may have been raised, or be that of AWS's own policies.
  public init(json: JSONValue, kind: PolicyKind, isLive: Bool = false) throws(PolicyFault) {
    self = try PolicyReader(kind: kind, isLive: isLive).document(json)
  }
}

/// Builds a policy from JSON.
private struct PolicyReader {
  let kind: PolicyKind
  let isLive: Bool

  func document(_ json: JSONValue) throws(PolicyFault) -> PolicyDocument {
    let members = try object(json, at: [])
    try only(["Version", "Id", "Statement"], members, at: [])
    var version = PolicyDocument.Version.v2008
    if let value = json["Version"] {
      guard let known = value.string.flatMap({ PolicyDocument.Version(rawValue: $0) }) else {
        throw PolicyFault("the version must be \"2012-10-17\" or \"2008-10-17\"", at: [.member("Version")])
      }
      version = known
    }
    guard let element = json["Statement"] else { throw PolicyFault("the policy has no Statement") }
    let list = element.array
    if list?.isEmpty == true { throw PolicyFault("the policy has no statement", at: [.member("Statement")]) }
    var (statements, sids): ([Statement], Set<String>) = ([], [])
    for (index, value) in (list ?? [element]).enumerated() {
      let path: [JSONStep] = [.member("Statement")] + (list == nil ? [] : [.element(index)])
      let statement = try statement(value, at: path)
      if let sid = statement.sid, !sid.isEmpty, !sids.insert(sid).inserted {
        throw PolicyFault("two statements have the Sid \"\(sid.prefix(64))\"", at: path + [.member("Sid")])
      }
      statements.append(statement)
    }
    let document = PolicyDocument(
      statements, version: version, id: try json["Id"].map { value throws(PolicyFault) in try string(value, at: [.member("Id")]) }
    )
    let count = document.characterCount
    guard isLive || count <= kind.maxCharacters else {
      throw PolicyFault("the policy has \(count) characters without white space; \(kind.noun) has at most \(kind.maxCharacters)")
    }
    return document
  }

  private func statement(_ json: JSONValue, at path: [JSONStep]) throws(PolicyFault) -> Statement {
    let members = try object(json, at: path)
    try only(
      ["Sid", "Effect", "Action", "NotAction", "Condition"]
        + (kind.hasPrincipal ? ["Principal", "NotPrincipal"] : ["Resource", "NotResource"]), members, at: path)
    guard let effect = json["Effect"] else { throw PolicyFault("the statement has no Effect", at: path) }
    guard let effect = effect.string.flatMap({ Statement.Effect(rawValue: $0) }) else {
      throw PolicyFault("the effect must be \"Allow\" or \"Deny\"", at: path + [.member("Effect")])
    }
    let sid = try json["Sid"].map { value throws(PolicyFault) in try string(value, at: path + [.member("Sid")]) }
    if !kind.hasPrincipal, let sid, !sid.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isASCIILetterOrDigit }) {
      throw PolicyFault("a Sid has only letters and digits", at: path + [.member("Sid")])
    }
    guard let actions = try patterns("Action", in: json, at: path) else {
      throw PolicyFault("the statement has no Action", at: path)
    }
    for (index, action) in actions.patterns.enumerated() where !Self.isAction(action) {
      let name: JSONStep = .member(actions.isNegated ? "NotAction" : "Action")
      let isList = (json["Action"] ?? json["NotAction"])?.array != nil
      throw PolicyFault(
        "\"\(action.prefix(128))\" is not an action: service:Action", at: path + [name] + (isList ? [.element(index)] : []))
    }
    let resources = try patterns("Resource", in: json, at: path)
    if !kind.hasPrincipal, resources == nil { throw PolicyFault("the statement has no Resource", at: path) }
    let principals = try principals(in: json, at: path)
    if kind.hasPrincipal, principals == nil { throw PolicyFault("the statement has no Principal", at: path) }
    return Statement(
      sid: sid, effect, principals: principals, actions: actions, resources: resources,
      conditions: try conditions(json["Condition"], at: path + [.member("Condition")]))
  }

  /// `*`, or `service:Action` with wildcards.
  private static func isAction(_ text: String) -> Bool {
    if text == "*" { return true }
    let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    func isWord(_ part: Substring.UTF8View, with more: [UInt8]) -> Bool {
      !part.isEmpty && part.allSatisfy { Character(Unicode.Scalar($0)).isASCIILetterOrDigit || more.contains($0) }
    }
    return parts.count == 2 && isWord(parts[0], with: Array("-".utf8)) && isWord(parts[1], with: Array("*?-_".utf8))
  }

  /// An element or its opposite, but not both.
  private func either(_ name: String, in json: JSONValue, at path: [JSONStep]) throws(PolicyFault) -> (
    JSONValue, Bool, [JSONStep]
  )? {
    switch (json[name], json["Not" + name]) {
    case (nil, nil): return nil
    case (let value?, nil): return (value, false, path + [.member(name)])
    case (nil, let value?): return (value, true, path + [.member("Not" + name)])
    default: throw PolicyFault("the statement has both \(name) and Not\(name)", at: path + [.member("Not" + name)])
    }
  }

  private func patterns(_ name: String, in json: JSONValue, at path: [JSONStep]) throws(PolicyFault) -> PatternElement? {
    guard let (value, isNegated, path) = try either(name, in: json, at: path) else { return nil }
    return PatternElement(try strings(value, at: path), isNegated: isNegated)
  }

  private func principals(in json: JSONValue, at path: [JSONStep]) throws(PolicyFault) -> PrincipalElement? {
    guard let (value, isNegated, path) = try either("Principal", in: json, at: path) else { return nil }
    if let text = value.string {
      guard text == "*" else { throw PolicyFault("a principal is \"*\", or an object such as {\"AWS\": …}", at: path) }
      return PrincipalElement([.anyone], isNegated: isNegated)
    }
    var principals: [Principal] = []
    for member in try object(value, at: path) {
      let place = path + [.member(member.name)]
      for text in try strings(member.value, at: place) {
        guard let principal = Principal(kind: member.name, value: text) else {
          throw PolicyFault("a principal's kind is AWS, Service, Federated or CanonicalUser", at: place)
        }
        principals.append(principal)
      }
    }
    guard !principals.isEmpty else { throw PolicyFault("the statement names no principal", at: path) }
    return PrincipalElement(principals, isNegated: isNegated)
  }

  private func conditions(_ json: JSONValue?, at path: [JSONStep]) throws(PolicyFault) -> [PolicyCondition] {
    guard let json else { return [] }
    var conditions: [PolicyCondition] = []
    for operation in try object(json, at: path) {
      let place = path + [.member(operation.name)]
      guard let test = ConditionOperator(name: operation.name) else {
        throw PolicyFault("\"\(operation.name.prefix(64))\" is not a condition operator", at: place)
      }
      for key in try object(operation.value, at: place) {
        conditions.append(
          PolicyCondition(test, key: key.name, values: try strings(key.value, at: place + [.member(key.name)], scalar: true)))
      }
    }
    return conditions
  }

  private func object(_ json: JSONValue, at path: [JSONStep]) throws(PolicyFault) -> [JSONMember] {
    guard let members = json.members else { throw PolicyFault("an object in braces is expected", at: path) }
    return members
  }

  private func only(_ names: [String], _ members: [JSONMember], at path: [JSONStep]) throws(PolicyFault) {
    for member in members where !names.contains(member.name) {
      throw PolicyFault(
        "\(kind.noun) has no element \"\(member.name.prefix(64))\" here", at: path + [.member(member.name)])
    }
  }

  private func string(_ json: JSONValue, at path: [JSONStep]) throws(PolicyFault) -> String {
    guard let text = json.string else { throw PolicyFault("a string is expected", at: path) }
    return text
  }

  /// A string, or a list of them.
  ///
  /// - Parameter scalar: whether a number or a truth value counts as its text, as in conditions.
  private func strings(_ json: JSONValue, at path: [JSONStep], scalar: Bool = false) throws(PolicyFault) -> [String] {
    func text(_ value: JSONValue, at path: [JSONStep]) throws(PolicyFault) -> String {
      switch value {
      case .string(let text): return text
      case .number(let text) where scalar: return text
      case .bool(let value) where scalar: return value ? "true" : "false"
      default: throw PolicyFault("a string is expected", at: path)
      }
    }
    guard let list = json.array else { return [try text(json, at: path)] }
    guard !list.isEmpty || scalar else { throw PolicyFault("the list is empty", at: path) }
    var texts: [String] = []
    for (index, value) in list.enumerated() { texts.append(try text(value, at: path + [.element(index)])) }
    return texts
  }
}

extension Character {
  fileprivate var isASCIILetterOrDigit: Bool { isASCII && (isLetter || isNumber) }
}
