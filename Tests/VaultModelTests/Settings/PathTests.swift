import Glibc
import TestSupport
import Testing
import VaultModel

@Suite struct PathTests {
  @Test("a program that is not told the runtime directory finds the login's own, if it is ours alone")
  func runtimeDirectory() {
    let root = TemporaryDirectory()
    let own = root.file("\(geteuid())")
    func found(_ environment: [String: String] = [:]) -> String? {
      RuntimeDirectory.path(environment: { environment[$0] }, root: root.path)
    }
    #expect(found() == nil)
    mkdir(own, 0o755)
    // A store that is opened in another test changes what the process takes away from new files' rights.
    chmod(own, 0o755)
    #expect(found() == nil)
    chmod(own, 0o700)
    #expect(found() == own && found(["XDG_RUNTIME_DIR": ""]) == own && found(["XDG_RUNTIME_DIR": "relative"]) == own)
    #expect(found(["XDG_RUNTIME_DIR": "/told"]) == "/told")
    rmdir(own)
    symlink("/", own)
    #expect(found() == nil)
  }

  @Test("one folder holds all of a vault, or the XDG folders do; nothing is ever looked for in a relative path")
  func places() {
    let whole = VaultPaths { ["VAULT_HOME": "/v//", "HOME": "/h"][$0] }
    #expect(whole?.database == "/v/vault.db" && whole?.socket == "/v/agent.sock" && whole?.settingsFiles == ["/v/config"])
    let xdg = VaultPaths { ["HOME": "/h", "XDG_RUNTIME_DIR": "/r"][$0] }
    #expect(xdg?.database == "/h/.local/share/vault/vault.db" && xdg?.socket == "/r/vault/agent.sock")
    #expect(xdg?.log == "/h/.local/state/vault/agent.log")
    #expect(xdg?.settingsFiles == ["/etc/vault/config", "/h/.config/vault/config"])
    #expect(VaultPaths { ["HOME": "h"][$0] } == nil && VaultPaths { ["VAULT_HOME": "v", "HOME": "/h"][$0] } == nil)
  }
}
