import Testing
import VaultModel

@testable import AWSClient

struct ServiceEndpointTests {
  @Test("an endpoint is the one that botocore finds", arguments: AWSService.allCases)
  func likeBotocore(_ service: AWSService) throws {
    let rows = try Fixture.text("service-endpoints.tsv").split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
      .filter { $0[0] == service.rawValue }
    #expect(rows.count > 150)
    for row in rows {
      try #require(row.count == 6)
      let settings = EndpointSettings(useFIPS: row[2] == "1", useDualStack: row[3] == "1")
      let endpoint = try ServiceEndpoint(service, region: row[1], settings: settings)
      #expect(endpoint.address.text == row[4] + "/", "\(row)")
      #expect(endpoint.signingRegion == row[5], "\(row)")
    }
  }

  @Test("a URL of one's own takes the place of AWS's, and keeps its path")
  func override() throws {
    let endpoint = try ServiceEndpoint(.portal, region: "eu-west-1", settings: EndpointSettings(url: "http://[::1]:5000/base"))
    #expect(endpoint.host == "[::1]:5000" && endpoint.address("/logout").text == "http://[::1]:5000/base/logout")
    let iam = try ServiceEndpoint(.iam, region: "cn-northwest-1", settings: EndpointSettings(url: "https://iam.example.test"))
    #expect(iam.signingRegion == "cn-north-1" && iam.address.text == "https://iam.example.test/")
  }

  @Test("plain HTTP goes to this machine alone, and what is no URL nowhere")
  func refused() {
    func make(_ url: String) throws -> ServiceEndpoint {
      try ServiceEndpoint(.oidc, region: "eu-west-1", settings: EndpointSettings(url: url))
    }
    #expect(throws: TransportError.insecure(host: "example.test")) { try make("http://example.test") }
    #expect(throws: TransportError.insecure(host: "169.254.170.2")) { try make("http://169.254.170.2") }
    for url in ["", "x", "https://", "https://user@example.test", "https://example.test/?q"] {
      #expect(throws: TransportError.badURL(url)) { try make(url) }
    }
  }

  @Test(
    "a region that could name another host is refused",
    arguments: ["", "us-east-1.example.test", "US-EAST-1", "a/b", "a@b", "us east", String(repeating: "a", count: 65)])
  func badRegion(_ region: String) {
    for service in AWSService.allCases {
      #expect(throws: TransportError.badURL("\(service.rawValue).\(region)")) {
        try ServiceEndpoint(service, region: region, settings: EndpointSettings())
      }
    }
  }
}
