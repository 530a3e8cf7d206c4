import Testing
import VaultSecrets

@testable import AWSClient

struct XMLElementsTests {
  private func read(_ text: String) -> XMLElements? { XMLElements(SecretBytes(text)) }

  @Test("a text is found by the end of its path, whatever its namespace")
  func paths() throws {
    let elements = try #require(
      read(#"<?xml version="1.0"?><a xmlns="urn:x" xmlns:n="urn:y"><n:b> <c>one &amp; two</c> </n:b></a>"#))
    #expect(elements.text("b/c") == "one & two")
    #expect(elements.text("a/b/c") == "one & two")
    #expect(elements.text("c") == "one & two")
    #expect(elements.text("x/c") == nil)
  }

  @Test("an element that is there twice is not there")
  func twice() throws {
    #expect(try #require(read("<a><b>1</b><b>2</b></a>")).text("b") == nil)
  }

  @Test("a path matches whole names only")
  func wholeNames() throws {
    #expect(try #require(read("<a><NotCode>1</NotCode></a>")).text("Code") == nil)
  }

  @Test("a secret comes as it is, in parts too")
  func secret() throws {
    let elements = try #require(read("<a><s>ab<![CDATA[+/]]>=&#x3D;</s></a>"))
    #expect(try #require(elements.secret("s")).equals(SecretBytes("ab+/==")))
  }

  @Test(
    "what is not one whole, harmless document is refused",
    arguments: [
      "", " ", "not XML", "<a>", "<a></b>", "<a/><b/>", "<a>&nothing;</a>", "<a b='1' b='2'/>", "<a>\u{0}</a>", "{\"a\": 1}",
      "<!DOCTYPE a><a>1</a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
      "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
      "<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1/'> %p;]><a/>",
      "<!DOCTYPE html><html><body>Sign in to the airport's network</body></html>",
    ])
  func refused(_ text: String) {
    #expect(read(text) == nil)
  }

  @Test("a thousand million laughs end at once")
  func laughs() {
    var entities = "<!ENTITY l0 'ha'>"
    for level in 1...30 { entities += "<!ENTITY l\(level) '\(String(repeating: "&l\(level - 1);", count: 10))'>" }
    #expect(read("<!DOCTYPE a [\(entities)]><a>&l30;</a>") == nil)
  }

  @Test("sixteen levels are read, seventeen are not")
  func depth() {
    func nested(_ depth: Int) -> String { String(repeating: "<a>", count: depth) + "1" + String(repeating: "</a>", count: depth) }
    #expect(read(nested(16)) != nil)
    #expect(read(nested(17)) == nil)
    #expect(read(String(repeating: "<a>", count: 60_000)) == nil)
  }

  @Test("more elements than AWS ever sends are refused")
  func number() {
    #expect(read("<a>" + String(repeating: "<b>1</b>", count: 500) + "</a>") != nil)
    #expect(read("<a>" + String(repeating: "<b>1</b>", count: 2_000) + "</a>") == nil)
  }

  @Test("bytes that are not UTF-8 are refused")
  func notUTF8() {
    let bytes = Array("<a>".utf8) + [0xFF, 0xFE, 0xC3] + Array("</a>".utf8)
    #expect(bytes.withUnsafeBytes { XMLElements(SecretBytes(copying: $0)) } == nil)
  }
}
