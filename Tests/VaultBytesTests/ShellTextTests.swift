import TestSupport
import Testing
import VaultBytes

/// Words in commands, as a shell reads them.
@Suite struct ShellTextTests {
  @Test(
    "a shell reads every word back as it was, and runs nothing of it",
    arguments: [
      "app-dev", "", "a b", "it's", "x;touch${IFS}PWNED;#", "$(touch PWNED)", "`touch PWNED`", "'", "''", "'; touch PWNED; '",
      "a\nb",
      "\\", "~", "*", "a=b", "!x", "é", "{a,b}", "<x", ">x", "&x", "|x", "\"x\"",
    ])
  func words(text: String) async throws {
    let folder = TemporaryDirectory()
    for word in [ShellText.word(text), ShellText.quoted(text)] {
      let result = try await Subprocess.run("/bin/sh", ["-c", "cd \(folder.path) && printf %s \(word); ls"], environment: [:])
      #expect(result.output == text, "\(word)")
    }
  }

  @Test("a word that needs no quotes has none")
  func plain() {
    #expect(ShellText.word("arn:aws:iam::123456789012:role/dev-1") == "arn:aws:iam::123456789012:role/dev-1")
    #expect(ShellText.quoted("dev") == "'dev'")
  }
}
