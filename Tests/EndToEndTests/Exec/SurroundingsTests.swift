import Foundation
import Glibc
import TestSupport
import Testing

/// Machines that lack something: what can't work is said, and is not tried.
@Suite(.endToEnd) struct SurroundingsTests {
  private func shell(_ script: String, _ environment: [String: String]) async throws -> Subprocess.Result {
    try await Subprocess.run(
      "/bin/sh", ["-c", script], environment: environment.merging(["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]) { $1 }, timeout: 60)
  }

  @Test("an agent that cannot lock memory says so in its log, in its state and to the doctor")
  func memory() async throws {
    let vault = TestVault()
    // Root may lock whatever it likes, unless that was taken from it.
    let without = geteuid() == 0 ? "setpriv --bounding-set=-ipc_lock " : ""
    let started = try await shell("\(without)prlimit --memlock=0 '\(try Programs.vault)' agent start", vault.environment)
    #expect(started.succeeded, "\(started.errors)")
    let log = try await vault.mustRun("agent", "log")
    #expect(log.contains("memory cannot be locked (the limit is 0 KiB)"), "\(log)")
    let status = try await vault.mustRun("agent", "status")
    #expect(status.contains("memory: not locked: the limit is 0 KiB\n"), "\(status)")
    let doctor = try await vault.run("doctor")
    #expect(doctor.output.contains("FAIL  the agent's memory is not locked: the limit is 0 KiB"), "\(doctor.output)")
    try await vault.mustRun("agent", "stop")
    try await vault.mustRun("agent", "start")
    #expect(try await vault.mustRun("agent", "status").contains("memory: locked\n"))
    #expect(try await vault.run("doctor").output.contains("ok    secrets are kept out of the swap file"))
    #expect(try await !vault.mustRun("agent", "log").split(separator: "\n").suffix(2).contains { $0.contains("locked") })
  }

  @Test("without /proc both programs say so", .enabled(if: geteuid() == 0, "only root can take it away"))
  func noProcessFiles() async throws {
    let vault = TestVault()
    for command in ["vault' exec app-dev -- true", "vault' list", "vaultd' --background"] {
      let folder = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
      let result = try await shell("unshare -m sh -c \"umount -l /proc; exec '\(folder)/\(command)\"", vault.environment)
      #expect(result.end == .exit(69) && result.errors.contains("no /proc here"), "\(command) \(result.end) \(result.errors)")
    }
  }

  /// A vault in XDG folders, and a program that asks for credentials that are served.
  private func served(_ simulator: STSSimulatorProcess) throws -> (vault: TestVault, environment: [String: String]) {
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    mkdir(vault.folder.file("run"), 0o700)
    // Its settings are where a VAULT_HOME has them, with the endpoints that are trusted.
    let folders = ["VAULT_HOME": "", "XDG_RUNTIME_DIR": vault.folder.file("run"), "XDG_CONFIG_HOME": vault.folder.path]
    return (vault, vault.environment.merging(folders) { $1 })
  }

  @Test(
    "what would not be there for a program in another namespace is refused, and the rest goes on",
    .enabled(if: geteuid() == 0, "only root can make them"))
  func namespaces() async throws {
    let simulator = try await STSSimulatorProcess()
    let (vault, environment) = try served(simulator)
    try await vault.mustRun("import", environment: environment)
    let program = try Programs.vault
    let network = try await shell("unshare --net '\(program)' exec --server app-dev -- true", environment)
    #expect(network.end == .exit(78) && network.errors.contains("network namespace"), "\(network.errors)")
    let hidden = """
      cd "$XDG_RUNTIME_DIR" && mkdir -p before && mount --bind vault before && mount -t tmpfs -o mode=700 none vault
      : > vault/agent.sock && mount --bind before/agent.sock vault/agent.sock
      '\(program)' exec app-dev -- true && '\(program)' exec --server app-dev -- echo served && exec '\(program)' exec --token-file app-dev -- true
      """
    let mount = try await Subprocess.run(
      "/usr/bin/unshare", ["-m", "sh", "-c", hidden],
      environment: environment.merging(["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"]) { $1 })
    #expect(mount.end == .exit(78) && mount.output == "served\n" && mount.errors.contains("mount namespace"), "\(mount.errors)")
    try await vault.mustRun("exec", "--token-file", "app-dev", "--", "true", environment: environment)
    try await vault.mustRun("agent", "stop", environment: environment)
  }

  @Test(
    "an agent in a process namespace of its own serves nobody outside, whose end it would not see",
    .enabled(if: geteuid() == 0, "only root can make one"))
  func processNamespace() async throws {
    let simulator = try await STSSimulatorProcess()
    let (vault, environment) = try served(simulator)
    let agent = try RunningProgram(
      "/usr/bin/unshare", ["--pid", "--fork", "--kill-child", "--mount-proc", Programs.vaultd], environment: environment)
    let socket = vault.folder.file("run/vault/agent.sock")
    let deadline = Date().addingTimeInterval(20)
    while access(socket, F_OK) != 0, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    try await vault.mustRun("import", environment: environment)
    try await vault.mustRun("exec", "app-dev", "--", "true", environment: environment)
    for option in ["--server", "--token-file"] {
      let refused = try await vault.run("exec", option, "app-dev", "--", "true", environment: environment)
      #expect(refused.end == .exit(78) && refused.errors.contains("process namespace"), "\(refused.errors)")
    }
    try await vault.mustRun("agent", "stop", environment: environment)
    try await agent.wait(timeout: 20)
  }
}
