import Testing
import VaultModel

@testable import AWSClient

struct STSEndpointTests {
  /// One row of the table that botocore made.
  struct Row: Sendable, CustomTestStringConvertible {
    let region: String
    let settings: EndpointSettings
    let url: String
    let signingRegion: String
    var testDescription: String {
      "\(region) FIPS \(settings.useFIPS) dual-stack \(settings.useDualStack) legacy \(settings.legacyGlobal)"
    }
  }

  static func rows() throws -> [Row] {
    try Fixture.text("sts-endpoints.tsv").split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      let parts = line.split(separator: "\t").map(String.init)
      try #require(parts.count == 6)
      let settings = EndpointSettings(useFIPS: parts[1] == "1", useDualStack: parts[2] == "1", legacyGlobal: parts[3] == "1")
      return Row(region: parts[0], settings: settings, url: parts[4], signingRegion: parts[5])
    }
  }

  @Test("an endpoint is the one that botocore finds")
  func likeBotocore() throws {
    let rows = try Self.rows()
    #expect(rows.count > 300)
    // For the variants of aws-global botocore makes names that do not exist.
    for row in rows where row.url != "-" && (row.region != "aws-global" || row.url == "https://sts.amazonaws.com") {
      let endpoint = try STSEndpoint(region: row.region, settings: row.settings)
      #expect(endpoint.url == row.url + "/", "\(row.testDescription)")
      #expect(endpoint.signingRegion == row.signingRegion, "\(row.testDescription)")
    }
  }

  @Test("the variants of the global endpoint are those of us-east-1")
  func globalVariants() throws {
    let fips = try STSEndpoint(region: "aws-global", settings: EndpointSettings(useFIPS: true))
    let dualStack = try STSEndpoint(region: "aws-global", settings: EndpointSettings(useDualStack: true))
    #expect(fips.host == "sts-fips.us-east-1.amazonaws.com")
    #expect(dualStack.host == "sts.us-east-1.api.aws")
    #expect(fips.signingRegion == "us-east-1" && dualStack.signingRegion == "us-east-1")
  }

  @Test("without a region it is us-east-1")
  func noRegion() throws {
    #expect(try STSEndpoint(region: nil, settings: EndpointSettings()).host == "sts.us-east-1.amazonaws.com")
  }

  @Test(
    "a URL of one's own takes the place of AWS's",
    arguments: [
      ("https://sts.example.test", "https://sts.example.test/", "sts.example.test"),
      ("https://sts.example.test:8443/path", "https://sts.example.test:8443/path", "sts.example.test:8443"),
      ("HTTPS://STS.Example.test:443", "https://sts.example.test/", "sts.example.test"),
      ("http://127.0.0.1:5000", "http://127.0.0.1:5000/", "127.0.0.1:5000"),
      ("http://[::1]:5000/", "http://[::1]:5000/", "[::1]:5000"), ("http://localhost", "http://localhost/", "localhost"),
    ])
  func override(_ text: String, _ url: String, _ host: String) throws {
    let endpoint = try STSEndpoint(region: "eu-west-1", settings: EndpointSettings(url: text, useFIPS: true))
    #expect(endpoint.url == url)
    #expect(endpoint.host == host)
    #expect(endpoint.signingRegion == "eu-west-1")
  }

  @Test(
    "plain HTTP goes to this machine alone",
    arguments: [
      "http://sts.example.test", "http://10.0.0.1", "http://127.example.test", "http://127.0.0.1.example.test",
      "http://localhost.example.test", "http://128.0.0.1", "http://[::2]",
    ])
  func insecure(_ url: String) throws {
    let host = try #require(WebAddress(url)).host
    #expect(throws: TransportError.insecure(host: host)) { try STSEndpoint(region: nil, settings: EndpointSettings(url: url)) }
  }

  @Test(
    "what is no plain URL is refused",
    arguments: [
      "", "sts.example.test", "ftp://example.test", "https://", "https:///path", "https://user@example.test",
      "https://user:pw@example.test",
      "https://example.test?x=1", "https://example.test/#x", "https://example.test:0", "https://example.test:65536",
      "https://example.test:+80",
      "https://example.test:", "https://exa mple.test", "https://example.test\r\nX: y", "https://[::1", "https://[::1]x",
      "https://a:1:2", "https://[]",
      "https://ex\u{E4}mple.test", "http://127.+1.0.1", "http://127.0.0",
    ])
  func notAURL(_ url: String) {
    #expect(throws: TransportError.badURL(url)) { try STSEndpoint(region: nil, settings: EndpointSettings(url: url)) }
  }

  @Test(
    "a region that could name another host is refused",
    arguments: ["", "us-east-1.example.test", "US-EAST-1", "a/b", "a@b", "us east"])
  func badRegion(_ region: String) {
    #expect(throws: TransportError.badURL("sts.\(region)")) { try STSEndpoint(region: region, settings: EndpointSettings()) }
  }
}
