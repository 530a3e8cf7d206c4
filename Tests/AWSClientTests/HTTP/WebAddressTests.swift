import Testing
import VaultModel

@testable import AWSClient

/// URLs as libcurl reads them, and what of them is refused.
@Suite struct WebAddressTests {
  @Test(
    "a URL has the scheme, host, port and path that libcurl connects with",
    arguments: [
      ("https://sts.test", "https://sts.test/"), ("HTTPS://STS.Test:8443/A/b%20c", "https://sts.test:8443/A/b%20c"),
      ("https://sts.test:443/", "https://sts.test/"), ("http://127.0.0.1:80/x", "http://127.0.0.1/x"),
      ("https://[fd00:ec2::254]:8443/", "https://[fd00:ec2::254]:8443/"),
      ("https://xn--bcher-kva.test", "https://xn--bcher-kva.test/"),
      ("https://sts.test/a/../b", "https://sts.test/b"), ("https://sts.test./", "https://sts.test./"),
    ])
  func read(_ text: String, _ wanted: String) { #expect(WebAddress(text)?.text == wanted) }

  @Test(
    "what libcurl would change before it connects is refused, and so is what another parser may read differently",
    arguments: [
      // A user, also an empty one, and the hosts that it may hide.
      "https://me@sts.test", "https://me:secret@sts.test", "https://@sts.test", "https://sts.test@evil.test",
      "https://sts.test:443@evil.test", "https://sts.test%40evil.test",
      // Ports.
      "https://sts.test:", "https://sts.test:0", "https://sts.test:65536", "https://sts.test:+443", "https://sts.test:0443",
      "https://sts.test:443:443", "https://sts.test:4a",
      // Addresses in other forms, zones.
      "http://127.1", "http://0x7f000001", "http://2130706433", "http://0177.0.0.1", "http://[0:0:0:0:0:0:0:1]",
      "https://[fe80::1%25eth0]",
      "https://[fe80::1%eth0]", "https://[::1", "https://::1", "https://[sts.test]",
      // Escapes and other characters in the host.
      "https://%73ts.test", "https://sts%2etest", "https://bücher.test", "https://sts.tеst", "https://sts.test\u{FF0F}evil.test",
      "https://sts_.test|", "https://*.test", "https://sts .test",
      // Slashes, backslashes, white space.
      "https:/sts.test", "https:///sts.test", "https:sts.test", "//sts.test", "sts.test", "https://sts.test\\@evil.test",
      "https:\\\\sts.test", "https://sts.test\\evil.test", " https://sts.test", "https://sts.test ", "https://sts.test\n",
      "https://sts.\ttest", "https://sts\r\n.test", "https://sts.test/\u{0}x",
      // Queries, fragments, other schemes.
      "https://sts.test?x", "https://sts.test/?", "https://sts.test#x", "https://evil.test#@sts.test", "ftp://sts.test",
      "file:///etc/passwd", "https", "https://", "https:///", "",
    ])
  func refused(_ text: String) { #expect(WebAddress(text) == nil, "\(WebAddress(text)?.text ?? "")") }

  @Test("a URL of more than 2,048 bytes is refused")
  func long() {
    let start = "https://sts.test/"
    #expect(WebAddress(start + String(repeating: "a", count: 2_048 - start.utf8.count)) != nil)
    #expect(WebAddress(start + String(repeating: "a", count: 2_049 - start.utf8.count)) == nil)
  }

  @Test("a URL with a password is refused without showing it")
  func password() {
    let message = TransportError.badURL("https://me:sec@ret@sts.test/").message
    #expect(message == "\"…@sts.test/\" is not a valid URL for AWS")
  }
}
