import Glibc
import TestSupport
import Testing

/// A vault's agent for which a test's folder `bin` is `/usr/local/bin`: what it finds there is the machine's, and not the user's.
enum SystemFolder {
  /// Whether a process of this user can see other files than the rest of the machine.
  static let isPossible = geteuid() == 0 && system("unshare -m mount --bind /usr/bin /usr/local/bin 2>/dev/null") == 0

  /// Starts the agent, in place of the one that runs, on a display that is not there.
  static func startAgent(of vault: TestVault) async throws {
    vault.killAgent()
    let script = "mount --bind \(vault.folder.file("bin")) /usr/local/bin && exec \(try Programs.vault) agent start"
    let started = try await Subprocess.run(
      "/usr/bin/unshare", ["-m", "/bin/sh", "-c", script], environment: vault.environment.merging(["DISPLAY": ":99"]) { $1 })
    try #require(started.succeeded, "\(started.errors)")
  }
}
