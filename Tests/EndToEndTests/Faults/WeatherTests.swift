import Foundation
import Glibc
import TestSupport
import Testing

/// Bad input and bad weather, on real parts.
@Suite(.endToEnd) struct WeatherTests {
  @Test("an unknown profile is named with the one that was probably meant")
  func unknownProfile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let result = try await vault.run("exec", "app-dve", "--", "true")
    #expect(result.end == .exit(66))
    #expect(result.errors == "vault: no profile \"app-dve\"\nhint: did you mean app-dev?  `vault list` shows all 7\n")
    #expect(try await vault.run("show", "app-dve").end == .exit(66))
  }

  @Test(
    "a file that is named and is not there is told so with one status, and an empty name is none",
    arguments: ["import", "audit verify", "audit reconcile", "master-key restore"])
  func noSuchFile(command: String) async throws {
    let vault = TestVault()
    let words = command.split(separator: " ").map { String($0) }
    let gone = try await vault.run(words: words + ["/nonexistent/file"])
    #expect(gone.end == .exit(66) && gone.errors.contains("no file /nonexistent/file"), "\(gone.end) \(gone.errors)")
    let empty = try await vault.run(words: words + [""])
    #expect(empty.end == .exit(64) && empty.errors.contains("empty file name"), "\(empty.end) \(empty.errors)")
  }

  @Test("a malformed config is told by file and line, and what the vault knew stays")
  func malformed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    vault.config("[profile app-dev]\nrole_arn\n")
    let result = try await vault.run("exec", "app-dev", "--", "true")
    #expect(result.end == .exit(78))
    #expect(result.errors.contains("~/.aws/config:2: expected"))
    #expect(try await vault.run("list").output.contains("app-chained"))
  }

  @Test("a followed file is read again when it has changed")
  func followed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    vault.config(TestVault.standardConfig + "\n[profile newcomer]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n")
    #expect(try await vault.run("list", "--names").output.contains("newcomer") == false)
    #expect(try await vault.run("list").output.contains("newcomer"))
    try await vault.mustRun("exec", "newcomer", "--", "true")
    vault.config("[profile newcomer]\nrole_arn = \(STSWorld.chainedRole)\nsource_profile = alice\n")
    // Alice may, the role's trust does not: the new role counts at once, not the old one's session.
    #expect(try await vault.run("exec", "newcomer", "--", "true").end == .exit(77))
    #expect(try await vault.run("exec", "app-dev", "--", "true").end == .exit(66))
  }

  @Test("keys that AWS does not know, or that may not, are refused in AWS's words with a hint")
  func wrongKeys() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let denied = try await vault.run("exec", "bob-dev", "--", "true")
    #expect(denied.end == .exit(77))
    #expect(denied.errors.contains("is not authorized to perform: sts:AssumeRole"))
    #expect(denied.errors.contains("trust policy of my-application-dev-role must allow the IAM user bob"))
    #expect(denied.errors.contains(STSWorld.bobARN))
    vault.credentials(
      "[alice]\naws_access_key_id = AKIAUNKNOWNUNKNOWN12\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n")
    let unknown = try await vault.run("exec", "app-dev", "--", "true")
    #expect(unknown.end == .exit(77) && unknown.errors.contains("InvalidClientTokenId"))
    vault.credentials(
      "[alice]\naws_access_key_id = \(STSWorld.aliceAccessKeyId)\naws_secret_access_key = wrongwrongwrongwrongwrongwrongwrongwrong\n"
    )
    let wrong = try await vault.run("exec", "app-dev", "--", "true")
    #expect(wrong.end == .exit(77) && wrong.errors.contains("SignatureDoesNotMatch"))
    let rows = try await vault.rows("audit", "--outcome", "refused")
    #expect(rows.count == 3)
  }

  @Test(
    "STS throttling, failing, resetting or talking nonsense once is tried again; for good, it is told, and no session is half written",
    arguments: [
      (STSFault.Kind.throttle, Int32(75)), (.http500, 69), (.http503, 69), (.reset, 69), (.garbage, 69), (.truncate, 69),
    ])
  func faults(kind: STSFault.Kind, status: Int32) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await simulator.queue(kind, count: 1, action: "AssumeRole")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").count == 2)
    try await vault.mustRun("forget", "--all")
    try await simulator.queue(kind, count: 10, action: "AssumeRole")
    let failed = try await vault.run("exec", "app-dev", "--", "true")
    #expect(failed.end == .exit(status))
    #expect(failed.errors.contains("after 3 tries"))
    #expect(try await vault.rows("sessions").isEmpty)
    let last = try #require(try await vault.rows("audit", "--action", "AssumeRole").last)
    #expect(last["outcome"] as? String == "failure" && (last["error"] as? String)?.isEmpty == false)
  }

  @Test("with AWS away, a session that is due but lives is served with a word; one that is over is not", .tags(.slow))
  func offline() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await simulator.set(STSSettings(lifetimeSeconds: 24))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await simulator.queue(.http503, count: 100)
    // Due from half its life on.
    let deadline = Date().addingTimeInterval(22)
    var served: Subprocess.Result?
    while Date() < deadline, served == nil {
      let result = try await vault.run("exec", "app-dev", "--", "true")
      if result.succeeded, result.errors.contains("the cached session expires in") { served = result }
    }
    #expect(served != nil)
    while try await vault.rows("list").contains(where: { ($0["session"] as? [String: Any])?["state"] as? String == "due" }) {}
    #expect(try await vault.run("exec", "app-dev", "--", "true").end == .exit(69))
  }

  @Test("a clock that is off by ten minutes is seen and corrected", arguments: [600, -600])
  func skew(seconds: Int) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await simulator.set(STSSettings(clockOffsetSeconds: seconds))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").map(\.outcome).last == .success)
  }

  @Test("an agent killed while it waits for AWS leaves an unknown outcome, and the next run works")
  func killedInFlight() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await simulator.set(STSSettings(latencyMs: 20_000))
    async let first = vault.run("exec", "app-dev", "--", "true")
    while try await vault.rows("audit", "--outcome", "intent").isEmpty {}
    try await simulator.set(STSSettings(latencyMs: 0))
    vault.killAgent()
    // The client starts a new agent and asks once more.
    let result = try await first
    #expect(result.succeeded, "\(result.end) \(result.errors)")
    let outcomes = try await vault.rows("audit", "--action", "AssumeRole").map { $0["outcome"] as? String }
    #expect(outcomes == ["unknown", "success"])
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("an agent that starts while its predecessor still ends waits for the lock")
  func successor() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("agent", "stop")
    let lock = open(vault.folder.file("vault/agent.lock"), O_RDWR)
    #expect(flock(lock, LOCK_EX) == 0)
    async let next = vault.run("import")
    try await Task.sleep(for: .milliseconds(300))
    close(lock)
    let result = try await next
    #expect(result.succeeded, "\(result.end) \(result.errors)")
    for _ in 0..<10 {
      try await vault.mustRun("agent", "stop")
      try await vault.mustRun("import")
    }
  }

  @Test("folders and files that others can enter or read are refused with the remedy")
  func modes() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("agent", "stop")
    chmod(vault.vaultHome, 0o755)
    let folder = try await vault.run("exec", "app-dev", "--", "true")
    #expect(folder.end == .exit(77) && folder.errors.contains("chmod 700"))
    for words in [["list"], ["show", "app-dev"], ["sessions"], ["audit"]] {
      let report = try await vault.run(words: words)
      #expect(report.end == .exit(77) && report.errors.contains("chmod 700"), "\(words)")
    }
    chmod(vault.vaultHome, 0o700)
    for name in ["agent.lock", "agent.log", "start.lock"] {
      let path = vault.folder.file("vault/" + name)
      chmod(path, 0o622)
      let result = try await vault.run("exec", "app-dev", "--", "true")
      #expect(result.end == .exit(77) && result.errors.contains("chmod 600 \(path)"), "\(result.errors)")
      chmod(path, 0o600)
      link(path, path + ".other")
      #expect(try await vault.run("exec", "app-dev", "--", "true").end == .exit(77))
      unlink(path + ".other")
    }
    chmod(vault.database, 0o644)
    let file = try await vault.run("exec", "app-dev", "--", "true")
    #expect(file.end == .exit(77) && file.errors.contains("chmod 600"))
    chmod(vault.database, 0o600)
    try await vault.mustRun("exec", "app-dev", "--", "true")
  }

  @Test("a VAULT_HOME whose socket would have too long a path is told so")
  func longPath() async throws {
    let vault = TestVault()
    let result = try await vault.run("import", environment: ["VAULT_HOME": vault.folder.file(String(repeating: "x", count: 120))])
    #expect(result.end == .exit(66) || result.end == .exit(78), "\(result.errors)")
    vault.config("[profile a]\nregion = us-east-1\n")
    let again = try await vault.run("import", environment: ["VAULT_HOME": vault.folder.file(String(repeating: "x", count: 120))])
    #expect(again.end == .exit(78) && again.errors.contains("107 bytes"), "\(again.errors)")
  }

  @Test(
    "a disk that is full refuses credentials that cannot be logged, loses nothing, and works again with room",
    .enabled(if: geteuid() == 0, "only root can mount a small disk"))
  func fullDisk() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    mkdir(vault.vaultHome, 0o700)
    let mounted = try await Subprocess.run(
      "/usr/bin/mount", ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", vault.vaultHome],
      environment: ["PATH": "/usr/bin:/bin"])
    try #require(mounted.succeeded, "\(mounted.errors)")
    vault.trust()
    do {
      try await vault.mustRun("import")
      try await vault.mustRun("exec", "app-dev", "--", "true")
      let room = vault.vaultHome + "/room"
      try? Data(count: 4 << 20).write(to: URL(fileURLWithPath: room))
      var refused: Subprocess.Result?
      for _ in 0..<400 where refused == nil {
        let result = try await vault.run("exec", "--refresh", "app-dev", "--", "echo", "ran")
        if !result.succeeded { refused = result }
      }
      #expect(refused?.end == .exit(74) && refused?.output == "", "\(refused?.errors ?? "never refused")")
      // That it is locked cannot be written down; the key is forgotten all the same.
      #expect(try await vault.run("lock").end == .exit(74))
      #expect(try await vault.run("agent", "status").output.contains("unlocked: no"))
      let locked = try await vault.run("exec", "app-dev", "--", "true")
      #expect(locked.end == .exit(77) && locked.errors.contains("the vault is locked"), "\(locked.errors)")
      unlink(room)
      try await vault.mustRun("unlock")
      try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true")
      #expect(try await vault.run("audit", "verify").succeeded)
    } catch {
      Issue.record(error)
    }
    _ = try await vault.run("agent", "stop")
    _ = try await Subprocess.run("/usr/bin/umount", ["-l", vault.vaultHome], environment: ["PATH": "/usr/bin:/bin"])
  }

  @Test("a damaged database is refused with what to do, and left as it is")
  func corrupt() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("agent", "stop")
    var bytes = try Data(contentsOf: URL(fileURLWithPath: vault.database))
    for index in 0..<100 { bytes[index] = 0x41 }
    try bytes.write(to: URL(fileURLWithPath: vault.database))
    chmod(vault.database, 0o600)
    let result = try await vault.run("exec", "app-dev", "--", "true")
    #expect(result.end == .exit(74))
    #expect(result.errors.contains("is damaged") && result.errors.contains("restore a copy"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: vault.database)) == bytes)
  }

  @Test(
    "hostile profile names are data: unknown, escaped, and nothing else",
    arguments: [
      "'; DROP TABLE profile; --", "a\nb", "\u{1B}]52;c;x\u{7}", String(repeating: "x", count: 10_000), "\u{202E}evil", "../../x",
      "ünïcode",
    ])
  func hostileNames(name: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for words in [["exec", "--", name, "true"], ["show", "--", name], ["forget", "--", name], ["remove", "--", name]] {
      let result = try await vault.run(words: words)
      #expect(result.end == .exit(66))
      #expect(
        !result.errors.unicodeScalars.contains { $0.value < 0x20 && $0.value != 0x0A || $0.value == 0x7F || $0.value == 0x202E })
      #expect(result.errorBytes.count < 1_000)
    }
    #expect(try await vault.rows("list").count == 7)
  }
}
