import Foundation
import TestSupport
import Testing
import VaultModel

@testable import AWSConfig

/// botocore as the measure, on files that keep to what both grammars allow.
///
/// Left out is where the rules of the other SDKs, which we follow, differ from botocore's configparser: comments after a value,
/// duplicate sections and settings (botocore refuses them), `[default]` beside `[profile default]` (there the later one wins), a
/// BOM (botocore refuses it), a blank line within a continued value (botocore keeps it), control characters in names, and prefixed sections in the credentials file.
@Suite("The same files read by botocore")
struct BotocoreTests {
  /// The Python that has botocore: `make test`'s own, the one that is named, or the first in PATH.
  private static let python: [String] = {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["VAULT_TEST_VENV"] { return [folder + "/bin/python"] }
    return environment["VAULT_TEST_PYTHON"].map { [$0] } ?? ["/usr/bin/env", "python3"]
  }()
  private static let script = """
    import json, os, sys
    import botocore.session
    def flat(values):
        return {k: ({n.lower(): t for n, t in v.items()} if isinstance(v, dict) else v) for k, v in values.items()}
    result = []
    for path in sys.argv[1:]:
        os.environ.update(AWS_CONFIG_FILE=path, AWS_SHARED_CREDENTIALS_FILE=path + '-credentials')
        found = botocore.session.Session().full_config
        result.append({
            'profile': {n: flat(v) for n, v in found['profiles'].items()},
            'sso-session': {n: flat(v) for n, v in found.get('sso_sessions', {}).items()},
            'services': {n: flat(v) for n, v in found.get('services', {}).items()}})
    print(json.dumps(result))
    """

  @Test("both find the same sections and values, in one file and in two", arguments: 1...4 as ClosedRange<UInt64>)
  func same(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let folder = TemporaryDirectory()
    let paths = (0..<60).map { number in
      let path = folder.write(Self.file(&random), to: "config\(number)")
      if Bool.random(using: &random) { folder.write(Self.credentials(&random), to: "config\(number)-credentials") }
      return path
    }
    try await compare(paths, "seed \(seed)")
  }

  @Test("both understand a file as people indent it")
  func indented() async throws {
    let folder = TemporaryDirectory()
    let texts = [
      "[profile a]\n  region = x\n  output = json\n", "  [profile a]\n  region = x\n",
      "[profile a]\nregion = x\n  output = json\n", "[profile a]\nregion = x\n  [profile b]\n  region = y\n",
      "[profile a]\n  region = x\n    output = json\nrole_arn = z\n", "[profile a]\n  region = x\noutput = y\n",
      "[profile a]\n  region = x\n  s3 =\n    a = b\n    c = d\n  output = y\n", "[profile a] x = y\nregion = x\n",
      "[profile a]\n  # note\n  region = x\n ; note\n  output = y\n", "[profile a]\n\n\tregion = x\n\n\toutput = y\n",
      "[profile a]\n  region = x\n  [profile b]\n  region = y\n", "[profile a]\n  region = x\n output = y\n  role_arn = z\n",
    ]
    try await compare(texts.enumerated().map { folder.write($0.element, to: "config\($0.offset)") }, "indented")
  }

  @Test("both take the same names, and strip the same blanks off values")
  func namesAndBlanks() async throws {
    let folder = TemporaryDirectory()
    let headers = [
      "profile 本番", "profile é*(x)&!$", "profile a\\ b", "profile \"a\\\"b\\c\"", "profile a\"b c\"d", "profile it's",
      "profile a\\b",
      "profile 'a\\b'", "profile a b", "profile a#b;c", "profile a\u{A0}", "profile a\u{200B}", "profile\u{A0}a",
      "sso-session 会社",
    ]
    let texts =
      headers.map { "[\($0)]\nregion = x\n" }
      + ["\u{A0}", "\u{3000}", "\u{2003}", "\u{202F}", "\u{85}", "\u{1C}"].map {
        "[profile a]\nregion = \($0)x\($0)\n\($0)output\($0)= a\($0)b\n\($0)\($0)role_arn = z\n"
      } + ["[profile a]\nregion = x\u{200B}\n\u{200B}output = a\u{FEFF}b\n"]
    try await compare(texts.enumerated().map { folder.write($0.element, to: "config\($0.offset)") }, "names and blanks")
    let credentials = ["本番", "it's", "a b", "a\\b", "\"a\"", "a\u{A0}"]
    let paths = credentials.enumerated().map { index, name in
      folder.write("[\(name)]\nregion = x\n", to: "other\(index)-credentials")
      return folder.write("", to: "other\(index)")
    }
    try await compare(paths, "names in the credentials file")
  }

  /// Reads each config file, with the credentials file beside it, by both.
  private func compare(_ paths: [String], _ what: String) async throws {
    let output = try await Self.run(Self.script, paths)
    let theirs = try #require(
      try JSONSerialization.jsonObject(with: output) as? [[String: [String: NSDictionary]]])
    #expect(theirs.count == paths.count)
    for (path, expected) in zip(paths, theirs) {
      let shared = try SharedConfig.read(configFile: path, credentialsFile: path + "-credentials", home: nil)
      var ours: [String: [String: NSDictionary]] = ["profile": [:], "sso-session": [:], "services": [:]]
      for section in shared.sections { ours[section.kind.rawValue]?[section.name] = Self.values(section) }
      let texts = [path, path + "-credentials"].map { FileManager.default.contents(atPath: $0) ?? Data() }
      #expect(ours == expected, "\(what)\n\(texts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n--\n"))")
    }
  }

  private static func values(_ section: ConfigSection) -> NSDictionary {
    var values: [String: Any] = [:]
    for setting in section.settings {
      switch setting.value {
      case .text(let text): values[setting.name] = text
      case .nested(let list): values[setting.name] = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0.value) })
      }
    }
    return values as NSDictionary
  }

  private static func file(_ random: inout SeededGenerator) -> String {
    text(&random) { index in
      [
        "[profile p\(index)]", "[profile \t p\(index)]", "[profile \"p \(index)\"]", "[profile 'q\(index)']",
        "[profile p\(index)/a.b@c:d+e%f-g]", "[sso-session s\(index)]", "[services v\(index)]", "[plugins\(index)]",
        index == 0 ? "[default]" : "[profile default\(index)]",
      ]
    }
  }

  private static func credentials(_ random: inout SeededGenerator) -> String {
    text(&random) { index in ["[p\(index)]", "[q\(index)]", "[new-\(index)]", index == 0 ? "[default]" : "[d\(index)]"] }
  }

  private static func text(_ random: inout SeededGenerator, headers: (Int) -> [String]) -> String {
    let end = ["\n", "\r\n", "\r"].randomElement(using: &random) ?? "\n"
    var lines: [String] = []
    for index in 0..<Int.random(in: 1..<6, using: &random) {
      lines.append(headers(index).randomElement(using: &random) ?? "")
      for key in 0..<Int.random(in: 0..<6, using: &random) {
        let line =
          [
            "key\(key) = a b", "KEY\(key)=a=b#c", "key\(key)\t=\té", "key\(key) =", "key\(key) = x\(end)  more\(end)\tand = more",
            "key\(key) =\(end)  N = 1\(end)  m=2=3", "Region\(key) =  eu-west-1  ", "key\(key) = \"quoted\"",
            "a key \(key) = [x]",
          ]
          .randomElement(using: &random) ?? ""
        lines.append(line)
        lines.append(["", "# note = 1", "; note", "  # note"].randomElement(using: &random) ?? "")
      }
    }
    return lines.joined(separator: end) + end
  }

  private static func run(_ script: String, _ arguments: [String]) async throws -> Data {
    let result = try await Subprocess.run(
      python[0], python.dropFirst() + ["-c", script] + arguments, environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"])
    try #require(
      result.succeeded, "\(python.joined(separator: " ")) must have botocore (VAULT_TEST_PYTHON names another)\n\(result.errors)")
    return Data(result.outputBytes)
  }
}
