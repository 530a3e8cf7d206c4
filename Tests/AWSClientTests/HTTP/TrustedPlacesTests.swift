import TestSupport
import Testing
import VaultModel

@testable import AWSClient

/// Which places may be sent secrets.
struct TrustedPlacesTests {
  private func route(_ settings: EndpointSettings, trusting trusted: TrustedPlaces = TrustedPlaces()) throws -> NetworkSettings {
    try trusted.route(
      to: try STSEndpoint(region: "eu-west-1", settings: settings), settings, proxies: ProxySettings { _ in nil })
  }

  @Test(
    "AWS's own endpoints of a region need no trust, whoever names them",
    arguments: [
      nil, "https://sts.eu-west-1.amazonaws.com", "https://STS.eu-west-1.amazonaws.com:443/", "https://sts.amazonaws.com",
      "https://sts.eu-west-1.api.aws", "https://sts-fips.eu-west-1.amazonaws.com",
    ])
  func own(_ url: String?) throws {
    _ = try route(EndpointSettings(url: url, urlVariable: "AWS_ENDPOINT_URL"))
  }

  @Test(
    "what looks like AWS and is a customer's is no endpoint of AWS's own",
    arguments: [
      "https://sts.eu-west-1.amazonaws.com.evil.test", "https://bucket.s3.amazonaws.com",
      "https://sts.eu-west-1.amazonaws.com:8443",
      "http://127.0.0.1:4566", "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com", "https://sso.eu-west-1.amazonaws.com",
    ])
  func foreign(_ url: String) throws {
    let settings = EndpointSettings(url: url, urlVariable: "AWS_ENDPOINT_URL_STS")
    #expect(throws: UntrustedPlace.endpoint(origin: try #require(WebAddress(url)).origin, variable: "AWS_ENDPOINT_URL_STS")) {
      try route(settings)
    }
    // The person's own file is the person's word.
    _ = try route(EndpointSettings(url: url))
  }

  @Test(
    "an entry trusts its origin; a star stands for one name or more in front of a domain",
    arguments: [
      ("http://127.0.0.1:4566", "http://127.0.0.1:4566/path", true), ("http://127.0.0.1:4566", "http://127.0.0.1:4567", false),
      ("http://127.0.0.1:4566", "https://127.0.0.1:4566", false), ("vpce.test", "https://vpce.test", true),
      ("https://*.vpce.amazonaws.com", "https://a.sts.eu-west-1.vpce.amazonaws.com", true),
      ("https://*.vpce.amazonaws.com", "https://vpce.amazonaws.com", false),
      ("https://*.vpce.amazonaws.com", "https://evilvpce.amazonaws.com", false),
      ("https://*.vpce.amazonaws.com", "http://localhost", false),
      ("https://*.vpce.amazonaws.com:444", "https://a.vpce.amazonaws.com", false),
      ("HTTPS://VPCE.Test/", "https://vpce.test:443", true), ("http://[::1]:4566", "http://[::1]:4566/", true),
      ("https://vpce.test:443", "https://vpce.test", true),
    ])
  func entries(_ entry: String, _ url: String, _ isTrusted: Bool) throws {
    let settings = EndpointSettings(url: url, urlVariable: "AWS_ENDPOINT_URL")
    let found = (try? route(settings, trusting: TrustedPlaces(endpoints: "https://other.test \(entry)"))) != nil
    #expect(found == isTrusted)
  }

  @Test(
    "an entry that would trust everything, or plain http elsewhere, is none",
    arguments: [
      "*", "https://*", "https://*.com", "http://*.test.example", "http://example.test", "https://a*.example.test",
      "ftp://x.test", "https://x.test/path", "https://u@x.test", "", "https://", "https://x.test:", "https://x.test:0",
      "https://x.test:0443", "https://x.test:65536", "https://[::1", "https://[::1]x", "https://*.[::1]", "https://x.test//",
      "https://x.test?y", "https://x.test#y", "https://x.test\\y", "https://%78.test", "https://bücher.test",
    ])
  func noEntry(_ text: String) { #expect(TrustedEndpoint(text) == nil) }

  @Test("certificates of an environment count by their digest, those of a file or of the settings by their path")
  func certificates() throws {
    let folder = TemporaryDirectory()
    let (e, s, t) = (
      folder.write("-----BEGIN CERTIFICATE-----\n", to: "e.pem"), folder.write("-----BEGIN CERTIFICATE-----\n", to: "s.pem"),
      folder.write("-----BEGIN CERTIFICATE-----\nother\n", to: "t.pem")
    )
    let wish = EndpointSettings(caBundle: e, caBundleVariable: "AWS_CA_BUNDLE")
    let digest = try CertificateBundle(reading: e).digest
    #expect(throws: UntrustedPlace.certificates(path: e, digest: digest, variable: "AWS_CA_BUNDLE")) { try route(wish) }
    #expect(try route(wish, trusting: TrustedPlaces(digests: "sha256:" + digest.uppercased())).certificates?.path == e)
    #expect(try route(wish, trusting: TrustedPlaces(caBundle: s)).certificates?.path == e)
    #expect(throws: UntrustedPlace.self) { try route(wish, trusting: TrustedPlaces(caBundle: t)) }
    #expect(try route(EndpointSettings(caBundle: t)).certificates?.path == t)
    #expect(try route(EndpointSettings(), trusting: TrustedPlaces(caBundle: s)).certificates?.path == s)
    // What libcurl takes anyway adds nothing.
    let system = EndpointSettings(caBundle: "/etc/ssl/certs/ca-certificates.crt", caBundleVariable: "AWS_CA_BUNDLE")
    #expect(try route(system).certificates == nil)
  }
}

/// An answer is believed only for what was asked.
struct AssumedRoleTests {
  @Test(
    "credentials of another account, role or session than was asked for are not believed",
    arguments: [
      ("arn:aws:sts::123456789012:assumed-role/dev/ann@desk", true),
      ("arn:aws:sts::666666666666:assumed-role/dev/ann@desk", false),
      ("arn:aws:sts::123456789012:assumed-role/admin/ann@desk", false), ("arn:aws:sts::123456789012:assumed-role/dev/bob", false),
      ("arn:aws-cn:sts::123456789012:assumed-role/dev/ann@desk", false), ("arn:aws:iam::123456789012:role/dev", false),
      ("", false),
    ])
  func answers(_ arn: String, _ isBelieved: Bool) async throws {
    let sts = ScriptedSTS([.answer(status: 200, body: Self.answer(arn))])
    let result = try? await sts.assumeRole()
    #expect((result != nil) == isBelieved)
  }

  private static func answer(_ arn: String) -> String {
    """
    <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
    <AssumedRoleUser><Arn>\(arn)</Arn></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIAEXAMPLEEXAMPLE00</AccessKeyId><SecretAccessKey>secretsecretsecretsecret</SecretAccessKey>
    <SessionToken>tokentokentokentoken</SessionToken><Expiration>2026-11-23T13:00:00Z</Expiration></Credentials>
    </AssumeRoleResult></AssumeRoleResponse>
    """
  }
}
