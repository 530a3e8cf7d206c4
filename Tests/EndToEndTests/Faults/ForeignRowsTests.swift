import Foundation
import Glibc
import TestSupport
import Testing

/// Another program, with SQLite's shell and without a key, changes what leads to a secret: nothing is sent, run or written on its word.
@Suite(.endToEnd) struct ForeignRowsTests {
  private func change(_ vault: TestVault, _ sql: String) async throws {
    let result = try await Subprocess.run(try Programs.onPath("sqlite3"), ["-bail", vault.database, sql], environment: [:])
    try #require(result.succeeded, "\(result.errors)")
  }

  /// A script that prints keys, and one that leaves a mark.
  private func scripts(_ vault: TestVault) -> (good: String, evil: String, mark: String) {
    let mark = vault.folder.file("mark")
    let good = vault.folder.write(
      "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"ASIAGOODGOODGOODGOOD\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"t\"}'\n",
      to: "good.sh")
    let evil = vault.folder.write("#!/bin/sh\ntouch \(mark)\nexec \(good)\n", to: "evil.sh")
    for path in [good, evil] { chmod(path, 0o700) }
    return (good, evil, mark)
  }

  /// Whether somebody has connected.
  private func heard(_ listener: LoopbackListener) -> Bool {
    var one = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&one, 1, 0) > 0
  }

  private func changes(_ vault: TestVault) async throws -> [(outcome: String, error: String)] {
    try await vault.rows("audit", "--action", "DatabaseChanged").map {
      ($0["outcome"] as? String ?? "", $0["error"] as? String ?? "")
    }
  }

  @Test(
    "an endpoint written into the database hears nothing: the file is read again, and the row says so", arguments: [true, false])
  func endpoint(isRunning: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault()
    let config = TestVault.standardConfig.replacing(
      "region = us-east-1", with: "region = us-east-1\nendpoint_url = \(simulator.url)"
    )
    .replacing("region = eu-west-1", with: "region = eu-west-1\nendpoint_url = \(simulator.url)")
    vault.config(config)
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    if !isRunning { try await vault.mustRun("agent", "stop") }
    let listener = try LoopbackListener()
    try await change(
      vault, "UPDATE setting_line SET value = 'http://127.0.0.1:\(listener.port)' WHERE name = 'endpoint_url'")
    let result = try await vault.run("exec", "app-dev", "--", "true")
    #expect(result.succeeded && result.errors.contains("changed in the vault's database"), "\(result.errors)")
    #expect(!heard(listener))
    #expect(try await changes(vault).map(\.outcome) == ["success"])
    // Only what was written anew is there now.
    try await change(
      vault,
      """
      INSERT INTO setting_line (profile_id, name, value, file, line) SELECT id, 'endpoint_url', 'http://127.0.0.1:\(listener.port)',
      '~/.aws/config', 5 FROM profile WHERE name = 'partner'
      """)
    _ = try await vault.run("exec", "partner", "--", "true", environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    #expect(!heard(listener))
    #expect(try await changes(vault).count == 2)
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a program written into the database is not run: 74, and the profile is named", arguments: [true, false])
  func process(isRunning: Bool) async throws {
    let vault = TestVault()
    let (good, evil, mark) = scripts(vault)
    try await vault.mustRun("add", "tool", "--set", "credential_process=\(good)")
    try await vault.mustRun("add", "plain", "--set", "credential_process=\(good)")
    try await vault.mustRun("exec", "plain", "--", "true")
    if !isRunning { try await vault.mustRun("agent", "stop") }
    try await change(
      vault, "UPDATE setting_line SET value = '\(evil)' WHERE profile_id = (SELECT id FROM profile WHERE name = 'tool')")
    for _ in 0..<2 {
      let result = try await vault.run("exec", "tool", "--", "true")
      #expect(result.end == .exit(74) && result.errors.contains("profile \"tool\" was changed"), "\(result.errors)")
    }
    // A change keeps the rest of a profile, and so is refused as well.
    #expect(try await vault.run("edit", "tool", "--region", "eu-west-1").end == .exit(74))
    #expect(access(mark, F_OK) != 0)
    let told = try await changes(vault)
    #expect(told.count == 1 && told.first?.outcome == "refused" && told.first?.error.contains("tool") == true, "\(told)")
    // Others go on, and the remedy is the one that is named.
    try await vault.mustRun("exec", "plain", "--", "true")
    try await vault.mustRun("remove", "tool")
    try await vault.mustRun("add", "tool", "--set", "credential_process=\(good)")
    try await vault.mustRun("exec", "tool", "--", "true")
    #expect(access(mark, F_OK) != 0)
  }

  @Test("a file's profile that is made to run a program does what its file says")
  func processOfFile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let (_, evil, mark) = scripts(vault)
    try await change(
      vault,
      """
      UPDATE setting_line SET name = 'credential_process', value = '\(evil)' WHERE name = 'role_arn';
      INSERT INTO setting_line (profile_id, name, value, file, line) SELECT id, 'mfa_process', '\(evil)', 'vault', 0 FROM profile
      """)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(access(mark, F_OK) != 0)
    #expect(try await simulator.report().requests.map(\.action) == ["AssumeRole"])
  }

  @Test("a database that somebody else made leads nowhere, with a key that is not here, or with none", arguments: [true, false])
  func foreign(hasKey: Bool) async throws {
    let theirs = TestVault()
    let (_, evil, mark) = scripts(theirs)
    let config = theirs.folder.write("[profile dev]\ncredential_process = \(evil)\n", to: "evil-config")
    try await theirs.mustRun("add", "tool", "--set", "credential_process=\(evil)")
    try await theirs.mustRun("import", config)
    try await theirs.mustRun("agent", "stop")
    let ours = TestVault()
    mkdir(ours.vaultHome, 0o700)
    let copied = try await Subprocess.run("/bin/cp", ["-p", theirs.database, ours.database], environment: [:])
    #expect(copied.succeeded)
    if !hasKey {
      try await change(
        ours,
        """
        DELETE FROM master_key; DELETE FROM audit_key; DELETE FROM audit_checkpoint; DROP TRIGGER audit_event_never_deleted;
        DELETE FROM audit_event;
        CREATE TRIGGER audit_event_never_deleted BEFORE DELETE ON audit_event
        WHEN OLD.sequence > coalesce((SELECT max(last_sequence) FROM audit_segment), 0)
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
        """)
    }
    for profile in ["tool", "dev"] {
      let result = try await ours.run("exec", profile, "--", "true")
      #expect(!result.succeeded && (hasKey || result.end == .exit(74)), "\(result.end) \(result.errors)")
    }
    #expect(access(mark, F_OK) != 0)
  }

  @Test(
    "a file that nobody imported is not followed, and a profile that was taken away is missed, until a person accepts what is left"
  )
  func accepted() async throws {
    let vault = TestVault()
    let (good, evil, mark) = scripts(vault)
    try await vault.mustRun("add", "one", "--set", "credential_process=\(good)")
    try await vault.mustRun("add", "two", "--set", "credential_process=\(good)")
    let config = vault.folder.write("[profile dev]\ncredential_process = \(evil)\n", to: "evil-config")
    try await change(
      vault,
      "INSERT INTO followed_file (path, position, role, device, inode, size, mtime) VALUES ('\(config)', 0, 'config', 0, 0, 0, 0)"
    )
    for profile in ["dev", "one"] {
      let result = try await vault.run("exec", profile, "--", "true")
      #expect(result.end == .exit(74) && result.errors.contains(config), "\(result.errors)")
    }
    try await vault.mustRun("audit", "accept")
    try await vault.mustRun("exec", "one", "--", "true")
    try await change(vault, "DELETE FROM profile WHERE name = 'two'")
    #expect(try await vault.run("exec", "one", "--region", "eu-west-1", "--duration", "20m", "--", "true").end == .exit(74))
    try await vault.mustRun("audit", "accept")
    try await vault.mustRun("exec", "one", "--", "true")
    #expect(try await vault.run("exec", "two", "--", "true").end == .exit(66))
    #expect(access(mark, F_OK) != 0)
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a lease that another program changed is let go, and its link is not filled")
  func leaseAndLink() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    _ = try await served.key()
    vault.killAgent()
    let leak = vault.folder.file("leak")
    try await change(
      vault,
      """
      UPDATE lease SET profile = 'partner'; INSERT INTO credentials_link (path, section, profile, created_at)
      VALUES ('\(leak)', 'app-dev', 'app-dev', 0)
      """)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    var told: [(outcome: String, error: String)] = []
    let deadline = Date().addingTimeInterval(30)
    while told.count < 2, Date() < deadline {
      told = try await changes(vault)
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(Set(told.map(\.outcome)) == ["refused"] && told.count == 2, "\(told)")
    #expect(access(leak, F_OK) != 0)
    let answer = try? await served.response()
    #expect(answer?.status != 200)
    try await served.end()
    #expect(try await simulator.report().requests.allSatisfy { $0.parameters["RoleArn"] != STSWorld.partnerRole })
  }
}
