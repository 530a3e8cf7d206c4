/// A pattern with wildcards, its policy variables replaced by the values of one request.
struct WildcardPattern: Sendable, Hashable {
  private enum Piece: Sendable, Hashable {
    case scalar(Unicode.Scalar)
    /// `?`.
    case one(crossesColons: Bool)
    /// `*`.
    case run(crossesColons: Bool)
  }

  private var pieces: [Piece] = []

  /// Matches the text itself only.
  init(literal text: String) { pieces = text.unicodeScalars.map { .scalar($0) } }

  /// Without variables.
  init(_ text: String, hasWildcards: Bool = true) {
    for scalar in text.unicodeScalars { append(scalar, hasWildcards: hasWildcards) }
  }

  /// With variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, `${*}` (IAM User Guide, "IAM policy elements:
  /// Variables and tags"). The value of a variable has no wildcards in it.
  ///
  /// - Returns: nil where a variable has no value, or has several: such a pattern matches nothing.
  init?(_ text: String, hasWildcards: Bool = true, variables keys: ContextKeys) {
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "$", rest.first == "{", let end = rest.firstIndex(of: "}") else {
        append(scalar, hasWildcards: hasWildcards)
        continue
      }
      guard let value = Self.value(of: String(rest[rest.index(after: rest.startIndex)..<end]), keys) else { return nil }
      pieces += value.unicodeScalars.map { .scalar($0) }
      rest = rest[rest.index(after: end)...]
    }
  }

  private static func value(of variable: String, _ keys: ContextKeys) -> String? {
    if ["*", "?", "$"].contains(variable) { return variable }
    let parts = variable.split(separator: ",", maxSplits: 1)
    if let name = parts.first, let values = keys[String(name)], values.count == 1 { return values[0] }
    guard parts.count == 2, let start = parts[1].firstIndex(of: "'"), let end = parts[1].lastIndex(of: "'"), start < end else {
      return nil
    }
    return String(parts[1][parts[1].index(after: start)..<end])
  }

  private mutating func append(_ scalar: Unicode.Scalar, hasWildcards: Bool) {
    switch scalar {
    case "*" where hasWildcards: pieces.append(.run(crossesColons: true))
    case "?" where hasWildcards: pieces.append(.one(crossesColons: true))
    default: pieces.append(.scalar(scalar))
    }
  }

  /// The pattern of a resource. In the five segments before the resource's own, a wildcard stays within its segment, unless it is
  /// a `*` at the segment's end (IAM User Guide, "IAM JSON policy elements: Resource").
  ///
  /// - Returns: nil where a variable has no value, or stands before the fifth colon, where IAM has none.
  init?(resource text: String, variables keys: ContextKeys?) {
    let colons = text.unicodeScalars.indices.filter { text.unicodeScalars[$0] == ":" }
    let ownPart = colons.count < 5 ? text.endIndex : text.index(after: colons[4])
    let head = text.unicodeScalars[..<ownPart]
    if keys != nil, text[..<ownPart].contains("${") { return nil }
    for index in head.indices {
      append(head[index], hasWildcards: true)
      let next = head.index(after: index)
      let endsSegment = next == text.unicodeScalars.endIndex || text.unicodeScalars[next] == ":"
      switch head[index] {
      case "*" where !endsSegment: pieces[pieces.count - 1] = .run(crossesColons: false)
      case "?": pieces[pieces.count - 1] = .one(crossesColons: false)
      default: break
      }
    }
    let tail = String(text[ownPart...])
    guard let own = keys.map({ WildcardPattern(tail, variables: $0) }) ?? WildcardPattern(tail) else { return nil }
    pieces += own.pieces
  }

  /// Whether the pattern matches the whole text.
  ///
  /// Follows all places in the pattern that the text can lead to at once, without backtracking. The time is at most the product
  /// of both lengths, whatever the pattern.
  func matches(_ text: String) -> Bool {
    var reached = [Bool](repeating: false, count: pieces.count + 1)
    reached[0] = true
    passRuns(&reached)
    for scalar in text.unicodeScalars {
      var next = [Bool](repeating: false, count: pieces.count + 1)
      var isAlive = false
      for index in pieces.indices where reached[index] {
        switch pieces[index] {
        case .scalar(scalar): next[index + 1] = true
        case .one(let crosses) where crosses || scalar != ":": next[index + 1] = true
        case .run(let crosses) where crosses || scalar != ":": next[index] = true
        default: continue
        }
        isAlive = true
      }
      guard isAlive else { return false }
      passRuns(&next)
      reached = next
    }
    return reached[pieces.count]
  }

  /// A `*` also matches the empty text.
  private func passRuns(_ reached: inout [Bool]) {
    for index in pieces.indices where reached[index] {
      if case .run = pieces[index] { reached[index + 1] = true }
    }
  }

  /// The pattern's segments between colons. The sixth is all the rest.
  var segments: [WildcardPattern] {
    pieces.split(separator: .scalar(":"), maxSplits: 5, omittingEmptySubsequences: false).map {
      WildcardPattern(pieces: Array($0))
    }
  }

  /// The pattern for texts in lower case.
  var lowercased: WildcardPattern {
    WildcardPattern(
      pieces: pieces.flatMap { piece in
        guard case .scalar(let scalar) = piece else { return [piece] }
        return scalar.properties.lowercaseMapping.unicodeScalars.map { .scalar($0) }
      })
  }

  private init(pieces: [Piece]) { self.pieces = pieces }
}
