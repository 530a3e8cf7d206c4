import TestSupport
import Testing
import VaultModel

@testable import AWSConfig

/// Access keys taken out of a shared file.
struct PlainKeysTests {
  private static let id = "AKIAIOSFODNN7EXAMPLE"
  private static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

  private func keys(_ text: String, kind: ConfigFileKind = .credentials) throws -> [PlainKey] {
    let folder = TemporaryDirectory()
    return try PlainKeys(path: folder.write(text, to: "file"), kind: kind, home: folder.path).keys
  }

  private func removing(_ profile: String, _ text: String, leaving process: String? = nil) throws -> String? {
    let key = try #require(try keys(text).first { $0.profile == profile })
    return try PlainKeys.removing(key, from: Array(text.utf8), kind: .credentials, leaving: process).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  @Test("only the two lines of the key go; comments, blanks, other keys, other settings and line ends stay byte for byte")
  func lines() throws {
    let lines = [
      "# the keys of \u{E9}quipe A  \r", "[alice]   # she", "\tregion=eu-west-1",
      "\taws_access_key_id   = \(Self.id)  # from March",
      "; not this: aws_secret_access_key = old", "\tAWS_SECRET_ACCESS_KEY = \(Self.secret)\r", "", "[bob]",
      "aws_access_key_id = AKIAIOSFODNN7BBBBBBB", "aws_secret_access_key = \(Self.secret)",
    ]
    func text(_ left: Int...) -> String {
      lines.indices.filter { !left.contains($0 + 1) }.map { lines[$0] }.joined(separator: "\n")
    }
    let found = try keys(text())
    #expect(found.map(\.profile) == ["alice", "bob"] && found.map(\.place) == ["~/file:4,6", "~/file:9,10"])
    #expect(try removing("alice", text()) == text(4, 6))
    #expect(try removing("bob", text()) == text(9, 10) + "\n")
  }

  @Test("a credential_process takes the key's place, with its indentation and line end")
  func process() throws {
    let text = "[a]\r\n  aws_access_key_id = \(Self.id)\r\n  aws_secret_access_key = \(Self.secret)\r\n"
    #expect(
      try removing("a", text, leaving: "\"/usr/bin/vault\" credentials a")
        == "[a]\r\n  credential_process = \"/usr/bin/vault\" credentials a\r\n")
  }

  @Test("lines are those of the parser: a lone CR ends one, and no other line goes")
  func carriageReturns() throws {
    let key = ["aws_access_key_id = \(Self.id)", "aws_secret_access_key = \(Self.secret)"]
    let text = (["[a]"] + key + ["region = x", ""]).joined(separator: "\r")
    #expect(try removing("a", text) == "[a]\rregion = x\r")
    #expect(try removing("a", text, leaving: "v") == "[a]\rcredential_process = v\rregion = x\r")
    let mixed = "[a]\n# one\r# two\r\n\(key[0])\n\(key[1])\r# three\n"
    #expect(try removing("a", mixed) == "[a]\n# one\r# two\r\n# three\n")
  }

  @Test("the same key twice goes twice; another key in the lines before is left to the person")
  func twice() throws {
    let key = "aws_access_key_id = \(Self.id)\naws_secret_access_key = \(Self.secret)\n"
    #expect(try removing("a", "[a]\n\(key)[b]\nregion = x\n[a]\n\(key)") == "[a]\n[b]\nregion = x\n[a]\n")
    let other = "aws_access_key_id = AKIAIOSFODNN7BBBBBBB\naws_secret_access_key = \(Self.secret)\n"
    #expect(throws: PlainKeys.Problem.self) { _ = try removing("a", "[a]\n\(other)[a]\n\(key)") }
  }

  @Test("a key that changed meanwhile stays, and so does one whose lines give others their meaning")
  func changed() throws {
    let text = "[a]\naws_access_key_id = \(Self.id)\naws_secret_access_key = \(Self.secret)\n"
    let key = try #require(try keys(text).first)
    let now = text.replacing("wJalr", with: "wJalR")
    #expect(try PlainKeys.removing(key, from: Array(now.utf8), kind: .credentials) == nil)
    // What is indented further would continue the region.
    let entangled =
      "[a]\nregion = x\naws_access_key_id = \(Self.id)\n[a]\naws_secret_access_key = \(Self.secret)\n" + "# end\n"
    #expect(try removing("a", entangled) == "[a]\nregion = x\n[a]\n# end\n")
  }

  @Test("temporary keys, half a key, placeholders and what `vault link` keeps fresh are not plain keys to take")
  func others() throws {
    let key = "aws_access_key_id = \(Self.id)\naws_secret_access_key = \(Self.secret)\n"
    #expect(try keys("[a]\n\(key)aws_session_token = token\n[b]\naws_access_key_id = \(Self.id)\n").isEmpty)
    #expect(try keys("[a]\naws_access_key_id = \(Self.id)\naws_secret_access_key = \"\(Self.secret)\"\n").isEmpty)
    var blocks = MarkedBlocks([])
    blocks.put("a", "[a]\n" + key)
    #expect(try keys(String(decoding: blocks.bytes, as: UTF8.self)).isEmpty)
    #expect(try keys("[profile a]\n" + key, kind: .config).map(\.profile) == ["a"])
  }
}
