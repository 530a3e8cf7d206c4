/// The parameters of a call in AWS's query protocol: `Action=…&Version=…&Tags.member.1.Key=…`.
struct CallParameters: Sendable {
  private(set) var values: [String: String] = [:]

  /// Reads the form of a body, and the query of a URL.
  ///
  /// - Throws: an ``AWSError`` for what is no form, and for a name that comes twice: AWS takes one of them, and ours must not
  ///   send two.
  init(_ request: HTTPRequest) throws(AWSError) {
    var texts = [request.query]
    if request["content-type"]?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true {
      guard let body = String(validating: request.body, as: UTF8.self) else { throw .malformedQueryString }
      texts.append(body)
    }
    for pair in texts.flatMap({ $0.split(separator: "&") }) {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = Self.text(halves[0]), let value = Self.text(halves.count > 1 ? halves[1] : ""),
        values.updateValue(value, forKey: name) == nil, values.count <= 512
      else { throw .malformedQueryString }
    }
  }

  private static func text(_ encoded: Substring) -> String? {
    PercentEncoding.decode(encoded, plusIsSpace: true).flatMap { String(validating: $0, as: UTF8.self) }
  }

  subscript(_ name: String) -> String? { values[name] }

  /// The parts of a list's members: `list("Tags", ["Key", "Value"])`, or with `""` for members that are plain texts.
  /// Members count from 1 without gaps. `Tags=` is the empty list.
  func list(_ name: String, _ parts: [String]) -> [[String: String]] {
    var members: [[String: String]] = []
    while true {
      let prefix = "\(name).member.\(members.count + 1)"
      var member: [String: String] = [:]
      for part in parts { member[part] = values[part.isEmpty ? prefix : "\(prefix).\(part)"] }
      if member.isEmpty { return members }
      members.append(member)
    }
  }

  /// Refuses what the action does not know. AWS would pass over it in silence, and a misspelled parameter would never be found.
  func requireOnly(_ names: [String], lists: [(name: String, parts: [String])] = []) throws(AWSError) {
    var known = Set(names + ["Action", "Version"])
    for (name, parts) in lists {
      if values[name] == "" { known.insert(name) }
      for index in 0..<list(name, parts).count {
        for part in parts { known.insert("\(name).member.\(index + 1)\(part.isEmpty ? "" : ".\(part)")") }
      }
    }
    if let stranger = values.keys.filter({ !known.contains($0) }).min() { throw .unexpectedParameter(stranger) }
  }

  /// For the log: no MFA code.
  var withoutSecrets: [String: String] {
    var shown = values
    shown["Action"] = nil
    shown["Version"] = nil
    if shown["TokenCode"] != nil { shown["TokenCode"] = "‹secret›" }
    return shown
  }
}
