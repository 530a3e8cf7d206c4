import Foundation
import TestSupport
import Testing
import VaultModel

@testable import AWSConfig

/// botocore as the measure, on files that keep to what both grammars allow: botocore knows no comments after a value, and
/// refuses duplicates.
@Suite("The same files read by botocore")
struct BotocoreTests {
  private static let python =
    ProcessInfo.processInfo.environment["VAULT_TEST_VENV"].map { $0 + "/bin/python" } ?? "/usr/bin/python3"
  private static let hasBotocore = (try? run("import botocore.configloader", [])) != nil
  private static let script = """
    import json, sys
    from botocore.configloader import load_config
    def flat(values):
        return {k: ({n.lower(): t for n, t in v.items()} if isinstance(v, dict) else v) for k, v in values.items()}
    result = []
    for path in sys.argv[1:]:
        found = load_config(path)
        result.append({
            'profile': {n: flat(v) for n, v in found['profiles'].items()},
            'sso-session': {n: flat(v) for n, v in found.get('sso_sessions', {}).items()},
            'services': {n: flat(v) for n, v in found.get('services', {}).items()}})
    print(json.dumps(result))
    """

  @Test("both find the same sections and values", .enabled(if: hasBotocore), arguments: [1, 2, 3] as [UInt64])
  func same(seed: UInt64) throws {
    var random = SeededGenerator(state: seed)
    let folder = TemporaryDirectory()
    let paths = (0..<60).map { folder.write(Self.file(&random), to: "config\($0)") }
    let theirs = try #require(
      try JSONSerialization.jsonObject(with: Self.run(Self.script, paths)) as? [[String: [String: NSDictionary]]])
    #expect(theirs.count == paths.count)
    for (path, expected) in zip(paths, theirs) {
      let shared = try SharedConfig.read(configFile: path, credentialsFile: path + "-none", home: nil)
      var ours: [String: [String: NSDictionary]] = ["profile": [:], "sso-session": [:], "services": [:]]
      for section in shared.sections { ours[section.kind.rawValue]?[section.name] = Self.values(section) }
      #expect(
        ours == expected, "seed \(seed)\n\(String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self))"
      )
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
    let end = ["\n", "\r\n", "\r"].randomElement(using: &random) ?? "\n"
    var lines: [String] = []
    for index in 0..<Int.random(in: 1..<6, using: &random) {
      lines.append(
        [
          "[profile p\(index)]", "[profile \t p\(index)]", "[profile \"p \(index)\"]", "[sso-session s\(index)]",
          "[services v\(index)]", "[plugins\(index)]",
        ]
        .randomElement(using: &random) ?? "")
      for key in 0..<Int.random(in: 0..<6, using: &random) {
        let line =
          [
            "key\(key) = a b", "KEY\(key)=a=b#c", "key\(key)\t=\té", "key\(key) =", "key\(key) = x\(end)  more\(end)\tand = more",
            "key\(key) =\(end)  N = 1\(end)  m=2=3",
          ]
          .randomElement(using: &random) ?? ""
        lines.append(line)
        lines.append(["", "# note = 1", "; note", "  # note"].randomElement(using: &random) ?? "")
      }
    }
    return lines.joined(separator: end) + end
  }

  private static func run(_ script: String, _ arguments: [String]) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = ["-c", script] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    return data
  }
}
