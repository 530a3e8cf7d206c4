import Glibc
import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import VaultKeys

extension VaultKeysTests {
  /// Runs the probe under strace, which makes one system call on the store's files fail, or the process die in it; then the next, until
  /// there is none left.
  @Suite("A crash while a key file is written or removed")
  struct CrashTests {
    private static let calls = ["openat", "newfstatat", "unlinkat", "fchmod", "write", "fsync", "renameat", "read", "close"]

    @Test(
      "leaves the whole key or none, and the next try succeeds", arguments: calls, ["signal=KILL", "error=EIO", "error=ENOSPC"])
    func write(call: String, fault: String) async throws {
      for count in 1...20 {
        let folder = TemporaryDirectory()
        let id = KeyID.random()
        let (status, hit) = try probe("write", folder, id, "\(call):\(fault):when=\(count)")
        let store = store(folder)
        let items = try await store.list()
        #expect(items.isEmpty || items == [KeyStoreItem(id: id, isLocked: true)])
        if status == 0 { #expect(!items.isEmpty, "\(call) \(count)") }
        // Reads back what is there.
        try await store.write(key, as: id)
        #expect(try PrivateFile.names(in: folder.path).filter { $0 != "." && $0 != ".." } == ["master-key-\(id)"])
        guard hit else {
          #expect(count > 1, "no \(call) was made")
          return
        }
        if fault == "signal=KILL" { #expect(status == 256 + SIGKILL) }
      }
      Issue.record("more than 20 calls of \(call)")
    }

    @Test("leaves the key readable or gone", arguments: ["unlinkat", "fsync"], ["signal=KILL", "error=EIO"])
    func remove(call: String, fault: String) async throws {
      for count in 1...20 {
        let folder = TemporaryDirectory()
        let id = KeyID.random()
        let store = store(folder)
        try await store.write(key, as: id)
        let (status, hit) = try probe("remove", folder, id, "\(call):\(fault):when=\(count)")
        if try await store.list().isEmpty == false { #expect(try await store.read(id).equals(key) && status != 0) }
        try await store.remove(id)
        #expect(try await store.list().isEmpty)
        guard hit else { return }
      }
      Issue.record("more than 20 calls of \(call)")
    }

    private let key = SecretBytes(count: 32) { $0.initializeMemory(as: UInt8.self, repeating: 0x5A) }

    private func store(_ folder: TemporaryDirectory) -> PassphraseKeyStore {
      PassphraseKeyStore(vaultId: "vlt_test", directory: folder.path, cost: .floor) { _ in
        SecretBytes("correct horse battery staple")
      }
    }

    /// The probe's exit status, and whether the fault came to pass.
    private func probe(_ command: String, _ folder: TemporaryDirectory, _ id: KeyID, _ fault: String) throws -> (Int32, Bool) {
      let log = TemporaryDirectory()
      let name = folder.file("master-key-\(id)")
      let strace = try SpawnedProgram(
        programPath("strace"),
        [
          "-f", "-o", log.file("log"), "-P", folder.path, "-P", name, "-P", folder.file(".master-key-\(id).new"), "-e",
          "inject=\(fault)",
          try KeyStoreProbe.path(), command, folder.path, "vlt_test", id.description,
        ], ["PATH": "/usr/bin:/bin"], errorsToo: true)
      let output = strace.readAll()
      let status = strace.wait()
      chmod(log.file("log"), 0o600)
      let calls = try PrivateFile.open(log.file("log"), followingLinks: false).read(limit: 1 << 16) {
        String(decoding: $0, as: UTF8.self)
      }
      let hit = calls.contains("(INJECTED)") || calls.contains("killed by SIGKILL")
      #expect(status != 0 || output.isEmpty, "\(output)")
      return (status, hit)
    }
  }
}
