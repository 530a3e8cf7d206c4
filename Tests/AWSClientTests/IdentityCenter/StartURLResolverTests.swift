import Testing
import VaultModel

@testable import AWSClient

/// The IAM Identity Center behind a vanity URL.
struct StartURLResolverTests {
  private func resolve(_ typed: String, _ locations: String?...) async throws -> (url: String, asked: [HTTPRequest]) {
    let transport = ScriptedTransport(
      locations.map { location in
        location.map { .answer(status: 302, body: "", headers: [("location", $0), ("set-cookie", "a=b")]) }
          ?? .answer(status: 200, body: "<title>Intranet</title>")
      })
    let url = try #require(StartURL(typed))
    let route = NetworkSettings(to: url.address, proxies: .none, certificates: nil)
    return (try await StartURLResolver(transport: transport).resolve(url, via: route).text, transport.requests)
  }

  @Test("a redirect leads to AWS's own URL, without its query; AWS itself is not asked, and nothing goes with the question")
  func resolved() async throws {
    let found = try await resolve("https://aws.corp.example", "https://ssoins-1.portal.eu-west-1.app.aws/?x=1#/")
    #expect(found.url == "https://ssoins-1.portal.eu-west-1.app.aws")
    #expect(found.asked.map(\.url) == ["https://aws.corp.example"])
    #expect(found.asked.allSatisfy { $0.headers.isEmpty && $0.query == nil && $0.body.count == 0 })
    let two = try await resolve("https://aws.corp.example/", "/login/", "//corp.awsapps.com/start/")
    #expect(two.url == "https://corp.awsapps.com/start")
    #expect(two.asked.map(\.url) == ["https://aws.corp.example", "https://aws.corp.example/login"])
    #expect(two.asked.allSatisfy { $0.headers.isEmpty })
    let own = try await resolve("https://corp.awsapps.com/start")
    #expect(own.url == "https://corp.awsapps.com/start" && own.asked.isEmpty)
  }

  @Test(
    "a redirect to plain http, another host, another port or nonsense is not followed",
    arguments: [
      "http://corp.awsapps.com/start", "https://evil.example/start", "https://aws.corp.example:8443/", "http://aws.corp.example/",
      "https://corp.awsapps.com.evil.example/start", "https://bucket.s3.amazonaws.com/", "ftp://aws.corp.example/", "",
      "https://me@corp.awsapps.com/start", "//evil.example/start", "https://corp.awsapps.com:444/start", "http://127.0.0.1/",
      "https://corp.awsapps.com/\u{1B}]0;x", "https:/corp.awsapps.com/start", "//me@corp.awsapps.com/start",
      "javascript:start", "///evil.example/start", "\\\\evil.example",
    ])
  func hostile(location: String) async throws {
    await #expect {
      _ = try await resolve("https://aws.corp.example", location, "https://corp.awsapps.com/start")
    } throws: {
      guard case StartURLError.elsewhere("aws.corp.example", _) = $0 else { return false }
      return true
    }
  }

  @Test("a relative reference leads from the address that was asked, on the same host")
  func relative() async throws {
    let found = try await resolve(
      "https://aws.corp.example/a/b", "start?next=https://evil.example", "../c/./d", "https://corp.awsapps.com/start")
    #expect(
      found.asked.map(\.url) == [
        "https://aws.corp.example/a/b", "https://aws.corp.example/a/start", "https://aws.corp.example/c/d",
      ])
    #expect(
      try await resolve("https://aws.corp.example", "start", "//corp.awsapps.com").asked.last?.url
        == "https://aws.corp.example/start")
  }

  @Test("a circle ends after four requests; a page without a redirect is said to be one")
  func circle() async throws {
    await #expect(throws: StartURLError.tooManyRedirects(host: "aws.corp.example")) {
      _ = try await resolve("https://aws.corp.example", "/a", "/b", "/a", "/b", "/a")
    }
    await #expect(throws: StartURLError.noRedirect(host: "aws.corp.example", status: 200)) {
      _ = try await resolve("https://aws.corp.example", nil)
    }
  }
}
