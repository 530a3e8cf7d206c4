import Foundation
import TestSupport
import Testing

/// A vault that is locked by the login: a fake logind (python-dbusmock) on a bus of its own.
@Suite(.endToEnd) struct LockTests {
  /// logind's signals, as a desktop causes them.
  private struct Login {
    let bus: KeyringSession
    let manager: RunningProgram

    init() async throws {
      bus = try KeyringSession(.none)
      manager = try RunningProgram(
        "/usr/bin/python3", ["-m", "dbusmock", "--template", "logind"],
        environment: ["DBUS_SYSTEM_BUS_ADDRESS": bus.busAddress, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"])
      let ready = try await Subprocess.run(
        "/usr/bin/gdbus", ["wait", "--session", "--timeout", "30", "org.freedesktop.login1"], environment: environment)
      try #require(ready.succeeded, "\(ready.errors)")
      try await call("/org/freedesktop/login1", "AddSession", "1", "seat0", "uint32 \(geteuid())", "me", "true")
      try await call("/org/freedesktop/login1", "AddSession", "2", "seat0", "uint32 \(geteuid() + 1)", "other", "true")
    }

    private var environment: [String: String] { ["DBUS_SESSION_BUS_ADDRESS": bus.busAddress, "PATH": "/usr/bin:/bin"] }

    func call(_ path: String, _ method: String, _ words: String...) async throws {
      let result = try await Subprocess.run(
        "/usr/bin/gdbus",
        [
          "call", "--session", "--dest", "org.freedesktop.login1", "--object-path", path, "--method",
          "org.freedesktop.DBus.Mock.\(method)",
        ]
          + words, environment: environment)
      try #require(result.succeeded, "\(result.errors)")
    }

    func emit(_ member: String, session: Int = 1) async throws {
      try await call(
        "/org/freedesktop/login1/session/\(session)", "EmitSignal", "org.freedesktop.login1.Session", member, "", "@av []")
    }
  }

  private func until(_ what: String, _ body: () async throws -> Bool) async throws {
    let deadline = Date().addingTimeInterval(30)
    while try await !body() {
      try #require(Date() < deadline, "\(what): not within 30 s")
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  private func isUnlocked(_ vault: TestVault) async throws -> Bool {
    try await vault.run("agent", "status").output.contains("unlocked: yes")
  }

  @Test("a vault is locked with the screen, serves nothing until that is unlocked, and then goes on by itself")
  func screen() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let login = try await Login()
    try await vault.mustRun("config", "login_bus", login.bus.busAddress)
    try await vault.mustRun("config", "lock_on", "screen suspend")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    // Another person's screen is none of ours.
    try await until("the agent listens") {
      try await login.emit("Lock", session: 2)
      try await login.emit("Lock")
      return try await !isUnlocked(vault)
    }
    let refused = try await vault.run("exec", "app-dev", "--", "true")
    #expect(refused.end == .exit(77) && refused.errors.contains("while the screen is"), "\(refused.errors)")
    try await login.emit("Unlock")
    try await until("the key can be fetched") { try await vault.run("exec", "app-dev", "--", "true").succeeded }
    let rows = try await vault.rows("audit", "--action", "Locked")
    #expect(
      rows.last?["trigger"] as? String == "automatic" && rows.last?["detail"] as? String == "the screen was locked", "\(rows)")
    // A desktop that locks its screen itself says so by a property.
    try await login.call(
      "/org/freedesktop/login1/session/1", "UpdateProperties", "org.freedesktop.login1.Session", "{'LockedHint': <true>}")
    try await until("the hint is heard") { try await !isUnlocked(vault) }
    try await login.call(
      "/org/freedesktop/login1/session/1", "UpdateProperties", "org.freedesktop.login1.Session", "{'LockedHint': <false>}")
    try await until("the key can be fetched") { try await vault.run("exec", "app-dev", "--", "true").succeeded }
    // The machine goes to sleep, and what was asked for afterwards fetches the key again without a command.
    try await login.call(
      "/org/freedesktop/login1", "EmitSignal", "org.freedesktop.login1.Manager", "PrepareForSleep", "b", "[<true>]")
    try await until("the sleep is heard") { try await !isUnlocked(vault) }
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("the status says when the vault will be locked")
  func status() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    #expect(try await !vault.mustRun("agent", "status").contains("locks"))
    try await vault.mustRun("config", "lock_after", "15m idle 12h")
    for words in [["agent", "status"], ["doctor"], ["status"]] {
      let result = try await vault.run(words: words)
      #expect(result.output.contains("(idle)"), "\(words): \(result.output)")
    }
    #expect(try await vault.run("config", "lock_after", "soon").end == .exit(64))
  }
}
