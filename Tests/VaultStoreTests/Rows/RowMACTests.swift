import Testing
import VaultModel
import VaultSecrets

@testable import VaultStore

@Suite("Codes of rows")
struct RowCodeTests {
  private let key = SecretBytes.random(count: 32)
  private var macs: RowMACs { RowMACs(key: key, vaultId: "vlt_a") }

  @Test(
    "a code is good for its row alone",
    arguments: [
      ["x", "yz"], ["xyz"], ["xy", "z", ""], ["xy", "z", nil], ["xy", nil], ["xy", ""], ["z", "xy"], [],
    ] as [[String?]])
  func otherRows(pieces: [String?]) {
    #expect(macs.fits(macs.code("profile", ["xy", "z"]), table: "profile", pieces: ["xy", "z"]))
    #expect(!macs.fits(macs.code("profile", ["xy", "z"]), table: "profile", pieces: pieces))
  }

  @Test("a code is no other table's, vault's or key's")
  func otherPlaces() {
    let code = macs.code("profile", ["x"])
    #expect(!macs.fits(code, table: "lease", pieces: ["x"]))
    #expect(!RowMACs(key: key, vaultId: "vlt_b").fits(code, table: "profile", pieces: ["x"]))
    #expect(!RowMACs(key: .random(count: 32), vaultId: "vlt_a").fits(code, table: "profile", pieces: ["x"]))
    #expect(!macs.fits(nil, table: "profile", pieces: ["x"]))
    #expect(!macs.fits([], table: "profile", pieces: ["x"]))
    #expect(!macs.fits(Array(code.prefix(16)), table: "profile", pieces: ["x"]))
  }

  @Test("a locked vault makes no codes")
  func locked() async throws {
    let opened = try await OpenedStore()
    _ = try await opened.store.mac("profile", ["x"])
    await opened.store.lock()
    await #expect(throws: StoreError.locked) { try await opened.store.mac("profile", ["x"]) }
  }
}
