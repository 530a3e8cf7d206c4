import Testing

@testable import AWSClient

struct ProxySettingsTests {
  private func proxy(_ url: String, _ environment: [String: String]) -> String? {
    WebAddress(url).flatMap { ProxySettings(environment: { environment[$0] }).proxy(for: $0) }
  }

  @Test("the proxy is that of the scheme, the lower-case name first, an empty one none")
  func scheme() {
    #expect(proxy("https://sts.test", ["HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:1"]) == "http://p:1")
    #expect(proxy("http://sts.test", ["HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:1"]) == "http://q:1")
    #expect(proxy("https://sts.test", ["HTTPS_PROXY": "http://p:1", "https_proxy": "http://r:1"]) == "http://r:1")
    #expect(proxy("https://sts.test", ["https_proxy": "", "HTTPS_PROXY": "http://p:1"]) == "http://p:1")
    #expect(proxy("https://sts.test", ["HTTP_PROXY": "http://q:1"]) == nil)
  }

  @Test("this machine is asked directly", arguments: ["http://127.0.0.1:5000", "http://localhost", "https://[::1]/"])
  func loopback(_ url: String) {
    #expect(proxy(url, ["HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1"]) == nil)
  }

  @Test(
    "NO_PROXY names hosts and the domains they are in",
    arguments: [
      ("*", true), ("amazonaws.com", true), (".amazonaws.com", true), ("other.test, sts.amazonaws.com", true),
      ("STS.AMAZONAWS.COM", true),
      ("zonaws.com", false), ("sts.amazonaws.com.test", false), (",", false), ("", false),
    ])
  func exceptions(_ list: String, _ isDirect: Bool) {
    #expect((proxy("https://sts.amazonaws.com", ["HTTPS_PROXY": "http://p:1", "NO_PROXY": list]) == nil) == isDirect)
  }
}
