/// Collects what is wrong with parameters, and says it as AWS does: all of it in one message.
struct Validation {
  private var faults: [String] = []

  mutating func require(_ holds: Bool, _ value: String?, at name: String, _ constraint: String) {
    guard !holds else { return }
    let shown = value.map { "'\($0)'" } ?? "null"
    faults.append("Value \(shown) at '\(name)' failed to satisfy constraint: Member must \(constraint)")
  }

  /// A text's length, in characters of Unicode as the model counts them, and its alphabet.
  mutating func text(_ value: String?, at name: String, length: ClosedRange<Int>, pattern: Pattern? = nil) {
    guard let value else { return }
    let count = value.unicodeScalars.count
    require(count >= length.lowerBound, value, at: name, "have length greater than or equal to \(length.lowerBound)")
    require(count <= length.upperBound, value, at: name, "have length less than or equal to \(length.upperBound)")
    if let pattern {
      require(
        value.unicodeScalars.allSatisfy(pattern.allows), value, at: name, "satisfy regular expression pattern: \(pattern.words)")
    }
  }

  /// A number within a range; the default where there is none.
  mutating func number(_ text: String?, at name: String, range: ClosedRange<Int>, defaultValue: Int) -> Int {
    guard let text else { return defaultValue }
    guard let number = Int(text) else {
      require(false, text, at: name, "be a number")
      return defaultValue
    }
    require(number >= range.lowerBound, text, at: name, "have value greater than or equal to \(range.lowerBound)")
    require(number <= range.upperBound, text, at: name, "have value less than or equal to \(range.upperBound)")
    return number
  }

  func finish() throws(AWSError) {
    guard !faults.isEmpty else { return }
    let count = faults.count == 1 ? "1 validation error" : "\(faults.count) validation errors"
    throw .validation("\(count) detected: \(faults.joined(separator: "; "))")
  }

  /// An alphabet of the STS model: its regular expression, and what that allows.
  struct Pattern: Sendable {
    let words: String
    let allows: @Sendable (Unicode.Scalar) -> Bool

    /// `\w` and some more, in ASCII.
    private init(word extra: String, words: String) {
      self.words = words
      let allowed = Set(extra.unicodeScalars)
      allows = { scalar in
        switch scalar.value {
        case 48...57, 65...90, 95, 97...122: true
        default: allowed.contains(scalar)
        }
      }
    }

    private init(words: String, allows: @escaping @Sendable (Unicode.Scalar) -> Bool) {
      self.words = words
      self.allows = allows
    }

    static let name = Pattern(word: "+=,.@-", words: #"[\w+=,.@-]*"#)
    static let externalId = Pattern(word: "+=,.@:/-", words: #"[\w+=,.@:\/-]*"#)
    static let serialNumber = Pattern(word: "+=/:,.@-", words: #"[\w+=/:,.@-]*"#)
    static let digits = Pattern(words: #"[\d]*"#) { (48...57).contains($0.value) }
    static let tag = Pattern(words: #"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"#) { scalar in
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .spaceSeparator, .lineSeparator,
        .paragraphSeparator, .decimalNumber, .letterNumber, .otherNumber:
        true
      default: "_.:/=+-@".unicodeScalars.contains(scalar)
      }
    }
    static let arn = Pattern(words: #"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"#) {
      switch $0.value {
      case 9, 10, 13, 0x20...0x7e, 0x85, 0xa0...0xd7ff, 0xe000...0xfffd, 0x10000...0x10ffff: true
      default: false
      }
    }
  }
}
