import Foundation
import Testing
import VaultBytes
import VaultSecrets

struct SecretJSONTests {
  @Test("what is written is what a reader of JSON reads")
  func roundTrip() throws {
    let hostile = "\"\\/\u{8}\u{C}\n\r\t\u{0}\u{1F}\u{7F}é€\u{2028}🔑</script>"
    let json = JSONWriter.secret { json in
      json.add("text", hostile)
      json.add("secret", SecretBytes(hostile))
      json.field("number", Int64.min)
      json.add("list", [hostile, ""])
      json.add("empty", [String]())
      json.add("na\"me", "x")
      json.add("nothing", String?.none)
      json.add("no secret", SecretBytes?.none)
    }
    let bytes = json.withBytes { Data($0) }
    let read = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    #expect(read["text"] as? String == hostile && read["secret"] as? String == hostile)
    #expect(read["number"] as? Int64 == Int64.min)
    #expect(read["list"] as? [String] == [hostile, ""] && (read["empty"] as? [String])?.isEmpty == true)
    #expect(read["na\"me"] as? String == "x" && read.count == 6)
  }

  @Test("an object with nothing in it is one too")
  func empty() { #expect(JSONWriter.secret { _ in }.equals(SecretBytes("{}"))) }
}
