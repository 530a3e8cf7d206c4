import Glibc
import TestSupport
import Testing
import VaultModel

@testable import VaultAgent

struct GuardFilesTests {
  @Test("the rules in the home of a vault hold, by whatever variables it is reached")
  func home() throws {
    let folder = TemporaryDirectory()
    for part in ["home", "home/.local", "home/.local/share", "home/.local/share/vault", "other"] {
      mkdir(folder.file(part), 0o700)
    }
    symlink(folder.file("home/.local/share/vault"), folder.file("alias"))
    let real = try #require(AskingProgram.resolved(folder.path))
    let own = "\(real)/home/.config/vault/config"
    let data = folder.file("home/.local/share")
    for variables in [
      ["HOME": folder.file("home")], ["HOME": folder.file("home"), "XDG_CONFIG_HOME": folder.file("other")],
      ["HOME": folder.file("other"), "XDG_DATA_HOME": data], ["VAULT_HOME": data + "/vault"],
      ["VAULT_HOME": folder.file("alias")],
    ] {
      let paths = try #require(VaultPaths { variables[$0] })
      let files = PeerInspector.guardFiles(paths)
      #expect(files.contains(own), "\(variables): \(files)")
      #expect(Set(files).isSuperset(of: paths.guardFiles) && Set(files).count == files.count)
    }
    // Another vault has rules of its own.
    mkdir(folder.file("other/vault"), 0o700)
    let paths = try #require(VaultPaths { $0 == "VAULT_HOME" ? folder.file("other/vault") : nil })
    #expect(PeerInspector.guardFiles(paths) == [VaultPaths.machineSettings, folder.file("other/vault/config")])
  }
}
