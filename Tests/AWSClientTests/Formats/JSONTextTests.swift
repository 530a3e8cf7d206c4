import Foundation
import Testing
import VaultSecrets

@testable import AWSClient

struct JSONTextTests {
  @Test("what is written is what a reader of JSON reads")
  func roundTrip() throws {
    let hostile = "\"\\/\u{8}\u{C}\n\r\t\u{0}\u{1F}\u{7F}é€\u{2028}🔑</script>"
    var json = JSONText()
    json.add("text", hostile)
    json.add("secret", SecretBytes(hostile))
    json.add("number", Int64.min)
    json.add("list", [hostile, ""])
    json.add("empty", [])
    json.add("na\"me", "x")
    json.add("nothing", String?.none)
    let bytes = json.finish().withBytes { Data($0) }
    let read = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    #expect(read["text"] as? String == hostile && read["secret"] as? String == hostile)
    #expect(read["number"] as? Int64 == Int64.min)
    #expect(read["list"] as? [String] == [hostile, ""] && (read["empty"] as? [String])?.isEmpty == true)
    #expect(read["na\"me"] as? String == "x" && read.count == 6)
  }

  @Test("an object with nothing in it is one too")
  func empty() { #expect(JSONText().finish().revealed == "{}") }
}
