import Glibc
import Synchronization
import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import VaultKeys

extension VaultKeysTests {
  @Suite("Passphrase store")
  struct PassphraseKeyStoreTests {
    private static let passphrase = "correct horse battery staple"
    private let folder = TemporaryDirectory()
    private let id = KeyID.random()
    private let key = SecretBytes.random(count: 32)

    private func store(
      _ passphrase: String = Self.passphrase, vaultId: String = "vlt_test", cost: PassphraseCost = .floor
    ) -> PassphraseKeyStore {
      PassphraseKeyStore(vaultId: vaultId, directory: folder.path, cost: cost) { _ in SecretBytes(passphrase) }
    }

    private var path: String { folder.file("master-key-\(id)") }

    private func contents() throws -> [UInt8] {
      try PrivateFile.open(path, followingLinks: false).read(limit: 1_000) { Array($0) }
    }

    private func replace(_ bytes: [UInt8]) throws {
      unlink(path)
      #expect(try PrivateFile.create(folder: folder.path, name: "master-key-\(id)", temporary: "new", bytes))
    }

    @Test("a key that was written is read back, listed, and gone once removed")
    func roundTrip() async throws {
      let store = store()
      #expect(try await store.list().isEmpty)
      await #expect(throws: KeyStoreError.keyMissing(id)) { try await store.read(id) }
      try await store.write(key, as: id)
      #expect(try await store.read(id).equals(key))
      #expect(try await store.list() == [KeyStoreItem(id: id, isLocked: true)])
      try await store.write(key, as: id)
      await #expect(throws: KeyStoreError.keyExists(id)) { try await store.write(.random(count: 32), as: id) }
      #expect(try await store.read(id).equals(key))
      try await store.remove(id)
      try await store.remove(id)
      await #expect(throws: KeyStoreError.keyMissing(id)) { try await store.read(id) }
      #expect(try PrivateFile.names(in: folder.path).filter { !$0.hasPrefix(".") || $0.count > 2 }.isEmpty)
    }

    @Test("the public store pays 3 passes over 256 MiB")
    func moderate() async throws {
      let store = PassphraseKeyStore(vaultId: "vlt_test", directory: folder.path) { _ in SecretBytes(Self.passphrase) }
      try await store.write(key, as: id)
      #expect(Array(try contents()[8..<17]) == [1, 3, 0, 0, 4, 0, 0, 0, 0])
      #expect(try await store.read(id).equals(key))
    }

    @Test("a file is whole, 0600, and holds neither key nor passphrase")
    func fileForm() async throws {
      let before = umask(0)
      try await store().write(key, as: id)
      umask(before)
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600 && status.st_nlink == 1)
      let bytes = try contents()
      #expect(bytes.count == KeyFile.length)
      let plain = key.withBytes { Array($0) }
      for start in 0...(bytes.count - 8) {
        #expect(!bytes[start...].starts(with: plain[..<8]))
      }
      #expect(!String(decoding: bytes, as: UTF8.self).contains("horse"))
    }

    @Test("a wrong passphrase is refused, and is not a damaged file")
    func wrongPassphrase() async throws {
      try await store().write(key, as: id)
      for wrong in ["wrong horse battery staple", "correct horse battery staple\n", "", "x"] {
        let error = await #expect(throws: KeyStoreError.self) { try await store(wrong).read(id) }
        #expect(error == .wrongPassphrase(path: path) && error?.exitStatus == .refused)
      }
      #expect(try await store().read(id).equals(key))
    }

    @Test("every byte of a file, flipped, makes it a damaged one, before the passphrase is asked for")
    func everyByte() async throws {
      try await store().write(key, as: id)
      let whole = try contents()
      let asked = Counter()
      let store = PassphraseKeyStore(vaultId: "vlt_test", directory: folder.path, cost: .floor) { _ in
        asked.add()
        return SecretBytes(Self.passphrase)
      }
      for index in whole.indices {
        var bytes = whole
        bytes[index] ^= UInt8(1 << (index % 8))
        try replace(bytes)
        let error = await #expect(throws: KeyStoreError.self) { try await store.read(id) }
        guard case .damaged(id, path, _) = error else {
          Issue.record("byte \(index): \(String(describing: error))")
          continue
        }
        #expect(error?.exitStatus == .inputOutput)
      }
      for count in 0..<whole.count {
        try replace(Array(whole[..<count]))
        await #expect(throws: KeyStoreError.damaged(id, path: path, reason: "not a key file")) { try await store.read(id) }
      }
      try replace(whole + [0])
      await #expect(throws: KeyStoreError.damaged(id, path: path, reason: "not a key file")) { try await store.read(id) }
      #expect(asked.count == 0)
      // Where a key was, a new vault is not begun.
      #expect(try await store.list() == [KeyStoreItem(id: id, isLocked: true)])
    }

    @Test("a header changed by one who computes the checksum anew does not open", arguments: [9, 10, 41, 57, 81, 128])
    func forged(index: Int) async throws {
      try await store().write(key, as: id)
      var bytes = try contents()
      bytes[index] = bytes[index] &+ 1
      try replace(sealed(bytes))
      await #expect(throws: KeyStoreError.wrongPassphrase(path: path)) { try await store().read(id) }
    }

    @Test(
      "costs out of bounds are refused before memory is taken or a passphrase asked for",
      arguments: [
        (3, UInt32.max), (3, 1_048_577), (255, 65_536), (9, 65_536), (2, 65_536), (0, 65_536), (3, 65_535), (3, 0),
      ] as [(UInt8, UInt32)])
    func hostileCost(passes: UInt8, kibibytes: UInt32) async throws {
      try await store().write(key, as: id)
      var bytes = try contents()
      bytes[9] = passes
      for place in 0..<4 { bytes[10 + place] = UInt8(truncatingIfNeeded: kibibytes >> UInt32(8 * place)) }
      try replace(sealed(bytes))
      let store = PassphraseKeyStore(vaultId: "vlt_test", directory: folder.path) { _ in
        Issue.record("asked for a passphrase")
        return SecretBytes("")
      }
      let reason = "it asks for \(passes) passes over \(kibibytes) KiB"
      await #expect(throws: KeyStoreError.damaged(id, path: path, reason: reason)) { try await store.read(id) }
    }

    @Test("two vaults in one folder do not see each other's keys")
    func vaultsApart() async throws {
      let (mine, other) = (store(vaultId: "vlt_a"), store(vaultId: "vlt_b"))
      try await mine.write(key, as: id)
      #expect(try await other.list().isEmpty)
      await #expect(throws: KeyStoreError.keyMissing(id)) { try await other.read(id) }
      try await other.remove(id)
      await #expect(throws: KeyStoreError.keyExists(id)) { try await other.write(.random(count: 32), as: id) }
      #expect(try await mine.read(id).equals(key))
    }

    @Test("a file under another key's name is damaged, not that key")
    func renamedFile() async throws {
      try await store().write(key, as: id)
      let other = KeyID.random()
      rename(path, folder.file("master-key-\(other)"))
      let wanted = KeyStoreError.damaged(other, path: folder.file("master-key-\(other)"), reason: "it holds another key")
      await #expect(throws: wanted) { try await store().read(other) }
    }

    @Test(
      "a file that is a link, a pipe, a folder, or open to others is refused by name",
      arguments: ["symlink", "hard link", "pipe", "folder", "mode"])
    func unsafeFile(form: String) async throws {
      try await store().write(key, as: id)
      let aside = folder.file("aside")
      switch form {
      case "symlink":
        rename(path, aside)
        symlink(aside, path)
      case "hard link": link(path, aside)
      case "pipe":
        unlink(path)
        mkfifo(path, 0o600)
      case "folder":
        unlink(path)
        mkdir(path, 0o700)
      default: chmod(path, 0o640)
      }
      for error in [
        await #expect(throws: KeyStoreError.self) { try await store().read(id) },
        await #expect(throws: KeyStoreError.self) { try await store().list() },
        await #expect(throws: KeyStoreError.self) { try await store().remove(id) },
      ] {
        guard case .unsafeFile(path, _) = error else {
          Issue.record("\(form): \(String(describing: error))")
          continue
        }
        #expect(error?.exitStatus == .refused && error?.hint != nil)
      }
    }

    @Test("a file or folder of another user is refused")
    func otherOwner() async throws {
      try await store().write(key, as: id)
      let stranger = geteuid() + 1
      #expect(throws: KeyStoreError.unsafeFile(path: path, reason: "belongs to another user (uid \(geteuid()))")) {
        try PrivateFile.open(path, followingLinks: false, user: stranger)
      }
      #expect(throws: KeyStoreError.unsafeFile(path: folder.path, reason: "belongs to another user (uid \(geteuid()))")) {
        try PrivateFile.checkFolder(folder.path, user: stranger)
      }
    }

    @Test("a folder that others can write to is refused")
    func openFolder() async throws {
      chmod(folder.path, 0o770)
      let wanted = KeyStoreError.unsafeFile(path: folder.path, reason: "can be changed by others (mode 770)")
      await #expect(throws: wanted) { try await store().write(key, as: id) }
      await #expect(throws: wanted) { try await store().list() }
    }

    @Test("a new passphrase is asked for as new, and is not too short or too long")
    func newPassphrase() async throws {
      let requests = Mutex<[PassphraseRequest]>([])
      let store = PassphraseKeyStore(vaultId: "vlt_test", directory: folder.path, cost: .floor) { request in
        requests.withLock { $0.append(request) }
        return SecretBytes(Self.passphrase)
      }
      try await store.write(key, as: id)
      _ = try await store.read(id)
      #expect(requests.withLock { $0 } == [.new(id, minimumLength: 12), .existing(id)])
      let next = KeyID.random()
      await #expect(throws: KeyStoreError.passphraseTooShort(minimum: 12)) {
        try await self.store("elevenchars").write(key, as: next)
      }
      // Eleven characters in 33 bytes.
      await #expect(throws: KeyStoreError.passphraseTooShort(minimum: 12)) {
        try await self.store(String(repeating: "鍵", count: 11)).write(key, as: next)
      }
      await #expect(throws: KeyStoreError.passphraseTooLong(maximum: 1_024)) {
        try await self.store(String(repeating: "x", count: 1_025)).write(key, as: next)
      }
      try await self.store(String(repeating: "鍵", count: 12)).write(key, as: next)
    }

    @Test("who cannot give a passphrase is quoted")
    func noPassphrase() async throws {
      try await store().write(key, as: id)
      let failure = Failure("no terminal to ask on", hint: "set VAULT_PASSPHRASE_FILE", exitStatus: .configuration)
      let store = PassphraseKeyStore(vaultId: "vlt_test", directory: folder.path, cost: .floor) { _ in throw failure }
      let error = await #expect(throws: KeyStoreError.self) { try await store.read(id) }
      #expect(error.map { Failure($0) } == failure)
    }

    /// The bytes with a checksum that fits.
    private func sealed(_ bytes: [UInt8]) -> [UInt8] {
      Array(bytes[..<129]) + blake2b(Array(bytes[..<129]), length: 48)
    }
  }
}

private final class Counter: Sendable {
  private let value = Mutex(0)
  var count: Int { value.withLock { $0 } }
  func add() { value.withLock { $0 += 1 } }
}
