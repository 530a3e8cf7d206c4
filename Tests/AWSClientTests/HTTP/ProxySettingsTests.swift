import Testing
import VaultModel

@testable import AWSClient

struct ProxySettingsTests {
  private func route(_ url: String, _ environment: [String: String]) throws -> NetworkSettings {
    NetworkSettings(
      to: try #require(WebAddress(url)), proxies: ProxySettings(environment: { environment[$0] }), certificates: nil)
  }

  @Test(
    "https goes through the proxy that curl would take: HTTPS_PROXY, then ALL_PROXY, the lower-case name first, an empty one none"
  )
  func variables() throws {
    #expect(
      try route("https://sts.test", ["HTTPS_PROXY": "http://p:1", "ALL_PROXY": "http://q:1"]).proxies.proxy == "http://p:1")
    #expect(try route("https://sts.test", ["ALL_PROXY": "http://q:1"]).proxies.proxy == "http://q:1")
    #expect(
      try route("https://sts.test", ["HTTPS_PROXY": "http://p:1", "https_proxy": "http://r:1"]).proxies.proxy == "http://r:1")
    #expect(try route("https://sts.test", ["https_proxy": "", "HTTPS_PROXY": "http://p:1"]).proxies.proxy == "http://p:1")
    #expect(try route("https://sts.test", ["HTTP_PROXY": "http://q:1"]).proxies.proxy == nil)
  }

  @Test("the exceptions are handed on as the person wrote them, networks too")
  func exceptions() throws {
    let route = try route("https://sts.test", ["HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8, .test"])
    #expect(route.proxies.exceptions == "10.0.0.0/8, .test")
  }

  @Test(
    "plain http and this machine are asked without a proxy",
    arguments: ["http://127.0.0.1:5000", "http://localhost", "https://[::1]/", "http://sts.test"])
  func direct(_ url: String) throws {
    #expect(
      try route(url, ["HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"]).proxies == .none)
  }

  @Test("a proxy's password is in nothing that is shown")
  func password() throws {
    #expect(try route("https://sts.test", ["HTTPS_PROXY": "http://me:secret@p:1"]).detail == "via proxy http://p:1")
  }
}
