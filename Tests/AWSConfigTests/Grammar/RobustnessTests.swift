import TestSupport
import Testing
import VaultModel

@testable import AWSConfig

@Suite("Files that were damaged")
struct RobustnessTests {
  private static let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
  private static let sample = """
    [default]
    region = eu-west-1 # note
    [profile dev]
    role_arn = arn:aws:iam::123456789012:role/dev
    source_profile = base
    include_profile = common
    services = local
    [profile common]
    duration_seconds = 3600
    session_tags = a=b,c=d
    [profile base]
    aws_access_key_id = AKIA
    aws_secret_access_key = \(secret)
    s3 =
      addressing_style = path
    [sso-session corp]
    sso_region = us-east-1
    [services local]
    sts =
      endpoint_url = http://localhost:1
    """

  @Test("any damage ends in sections or in an error that names its line", arguments: [1, 2, 3, 4] as [UInt64])
  func mutations(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let original = Array(Self.sample.utf8)
    let signs = Array("[]=#; \t\r\n\"'\u{FEFF}".utf8) + [0, 0xFF, 0x80]
    for round in 0..<1_000 {
      var bytes = original
      for _ in 0...Int.random(in: 0..<6, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.remove(at: place)
        case 1: bytes[place] = signs.randomElement(using: &random) ?? 0
        case 2: bytes.insert(signs.randomElement(using: &random) ?? 0, at: place)
        default: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1..<30, using: &random)))
        }
        if bytes.isEmpty { bytes = [0] }
      }
      check(bytes, "seed \(seed), round \(round)")
    }
  }

  @Test("bytes by chance end in sections or in an error that names its line", arguments: [5, 6, 7, 8] as [UInt64])
  func randomBytes(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let words = [
      "[profile a]\n", "[default]\n", "role_arn = ", "source_profile = a\n", "\n ", " = ", "]", "[", "#", "\r", "\u{FEFF}",
    ]
    for round in 0..<1_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<30, using: &random) {
        if Bool.random(using: &random), let word = words.randomElement(using: &random) {
          bytes += Array(word.utf8)
        } else {
          bytes += (0..<Int.random(in: 0..<8, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
      }
      check(bytes, "seed \(seed), round \(round)")
    }
  }

  private func check(_ bytes: [UInt8], _ place: String) {
    do throws(ConfigError) {
      let found = try parsed(bytes)
      var sections: [String: ConfigSection] = [:]
      for section in found.sections { sections[section.kind.rawValue + " " + section.name] = section }
      let known = sections
      let resolver = ChainResolver(lookup: { known[$0.rawValue + " " + $1] }, environment: { _ in nil })
      for section in found.sections where section.kind == .profile {
        let summary = resolver.summary(for: section.name)
        // Only [default] may lead nowhere without a fault.
        #expect((summary.kind == nil) == (summary.problem != nil) || section.name == "default", "\(place)")
        #expect(summary.kind == nil || summary.problem == nil, "\(place)")
        let explained = resolver.explanation(for: section.name)
        #expect(explained.settings.count + explained.ignored.count >= section.settings.count, "\(place)")
      }
    } catch {
      guard case .syntax("config", let line, _) = error else {
        Issue.record("\(place): \(error.message)")
        return
      }
      #expect(line >= 1, "\(place)")
      #expect(!error.message.contains(Self.secret), "\(place)")
    }
  }
}
