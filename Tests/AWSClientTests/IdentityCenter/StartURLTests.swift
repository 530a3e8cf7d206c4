import Testing
import VaultModel

@testable import AWSClient

/// Start URLs as people type them, and as redirects name them.
struct StartURLTests {
  @Test(
    "a start URL of AWS's own is known by its host, and gives a name and, where the host has one, a region",
    arguments: [
      ("https://corp.awsapps.com/start", "https://corp.awsapps.com/start", "corp", nil),
      ("https://corp.awsapps.com/start/#/", "https://corp.awsapps.com/start", "corp", nil),
      ("https://corp.awsapps.com", "https://corp.awsapps.com/start", "corp", nil),
      ("HTTPS://D-9067.AwsApps.com:443/start?x=1", "https://d-9067.awsapps.com/start", "d-9067", nil),
      (
        "https://ssoins-1.portal.eu-central-1.app.aws", "https://ssoins-1.portal.eu-central-1.app.aws", "ssoins-1", "eu-central-1"
      ),
      (
        "https://ssoins-1.us-west-2.portal.amazonaws.com/", "https://ssoins-1.us-west-2.portal.amazonaws.com", "ssoins-1",
        "us-west-2"
      ),
      (
        "https://ssoins-1.cn-north-1.portal.amazonaws.com.cn", "https://ssoins-1.cn-north-1.portal.amazonaws.com.cn", "ssoins-1",
        "cn-north-1"
      ),
      (
        "https://start.us-gov-west-1.us-gov-home.awsapps.com/directory/d-1",
        "https://start.us-gov-west-1.us-gov-home.awsapps.com/directory/d-1", "d-1", "us-gov-west-1"
      ),
      ("https://start.us-gov-home.awsapps.com/directory/d-1", "https://start.us-gov-home.awsapps.com/directory/d-1", "d-1", nil),
      ("https://identitycenter.amazonaws.com/ssoins-7", "https://identitycenter.amazonaws.com/ssoins-7", "ssoins-7", nil),
    ] as [(String, String, String, String?)])
  func own(typed: String, text: String, name: String, region: String?) throws {
    let url = try #require(StartURL(typed))
    #expect(url.isAWS && url.text == text && url.name == name && url.region == region, "\(url) \(url.name) \(url.region ?? "-")")
  }

  @Test(
    "a host that only looks like one of AWS's own is not, and has no region",
    arguments: [
      "https://awsapps.com.evil.example/start", "https://corp-awsapps.com/start", "https://corp.awsapps.com:8443/start",
      "https://bucket.s3.us-east-1.amazonaws.com/start", "https://x.portal.us-east-1.app.aws.evil.example",
      "https://portal.amazonaws.com.evil.example", "https://corp.awsapps.com./start", "https://awsapps.com/start",
      "https://evil_.portal.us-east-1.app.aws",
    ])
  func foreign(typed: String) throws {
    let url = try #require(StartURL(typed))
    #expect(!url.isAWS && url.region == nil)
  }

  @Test(
    "what is no https URL of plain characters is not taken",
    arguments: [
      "http://corp.awsapps.com/start", "ftp://corp.awsapps.com", "https://", "corp", "https://me@corp.awsapps.com/start",
      "https://corp.awsapps.com/sta rt", "https://corp.awsapps.com/\u{1B}[2J", "https://corp.awsapps.com/\"x",
      "https://cörp.awsapps.com/",
      "https://corp.awsapps.com\r\nHost: x/start", "javascript://corp.awsapps.com/start", "https://a:b:c/",
    ])
  func malformed(typed: String) { #expect(StartURL(typed) == nil) }

  @Test(
    "a company's own address gives the company's name",
    arguments: [
      ("https://aws.corp.example", "corp"), ("https://sso.aws.corp.example/start", "corp"), ("https://corp.example", "corp"),
      ("https://login", "sso"), ("http://127.0.0.1:4566/vanity", "sso"),
    ])
  func names(typed: String, name: String) throws { #expect(try #require(StartURL(typed)).name == name) }

  @Test("a region's name is told from other words")
  func regions() {
    for region in ["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-7", "eusc-de-east-1"] {
      #expect(Partition.isRegionName(region), "\(region)")
    }
    for word in ["", "us", "us-east", "us-east-", "-east-1", "US-EAST-1", "us_east_1", "us-east-1.evil", "1-2-3"] {
      #expect(!Partition.isRegionName(word), "\(word)")
    }
  }
}
