import Foundation
import TestSupport
import Testing
import VaultBytes

@testable import AWSPolicy

/// Texts in each format, read back by programs that are not ours.
@Suite("Texts in a setup's formats")
struct EscapingTests {
  /// Whatever means something to one of the formats, in every order of up to three, and every character that no output may show.
  private static let texts: [String] = {
    let pieces = [
      "$", "{", "}", "%", "\"", "'", "`", "\\", "\n", "\r", "\t", "#", ":", " ", "-", "!", "&", "*", "?", "|", ">", "@", ",", "[",
      "]",
      "~", "=", "<<", "EOF", "null", "true", "no", "1", "0x", "é", "\u{1F600}", "\u{FFFE}", "//", "/*", "\u{A0}", "\u{85}",
    ]
    var random = SeededGenerator(seed: 14)
    var texts =
      pieces + [
        "", " ", "${", "%{", "$${", "%%{", "$$${", "$%{", "%${", "${a}", "$(id)", "`id`", "'\"'", "\\u0041", "\\$", "$\\{",
      ]
    for _ in 0..<2_000 {
      texts.append((0..<Int.random(in: 1...6, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined())
    }
    for scalar in UnsafeCharacters.all.sorted() where scalar.value != 0 {
      texts.append(String(Character(scalar)))
      texts.append("a" + String(Character(scalar)) + "b")
    }
    return texts
  }()

  private static func read(_ form: String, _ tokens: [String]) async throws -> [String] {
    #expect(tokens.allSatisfy { !$0.contains("\n") })
    let script = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/aws_side.py").path
    let result = try await Subprocess.run(
      try Programs.python, [script, "texts", form], environment: ["PYTHONIOENCODING": "utf-8", "PATH": "/usr/bin:/bin"],
      input: Array((tokens.joined(separator: "\n") + "\n").utf8), timeout: 300)
    #expect(result.succeeded, "\(result.errors.suffix(2_000))")
    return try JSONDecoder().decode([String].self, from: Data(result.outputBytes))
  }

  @Test func `Terraform reads what was meant, and never a template`() async throws {
    // python-hcl2 reads the escape of a template only where the template has an end.
    let texts = Self.texts.map { $0.contains("${") || $0.contains("%{") ? $0 + "}" : $0 }
    let read = try await Self.read("hcl", texts.map(HCL.quoted))
    for (text, back) in zip(texts, read) where text != back {
      Issue.record("\(text.debugDescription): \(back.debugDescription)")
    }
    #expect(read.count == Self.texts.count)
  }

  @Test func `YAML reads what was meant, and always a text`() async throws {
    let read = try await Self.read("yaml", Self.texts.map(YAML.scalar))
    for (text, back) in zip(Self.texts, read) where text != back {
      Issue.record("\(text.debugDescription): \(back.debugDescription)")
    }
    #expect(read.count == Self.texts.count)
  }

  @Test func `bash reads what was meant, and runs nothing`() async throws {
    let json = Self.texts.map { JSONValue.string($0).compact() }
    let words = Self.texts.map { ShellText.quoted($0) } + json.map { ShellText.quoted(json: $0) }
    let script = "printf '%s\\0' " + words.joined(separator: " ")
    let result = try await Subprocess.run("/bin/bash", ["-u"], environment: ["LC_ALL": "C.UTF-8"], input: Array(script.utf8))
    #expect(result.succeeded && result.errors.isEmpty, "\(result.errors.prefix(500))")
    let read = result.outputBytes.split(separator: 0, omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }.dropLast()
    #expect(Array(read.prefix(Self.texts.count)) == Self.texts)
    let decoded = try read.dropFirst(Self.texts.count).map {
      try JSONDecoder().decode([String].self, from: Data("[\($0)]".utf8))[0]
    }
    #expect(decoded == Self.texts)
    #expect(read.dropFirst(Self.texts.count).allSatisfy { !$0.contains("'") && !$0.contains("`") })
  }
}
