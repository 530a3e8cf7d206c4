import Testing
import VaultModel

@testable import AWSConfig

@Suite("The grammar of the shared files")
struct GrammarTests {
  @Test(
    "a value is what stands after the first = without blanks and comments",
    arguments: [
      ("region = eu-west-1", "eu-west-1"), ("REGION=eu-west-1", "eu-west-1"), ("region\t=\t eu-west-1 \t", "eu-west-1"),
      ("region = a=b", "a=b"), ("region =", ""), ("region = a # note", "a"), ("region = a ; note", "a"),
      ("region = a#b;c", "a#b;c"),
      ("region = # note", ""), ("region =#a", "#a"), ("region = a\r\nother = b", "a"), ("region = a\rother = b", "a"),
      ("region = a\n\n  # note\n  b # text\n", "a\nb # text"), ("region = a\nregion = b", "b"), ("region = é", "é"),
    ])
  func values(line: String, value: String) throws {
    let found = try parsed("[default]\n" + line)
    #expect(found.sections.count == 1)
    #expect(found.sections[0]["region"]?.value == .text(value))
  }

  @Test(
    "a section of the config file is known by its prefix",
    arguments: [
      ("[default]", "default"), ("[profile dev]", "dev"), ("[ profile\t  dev ]", "dev"), ("[profile dev]# note", "dev"),
      ("[profile dev] ; note", "dev"), ("[profile \"my dev\"]", "my dev"), ("[profile 'dev']", "dev"), ("[profile 本番]", "本番"),
      ("[profile é*(x)&!]", "é*(x)&!"), ("[profile a\\ b]", "a b"),
      ("[profile \"a\\\"b\\c\"]", "a\"b\\c"), ("[profile a\"b c\"d]", "ab cd"),
      ("[profile a.b/c%d@e:f+g-h_1]", "a.b/c%d@e:f+g-h_1"),
      ("\u{FEFF}[profile dev]", "dev"),
    ])
  func headers(header: String, name: String) throws {
    let found = try parsed(header + "\nregion = a")
    #expect(found.sections.map(\.name) == [name])
    #expect(found.sections[0].kind == .profile)
    #expect(found.warnings.isEmpty)
  }

  @Test(
    "a section that the SDKs pass over is named in a warning by its line",
    arguments: [
      "[dev]", "[profile]", "[profile a b]", "[profile a\u{1}b]", "[profile it's]", "[profile \"\"]", "[profile \"a]", "[]",
      "[plugins]",
    ])
  func ignoredSections(header: String) throws {
    let found = try parsed("[default]\nregion = a\n\(header)\nregion = b\n  more\n")
    #expect(found.sections.count == 1)
    #expect(found.sections[0].text("region") == "a")
    #expect(found.warnings.map(\.line) == [3])
  }

  @Test("text after a section's name is passed over with a warning")
  func textAfterHeader() throws {
    let found = try parsed("[profile a] x = y\nregion = b\n[profile c]\nregion = d\n")
    #expect(found.sections.map { $0.text("region") } == ["b", "d"])
    #expect(found.warnings.map(\.description) == ["config:1: the text after \"]\" is ignored"])
  }

  @Test(
    "an indented header or setting that the value above takes in is named by its line",
    arguments: [
      ("region = x\n  output = json", [3]), ("region = x\n  [profile b]\n  region = y", [3, 4]),
      ("region =\n  output = json", [3]), ("s3 =\n  endpoint_url = http://x", []), ("policy = {\n  [x\n  }", []),
      ("role_arn = x\n  zzz = y", []),
    ])
  func swallowed(text: String, lines: [Int]) throws {
    let found = try parsed("[default]\n" + text)
    #expect(found.sections.count == 1)
    #expect(found.warnings.map(\.line) == lines)
    #expect(found.warnings.allSatisfy { $0.text.hasPrefix("an indented line continues the value above") })
  }

  @Test("in the credentials file a section is the bare name")
  func credentialsSections() throws {
    let found = try parsed("[dev]\nregion = a\n[profile dev]\nregion = b\n[default]\nregion = c\n", .credentials)
    #expect(found.sections.map(\.name) == ["dev", "default"])
    #expect(found.sections[0].text("region") == "a")
    #expect(found.warnings.map(\.line) == [3])
  }

  @Test("sso-session and services sections are read")
  func otherKinds() throws {
    let found = try parsed("[sso-session corp]\nsso_region = a\n[services local]\nsts =\n  endpoint_url = http://localhost\n")
    #expect(found.sections.map(\.kind) == [.ssoSession, .services])
    #expect(found.sections[1]["sts"]?.value == .nested([NestedSetting(name: "endpoint_url", value: "http://localhost")]))
  }

  @Test("indented lines under an empty value are settings of their own, the last of a name counting")
  func nested() throws {
    let found = try parsed("[default]\ns3 =\n  A = 1 # text\n\n  # note\n\tb=2\n  a = 3\nregion = x")
    #expect(
      found.sections[0]["s3"]?.value == .nested([NestedSetting(name: "a", value: "3"), NestedSetting(name: "b", value: "2")]))
    #expect(found.sections[0].text("region") == "x")
  }

  @Test("duplicate sections merge, and the last duplicate setting wins with its own line")
  func duplicates() throws {
    let found = try parsed("[profile a]\nregion = x\noutput = json\n[profile b]\n[profile a]\nregion = y\n")
    #expect(found.sections.map(\.name) == ["a", "b"])
    #expect(
      found.sections[0]["region"] == Setting(name: "region", value: .text("y"), origin: SettingOrigin(file: "config", line: 6)))
    #expect(found.sections[0].settings.map(\.name) == ["region", "output"])
  }

  @Test("[profile default] takes the place of [default], wherever they stand", arguments: [true, false])
  func profileDefault(bareFirst: Bool) throws {
    let bare = "[default]\nregion = a\noutput = text\n"
    let full = "[profile default]\nregion = b\n"
    let found = try parsed(bareFirst ? bare + full : full + bare)
    #expect(found.sections.count == 1)
    #expect(found.sections[0].settings.map(\.value) == [.text("b")])
    #expect(found.warnings.map(\.line) == [bareFirst ? 1 : 3])
  }

  @Test("a section with many settings keeps the last of each")
  func manySettings() throws {
    let text = (0..<2).map { round in (0..<60).map { "key\($0) = \(round)-\($0)\n" }.joined() }.joined()
    let section = try parsed("[default]\n" + text).sections[0]
    #expect(section.settings.map(\.value) == (0..<60).map { .text("1-\($0)") })
  }

  @Test(
    "a secret that is none is passed over with its line, and the rest of the file counts",
    arguments: [
      ("aws_secret_access_key = a\n  b", 3, "must be on one line"), ("aws_secret_access_key = a b", 2, "without spaces"),
      ("aws_secret_access_key = ab\u{200B}", 2, "this line has a zero-width space (U+200B)"),
    ])
  func noSecret(lines: String, line: Int, said: String) throws {
    let text = "[default]\n\(lines)\n[profile other]\naws_access_key_id = b\naws_secret_access_key = c"
    let config = try WrittenHome(config: text, credentials: nil).read()
    let warning = try #require(config.warnings.first)
    #expect(config.warnings.count == 1 && warning.line == line && warning.text.contains(said), "\(warning)")
    #expect(config.secrets["default"]?.secretAccessKey == nil && config.secrets["other"]?.secretAccessKey?.count == 1)
  }

  @Test(
    "a fault is told by its line and what should stand there",
    arguments: [
      ("region = a", 1, "a section"), ("[default]\nregion", 2, "name = value"), ("[default]\n\n= a", 3, "a name before"),
      ("[default", 1, "\"]\""), ("  region = a", 1, "a section"), ("[default]\ns3 =\n  x", 3, "name = value"),
      ("[default]\ns3 =\n  = x", 3, "a name before"),
      ("[default]\r\nregion = a\u{0}b", 2, "UTF-8"), ("# note\r[default]\rregion", 3, "name = value"),
      ("[default]\naws_secret_access_key a=", 2, "only the name of a secret"),
    ])
  func faults(text: String, line: Int, expected: String) throws {
    let error = #expect(throws: ConfigError.self) { try parsed(text) }
    guard case .syntax("config", line, let said) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(said.contains(expected))
    #expect(error?.message == "config:\(line): expected \(said)")
    #expect(error?.exitStatus == .configuration)
  }

  @Test("bytes that are not UTF-8 are a fault in a value and nothing in a comment")
  func invalidUTF8() throws {
    #expect(throws: ConfigError.syntax(file: "config", line: 2, expected: "UTF-8 text without NUL bytes")) {
      try parsed(Array("[default]\na = ".utf8) + [0xFF])
    }
    #expect(try parsed(Array("# ".utf8) + [0xFF, 0] + Array("\n[default]\n".utf8)).sections.count == 1)
  }

  @Test("a setting that nothing knows is kept, and told once with what was meant")
  func unknownSettings() throws {
    let found = try parsed("[default]\nRoleARN = a\noutput = json\nzzz = 1\n[profile a]\nrolearn = b\n[services s]\nnew = c\n")
    #expect(
      found.warnings.map(\.description) == [
        "config:2: unknown setting rolearn: kept, but without effect; did you mean role_arn?",
        "config:4: unknown setting zzz: kept, but without effect",
      ])
    #expect(found.sections.map { $0.text("rolearn") } == ["a", "b", nil])
  }

  @Test(
    "a name that may be a secret is not repeated in a warning",
    arguments: ["wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab", "wJalrXUt/EMI", "x\u{1b}[2J"])
  func unshownNames(name: String) throws {
    let found = try parsed("[default]\n\(name)== 1\n")
    #expect(found.warnings.map(\.line) == [2])
    #expect(!found.warnings[0].text.lowercased().contains(name.lowercased()))
  }

  @Test("an empty file says nothing", arguments: ["", "\n", "\u{FEFF}", "\r\r\n", "# note", "   "])
  func empty(text: String) throws {
    #expect(try parsed(text).sections.isEmpty)
  }
}
