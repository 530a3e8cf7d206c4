import Testing
import VaultModel
import VaultSecrets

@testable import VaultKeys

extension VaultKeysTests {
  @Suite("Parts of a key store")
  struct PartsTests {
    @Test(
      "the session bus is the environment's, else the socket in the runtime folder",
      arguments: [
        (["DBUS_SESSION_BUS_ADDRESS": "unix:path=/a"], "unix:path=/a"),
        (["DBUS_SESSION_BUS_ADDRESS": "", "XDG_RUNTIME_DIR": "/nonexistent"], nil), (["XDG_RUNTIME_DIR": "/nonexistent"], nil),
      ] as [([String: String], String?)])
    func busAddress(environment: [String: String], wanted: String?) {
      #expect(SessionBus.address { environment[$0] } == wanted)
      #expect(SessionBus.inRuntimeDirectory { environment[$0] } == nil)
    }

    @Test("every error says what happened in one line, what to do where there is something, and how to end")
    func errors() {
      let id = KeyID.random()
      let table: [(KeyStoreError, VaultModel.ExitStatus)] = [
        (.noSessionBus("x"), .unavailable), (.noService, .unavailable), (.noDefaultCollection, .configuration),
        (.volatileCollection, .configuration), (.locked(collection: "Login"), .refused),
        (.promptDismissed(collection: "Login"), .refused), (.promptUnanswered(seconds: 60), .refused),
        (.timedOut(seconds: 3), .unavailable), (.keyMissing(id), .configuration), (.keyExists(id), .cannotCreate),
        (.damaged(id, path: nil, reason: "r"), .inputOutput), (.damaged(id, path: "/p", reason: "r"), .inputOutput),
        (.wrongPassphrase(path: "/p"), .refused), (.passphraseTooShort(minimum: 12), .badData),
        (.passphraseTooLong(maximum: 9), .badData), (.unsafeFile(path: "/p\u{1B}[2J", reason: "r"), .refused),
        (.badBackup(path: "/p\u{9B}", reason: "not a key backup"), .badData), (.otherVault(path: "/p"), .badData),
        (.fileExists(path: "/p"), .cannotCreate), (.inputOutput(path: "/p\n", reason: "r"), .inputOutput),
        (.noMemory(bytes: 1 << 30), .temporary),
        (.other("x"), .unavailable),
      ]
      for (error, status) in table {
        #expect(error.exitStatus == status)
        for text in [error.message, error.hint ?? "x"] {
          #expect(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 0x20 } && !text.hasSuffix("."))
        }
      }
      #expect(Set(table.map { $0.0.message }).count == table.count)
    }
  }
}
