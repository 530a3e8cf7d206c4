extension PolicyDocument {
  /// The document as JSON: a list with one string is written as a string, and conditions with the same operator stand together.
  public var json: JSONValue {
    var members = [JSONMember("Version", .string(version.rawValue))]
    if let id { members.append(JSONMember("Id", .string(id))) }
    members.append(JSONMember("Statement", .array(statements.map(\.json))))
    return .object(members)
  }

  /// The length that IAM's quotas limit: characters without white space between the tokens.
  public var characterCount: Int { json.compact().unicodeScalars.count }
}

extension Statement {
  /// The statement as JSON.
  public var json: JSONValue {
    var members: [JSONMember] = []
    if let sid { members.append(JSONMember("Sid", .string(sid))) }
    members.append(JSONMember("Effect", .string(effect.rawValue)))
    if let principals { members.append(JSONMember(principals.isNegated ? "NotPrincipal" : "Principal", principals.json)) }
    members.append(JSONMember(actions.isNegated ? "NotAction" : "Action", .list(actions.patterns)))
    if let resources {
      members.append(JSONMember(resources.isNegated ? "NotResource" : "Resource", .list(resources.patterns)))
    }
    if !conditions.isEmpty {
      var operators: [JSONMember] = []
      for condition in conditions {
        let key = JSONMember(condition.key, .list(condition.values))
        if let known = operators.firstIndex(where: { $0.name == condition.test.name }) {
          operators[known].value = .object((operators[known].value.members ?? []) + [key])
        } else {
          operators.append(JSONMember(condition.test.name, .object([key])))
        }
      }
      members.append(JSONMember("Condition", .object(operators)))
    }
    return .object(members)
  }
}

extension PrincipalElement {
  fileprivate var json: JSONValue {
    if principals == [.anyone] { return .string("*") }
    var kinds: [(name: String, values: [String])] = []
    for principal in principals {
      let (kind, value) = principal.parts
      if let known = kinds.firstIndex(where: { $0.name == kind ?? "AWS" }) {
        kinds[known].values.append(value)
      } else {
        kinds.append((kind ?? "AWS", [value]))
      }
    }
    return .object(kinds.map { JSONMember($0.name, .list($0.values)) })
  }
}

extension JSONValue {
  /// A list of strings, of which a single one stands for itself.
  public static func list(_ texts: [String]) -> JSONValue {
    texts.count == 1 ? .string(texts[0]) : .array(texts.map { .string($0) })
  }
}
