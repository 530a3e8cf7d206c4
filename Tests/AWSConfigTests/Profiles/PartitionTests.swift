import Testing
import VaultModel

@testable import AWSConfig

private let keys = "[profile k]\naws_access_key_id = AKIA\naws_secret_access_key = x\n"

private func role(_ partition: String, _ name: String, _ more: String) -> String {
  "[profile \(name)]\nrole_arn = arn:\(partition):iam::123456789012:role/\(name)\n\(more)\n"
}

@Suite("The region of a role, and its partition")
struct PartitionTests {
  @Test(
    "a role without a region has its source's, and then its partition's own",
    arguments: [
      ("aws-us-gov", "", "", "us-gov-west-1"), ("aws-cn", "", "", "cn-northwest-1"), ("aws-eusc", "", "", "eusc-de-east-1"),
      ("aws", "", "", nil), ("aws-us-gov", "", "region = us-gov-east-1\n", "us-gov-east-1"),
      ("aws", "", "region = eu-west-3\n", "eu-west-3"),
      ("aws-cn", "region = cn-north-1", "region = cn-northwest-1\n", "cn-north-1"),
    ] as [(String, String, String, String?)])
  func region(partition: String, own: String, source: String, expected: String?) throws {
    let chain = try resolver(
      "[default]\nregion = eu-west-1\n" + role(partition, "p", "source_profile = k\n" + own) + keys + source
    )
    .chain(for: "p")
    #expect(chain.roles.map(\.region) == [expected])
    // What runs in the commercial partition may have a region of its own.
    #expect(chain.region == (partition == "aws" ? nil : expected))
  }

  @Test("every role of a chain, and a web identity's, has the region; the environment's comes before the source's")
  func chained() throws {
    let text =
      role("aws-us-gov", "b", "source_profile = a") + role("aws-us-gov", "a", "web_identity_token_file = /token")
      + role("aws", "c", "source_profile = k") + keys + "region = eu-west-3\n"
    let chain = try resolver(text).chain(for: "b")
    #expect(chain.roles.map(\.region) == ["us-gov-west-1"])
    guard case .webIdentity(let link, _) = chain.identity else { return #expect(Bool(false), "\(chain.identity)") }
    #expect(link.region == "us-gov-west-1")
    #expect(try resolver(text, environment: ["AWS_REGION": "eu-north-1"]).chain(for: "c").region == "eu-north-1")
  }

  @Test(
    "a region and a role of two partitions are told by the region's line, before any call",
    arguments: [
      ("region = us-east-1", "", "config:4: "), ("", "region = us-east-1\n", "config:2: "),
      ("region = cn-north-1", "", "config:4: "),
    ])
  func contradiction(own: String, source: String, place: String) throws {
    let found = try resolver(role("aws-us-gov", "p", "source_profile = k\n" + own) + keys + source)
    let error = #expect(throws: ConfigError.self) { try found.chain(for: "p") }
    #expect(
      error?.message.hasPrefix(place + "profile \"p\" has a role of the partition aws-us-gov but a region of aws") == true,
      "\(error?.message ?? "")")
    #expect(error?.exitStatus == .configuration && error?.hint?.contains("us-gov-west-1") == true)
  }

  @Test(
    "a region of the environment that contradicts a role is told by its variable; so are roles of two partitions in one chain")
  func others() throws {
    let text = role("aws-cn", "p", "source_profile = k") + role("aws", "q", "source_profile = p") + keys
    let error = #expect(throws: ConfigError.self) { try resolver(text, environment: ["AWS_REGION": "us-east-1"]).chain(for: "p") }
    #expect(error?.message.hasPrefix("environment: ") == true)
    #expect(throws: ConfigError.self) { try resolver(text).chain(for: "q") }
  }
}
