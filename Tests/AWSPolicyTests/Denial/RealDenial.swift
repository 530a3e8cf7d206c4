import AWSPolicy
import TestSupport
import Testing

/// A refusal as AWS words it, from a page or a thread, and what is to be read in it.
struct RealDenial: Sendable, CustomTestStringConvertible {
  let side: DenialCause.Side
  let isExplicit: Bool
  let facts: [String: String]
  let text: String
  var testDescription: String { "\(side.rawValue): \(text.prefix(60)) (\(facts["source"] ?? "?"))" }

  /// The texts of `Fixtures/denials.txt`: each begins with its side after `==`, then facts after `#`.
  static let all: [RealDenial] = {
    let file = (try? Repository.text("Tests/AWSPolicyTests/Fixtures/denials.txt")) ?? ""
    return file.split(separator: "\n== ").dropFirst().compactMap { RealDenial($0) }
  }()

  private init?(_ record: Substring) {
    var lines = record.split(separator: "\n", omittingEmptySubsequences: false)[...]
    let words = lines.removeFirst().split(separator: " ")
    guard let side = words.first.flatMap({ DenialCause.Side(rawValue: String($0)) }) else { return nil }
    self.side = side
    isExplicit = words.dropFirst().first == "explicit"
    var facts: [String: String] = [:]
    while let line = lines.first, line.hasPrefix("# "), let colon = line.firstRange(of: ": ") {
      facts[String(line[..<colon.lowerBound].dropFirst(2))] = String(line[colon.upperBound...])
      lines.removeFirst()
    }
    self.facts = facts
    text = lines.joined(separator: "\n")
  }
}
