import Testing
import VaultModel
import VaultSecrets

@testable import VaultKeys

extension VaultKeysTests {
  @Suite("Parts of a key store")
  struct PartsTests {
    @Test("a key becomes 64 digits and is the same again, whatever its bytes")
    func hexRoundTrip() throws {
      for first in stride(from: 0, to: 256, by: 32) {
        let bytes = (0..<32).map { UInt8(first + $0) }
        let text = HexKey.encode(bytes.withUnsafeBytes { SecretBytes(copying: $0) })
        let wanted = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(text.equals(SecretBytes(wanted)))
        for digits in [wanted, wanted.uppercased()] {
          let back = try #require(SecretBytes(digits).withBytes { HexKey.decode($0) })
          #expect(back.withBytes { Array($0) } == bytes)
        }
      }
    }

    @Test("a character that is no digit is refused, wherever it stands")
    func hexRefused() {
      let digits = Set("0123456789abcdefABCDEF".utf8)
      for place in [0, 1, 62, 63] {
        for character in UInt8.min...UInt8.max {
          var text = [UInt8](repeating: 0x30, count: 64)
          text[place] = character
          #expect((text.withUnsafeBytes { HexKey.decode($0) } != nil) == digits.contains(character), "\(character) at \(place)")
        }
      }
    }

    @Test(
      "the session bus is the environment's, else the socket in the runtime folder",
      arguments: [
        (["DBUS_SESSION_BUS_ADDRESS": "unix:path=/a"], "unix:path=/a"),
        (["DBUS_SESSION_BUS_ADDRESS": "", "XDG_RUNTIME_DIR": "/nonexistent"], nil), (["XDG_RUNTIME_DIR": "/nonexistent"], nil),
      ] as [([String: String], String?)])
    func busAddress(environment: [String: String], wanted: String?) {
      #expect(SessionBus.address { environment[$0] } == wanted)
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
