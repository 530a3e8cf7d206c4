import TestSupport
import Testing
import VaultModel

@testable import AWSConfig

/// Each of these would take minutes, or gigabytes, if any step cost more for each line as the file grows.
@Suite("Files that were made to hurt", .timeLimit(.minutes(1)))
struct HostileFileTests {
  private static let role = "role_arn = arn:aws:iam::123456789012:role/x\n"

  @Test(
    "more than is taken is refused, and the line told at which that was seen",
    arguments: [
      ("settings", 502, "at most 500 settings in a section"),
      ("lines", 503, "at most 500 lines in a nested value"), ("name", 2, "a name of at most 256 bytes before \"=\""),
      ("nested name", 3, "a name of at most 256 bytes before \"=\""),
    ])
  func tooMuch(of what: String, line: Int, expected: String) throws {
    let text =
      switch what {
      case "settings": "[default]\n" + (0..<20_000).map { "a\($0) = 1\n" }.joined()
      case "lines": "[default]\ns3 =\n" + (0..<20_000).map { " a\($0) = 1\n" }.joined()
      case "nested name": "[default]\ns3 =\n  " + String(repeating: "n", count: 257) + " = 1\n"
      default: "[default]\n" + String(repeating: "n", count: 257) + " = 1\n"
      }
    #expect(throws: ConfigError.syntax(file: "config", line: line, expected: expected)) { try parsed(text) }
  }

  @Test("a file may have as many sections and settings as its size allows")
  func manySections() throws {
    let found = try parsed((0..<60_000).map { "[profile p\($0)]\na = 1\nb = 2\nc = 3\nd = 4\ne = 5\n" }.joined())
    let counts = (found.sections.count, found.sections.last?.settings.count)
    #expect(counts == (60_000, 5))
  }

  @Test("as much as is taken is taken")
  func justEnough() throws {
    let name = String(repeating: "n", count: 256)
    let settings = (1..<500).map { "a\($0) = 1\n" }.joined()
    let lines = (0..<500).map { " a\($0) = 1\n" }.joined()
    let found = try parsed("[profile \(name)]\n\(settings)s3 =\n\(lines)").sections
    #expect(found.map(\.name) == [name])
    #expect(found[0].settings.count == 500)
    guard case .nested(let nested) = found[0]["s3"]?.value else {
      Issue.record("s3 is not nested")
      return
    }
    #expect(nested.count == 500)
  }

  @Test("a section of a longer name than there may be is ignored", arguments: [257, 2_000, 4_000_000])
  func longName(length: Int) throws {
    let found = try parsed("[profile \(String(repeating: "n", count: length))]\nregion = a\n[default]\nregion = b\n")
    #expect(found.sections.map(\.name) == ["default"])
    #expect(found.warnings.map(\.description) == ["config:1: section ignored: its name is longer than 256 bytes"])
  }

  @Test("of very many warnings the first are told, and how many are not")
  func manyWarnings() throws {
    let found = try parsed(String(repeating: "[ignored]\n", count: 200_000))
    #expect(found.warnings.count == 1_001)
    #expect(found.warnings.last?.text == "199000 more warnings omitted")
  }

  @Test("a value of very many lines, and a line of very many bytes, are read")
  func longValues() throws {
    let lines = try parsed("[default]\na = x\n" + String(repeating: " y\n", count: 100_000)).sections[0]
    #expect(lines.text("a")?.utf8.count == 1 + 100_000 * 2)
    let line = try parsed("[default]\na = " + String(repeating: "y", count: 4_000_000)).sections[0]
    #expect(line.text("a")?.utf8.count == 4_000_000)
  }

  @Test(
    "thousands of profiles are summed up, however they lead to each other", .tags(.measures), .selectedByTag,
    arguments: ["sources", "ring", "includes", "common"])
  func summaries(shape: String) throws {
    let count = shape == "common" ? 500 : 5_000
    let profiles = (0..<count).map { number in
      let next = (number + 1) % count
      return switch shape {
      case "sources": "[profile p\(number)]\n\(Self.role)source_profile = p\(number + 1)\n"
      case "ring": "[profile p\(number)]\n\(Self.role)source_profile = p\(next)\n"
      case "includes": "[profile p\(number)]\ninclude_profile = p\(next)\n"
      default: "[profile p\(number)]\ninclude_profile = common\n"
      }
    }
    let common = "[profile common]\n" + (0..<250).map { "a\($0) = 1\n" }.joined()
    let found = try resolver(profiles.joined() + common)
    for number in 0..<count {
      let problem = found.summary(for: "p\(number)").problem
      #expect(problem.map { $0.utf8.count < 200 } == true)
    }
  }

  @Test(
    "names that attack what prints or stores them are data",
    arguments: ["'; DROP TABLE profile; --", "../../x", "--help", "-", "\u{202E}x"])
  func names(name: String) throws {
    let found = try parsed("[profile \"\(name)\"]\ncredential_process = $(reboot)|`x`\n").sections
    #expect(found.map(\.name) == [name])
    #expect(found[0].text("credential_process") == "$(reboot)|`x`")
  }
}
