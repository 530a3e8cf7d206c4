import Glibc
import Testing
import VaultSecrets

@testable import AWSClient

struct JSONDocumentTests {
  private func read(_ text: String) -> JSONDocument? { JSONDocument(SecretBytes(text)) }

  @Test("each type is read by its key, and only as what it is")
  func types() throws {
    let json = try #require(
      read(
        #" {"t": "é\u20ac\n\"", "i": -7, "b": true, "f": false, "n": null, "r": 1.5, "o": {"x": {"y": "z"}}, "l": [{"a": 1}, {"a": 2}], "s": ["1", "2"], "m": [{}, 1], "e": []} "#
      ))
    #expect(json.text("t") == "é€\n\"" && json.secret("t")?.revealed == "é€\n\"")
    #expect(json.int("i") == -7 && json.bool("b") == true && json.bool("f") == false)
    #expect(json.object("o")?.object("x")?.text("y") == "z")
    #expect(json.objects("l")?.map { $0.int("a") } == [1, 2] && json.objects("e")?.isEmpty == true)
    #expect(json.texts("s") == ["1", "2"])
    for key in ["t", "i", "b", "n", "r", "o", "l", "nothing"] {
      #expect((json.text(key) != nil) == (key == "t") && (json.secret(key) != nil) == (key == "t"), "\(key)")
      #expect((json.int(key) != nil) == (key == "i") && (json.bool(key) != nil) == (key == "b"), "\(key)")
      #expect((json.object(key) != nil) == (key == "o") && (json.objects(key) != nil) == (key == "l"), "\(key)")
      #expect(json.has(key) == (key != "n" && key != "nothing"), "\(key)")
    }
    #expect(json.objects("m") == nil && json.objects("s") == nil && json.texts("l") == nil && json.texts("m") == nil)
  }

  @Test("an object outlives the document that it is from")
  func lifetime() throws {
    func inner() throws -> JSONDocument { try #require(read(#"{"a": {"b": "kept"}}"#)?.object("a")) }
    #expect(try inner().text("b") == "kept")
  }

  @Test(
    "what is not one whole, harmless object is refused",
    arguments: [
      "", " ", "null", "1", "\"text\"", "[]", "[{}]", "{", "}", "{}}", "{} {}", "{}x", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#,
      #"{a:1}"#,
      #"{'a':1}"#, #"{"a":1 "b":2}"#, #"{"a":01}"#, #"{"a":NaN}"#, #"{"a":Infinity}"#, #"{"a":1e999}"#,
      #"{"a":99999999999999999999}"#, #"{"a":"x}"#, #"{"a":"\x"}"#, #"{"a":"\ud800"}"#, #"{"a":"\udc00\ud800"}"#,
      #"{"a":"\u0000"}"#, "{\"a\":\"\u{0}\"}", "{\"a\":\"line\nbreak\"}", #"{"\u0000":1}"#, "<html></html>", "// no\n{}",
      #"{"a":1,"a":2}"#, #"{"a":{"b":1,"b":1}}"#, #"{"a":1,"\u0061":2}"#,
    ])
  func refused(_ text: String) {
    #expect(read(text) == nil)
  }

  @Test(
    "bytes that are not UTF-8 are refused",
    arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80]] as [[UInt8]])
  func notUTF8(_ middle: [UInt8]) {
    let bytes = Array(#"{"a":""#.utf8) + middle + Array(#""}"#.utf8)
    #expect(bytes.withUnsafeBytes { JSONDocument(SecretBytes(copying: $0)) } == nil)
  }

  @Test("thirty-two levels are read, thirty-three are not, and a million end at once")
  func depth() {
    func nested(_ depth: Int) -> String {
      String(repeating: #"{"a":"#, count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)
    }
    #expect(read(nested(32)) != nil)
    #expect(read(nested(33)) == nil)
    #expect(read(#"{"a":"# + String(repeating: "[", count: 1_000_000)) == nil)
    #expect(read(String(repeating: #"{"a":"#, count: 200_000)) == nil)
  }

  @Test("brackets, commas and quotation marks in a text count for nothing")
  func brackets() {
    let text = String(repeating: #"[{,\"\\"#, count: 1_000)
    #expect(read(#"{"a":"\#(text)","b":1}"#)?.int("b") == 1)
  }

  @Test("a mebibyte is read, more is not")
  func size() {
    func long(_ count: Int) -> String { #"{"a":""# + String(repeating: "x", count: count - 8) + #""}"# }
    #expect(read(long(JSONDocument.maxBytes))?.text("a")?.utf8.count == JSONDocument.maxBytes - 8)
    #expect(read(long(JSONDocument.maxBytes + 1)) == nil)
    #expect(read(#"{"a":["# + String(repeating: "1,", count: 60_000) + "1]}") != nil)
    #expect(read(#"{"a":["# + String(repeating: "1,", count: 70_000) + "1]}") == nil)
  }

  @Test("random changes to a document never trap, and what is still read is of the right type")
  func fuzz() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var state = seed | 1
    func next(_ below: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(below))
    }
    let valid = Array(#"{"accessToken":"a\"\u00e9","expiresIn":3600,"o":{"l":[1,2.5e3,null,true,{}]}}"#.utf8)
    var read = 0
    for _ in 0..<20_000 {
      var bytes = valid
      for _ in 0...next(4) {
        switch next(3) {
        case 0: bytes[next(bytes.count)] = UInt8(next(256))
        case 1: bytes.remove(at: next(bytes.count))
        default: bytes.insert(Array(#"{}[]",:\0"#.utf8)[next(9)], at: next(bytes.count))
        }
      }
      guard let json = bytes.withUnsafeBytes({ JSONDocument(SecretBytes(copying: $0)) }) else { continue }
      read += 1
      _ = (json.text("accessToken"), json.int("expiresIn"), json.object("o")?.objects("l"))
    }
    #expect(read > 100 && read < 19_000, "seed \(seed)")
  }

  @Test("memory that held a secret is given back without it")
  func wiped() throws {
    // 64 letters, never in a String, so that jansson's are the only copies outside of guarded memory.
    let secret = (0..<64).map { UInt8(97 + $0 * 7 % 26) }
    let text = SecretBytes(count: 72) { bytes in
      bytes.copyBytes(from: Array(#"{"s":""#.utf8) + Array(repeating: 0, count: 64) + Array(#""}"#.utf8))
      // In capital letters there alone.
      for index in 0..<64 { bytes[6 + index] = secret[index] ^ 0x20 }
    }
    for _ in 0..<4 { #expect(JSONDocument(text)?.secret("s")?.count == 64) }
    // An allocator gives what was freed last again first: of each size that jansson may have had, some pieces are looked at.
    var found = 0
    for size in stride(from: 72, through: 200, by: 16) {
      var pieces: [UnsafeMutableRawBufferPointer] = []
      defer { for piece in pieces { piece.deallocate() } }
      for _ in 0..<16 {
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        pieces.append(piece)
        let isThere = (0..<size - 16).contains { start in (20..<36).allSatisfy { piece[start + $0 - 20] == secret[$0] ^ 0x20 } }
        if isThere { found += 1 }
      }
    }
    #expect(found == 0)
  }
}
