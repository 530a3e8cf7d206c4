import Glibc
import TestSupport
import Testing
import VaultSecrets

@testable import VaultKeys

extension VaultKeysTests {
  @Suite("Passphrase from a file or a descriptor")
  struct PassphraseSourceTests {
    private let folder = TemporaryDirectory()

    @Test(
      "one newline at the end is not part of it, everything else is",
      arguments: [
        ("pass phrase\n", "pass phrase"), ("pass", "pass"), ("pass\n\n", "pass\n"), ("pass\r\n", "pass\r"), (" \n", " "),
        ("鍵\0x", "鍵\0x"),
      ])
    func newline(text: String, wanted: String) throws {
      #expect(try PassphraseSource.file(folder.write(text, to: "p")).equals(SecretBytes(wanted)))
      var ends: [Int32] = [-1, -1]
      try #require(pipe(&ends) == 0)
      defer { close(ends[0]) }
      let bytes = Array(text.utf8)
      #expect(Glibc.write(ends[1], bytes, bytes.count) == bytes.count)
      close(ends[1])
      #expect(try PassphraseSource.descriptor(ends[0]).equals(SecretBytes(wanted)))
    }

    @Test("none, and more than 1,024 bytes, are refused")
    func bounds() throws {
      for text in ["", "\n"] {
        #expect(throws: KeyStoreError.passphraseTooShort(minimum: 1)) { try PassphraseSource.file(folder.write(text, to: "p")) }
      }
      let maxLength = String(repeating: "x", count: 1_024)
      #expect(try PassphraseSource.file(folder.write(maxLength, to: "p")).count == 1_024)
      for more in ["x", "x\n", String(repeating: "x", count: 100_000)] {
        #expect(throws: KeyStoreError.passphraseTooLong(maximum: 1_024)) {
          try PassphraseSource.file(folder.write(maxLength + more, to: "p"))
        }
      }
      #expect(throws: KeyStoreError.passphraseTooLong(maximum: 1_024)) { try endless() }
    }

    @Test("a file that others can read or change is refused", arguments: [0o604, 0o640, 0o620, 0o602, 0o666, 0o644] as [mode_t])
    func modes(mode: mode_t) throws {
      let path = folder.write("pass", to: "p")
      chmod(path, mode)
      let reason = "can be read or changed by others (mode \(String(mode, radix: 8)))"
      #expect(throws: KeyStoreError.unsafeFile(path: path, reason: reason)) { try PassphraseSource.file(path) }
    }

    @Test("a link is followed, a pipe or folder is refused at once, and what is absent is named")
    func forms() throws {
      let path = folder.write("pass", to: "p")
      symlink(path, folder.file("link"))
      #expect(try PassphraseSource.file(folder.file("link")).equals(SecretBytes("pass")))
      mkfifo(folder.file("pipe"), 0o600)
      for name in [folder.file("pipe"), folder.path, "/dev/null"] {
        #expect(throws: KeyStoreError.unsafeFile(path: name, reason: "is not a regular file")) { try PassphraseSource.file(name) }
      }
      let absent = folder.file("absent")
      #expect(throws: KeyStoreError.noFile(path: absent)) { try PassphraseSource.file(absent) }
      #expect(throws: KeyStoreError.inputOutput(path: "file descriptor -1", reason: "Bad file descriptor")) {
        try PassphraseSource.descriptor(-1)
      }
    }

    private func endless() throws {
      let descriptor = open("/dev/zero", O_RDONLY | O_CLOEXEC)
      defer { close(descriptor) }
      _ = try PassphraseSource.descriptor(descriptor)
    }
  }
}
