import Foundation
import TestSupport
import Testing

/// What only a person can do: said once, and mended by itself once it is done.
@Suite(.endToEnd, .tags(.slow)) struct AnnouncementTests {
  /// A desktop, as far as the agent sees one: a display, and a `notify-send` that keeps what it is told.
  private func desktop(_ folder: TemporaryDirectory) -> (environment: [String: String], said: () -> [String]) {
    let file = folder.file("notifications")
    let program = folder.write(
      "#!/bin/sh\nprintf '%s ' \"$@\" | tr '\\n' ' ' >> '\(file)'\necho >> '\(file)'\n", to: "bin/notify-send")
    chmod(program, 0o700)
    let path = URL(fileURLWithPath: program).deletingLastPathComponent().path
    return (
      ["DISPLAY": ":9", "PATH": path + ":/usr/local/bin:/usr/bin:/bin"],
      { ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n").map { String($0) } }
    )
  }

  private func state(_ vault: TestVault, _ profile: String, becomes wanted: String) async throws -> Bool {
    let deadline = Date().addingTimeInterval(40)
    while Date() < deadline {
      let line = try await vault.mustRun("list").split(separator: "\n").first { $0.hasPrefix(profile + "\t") }
      if line?.split(separator: "\t").dropFirst(2).first.map(String.init) == wanted { return true }
      try await Task.sleep(for: .milliseconds(100))
    }
    return false
  }

  @Test("a sign-in that ended under several roles is told once, stands in the list, and after a login all goes on by itself")
  func signIn() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 8))
    let folder = TemporaryDirectory()
    mkdir(folder.file("bin"), 0o700)
    let (environment, said) = desktop(folder)
    let vault = try await SignInTests.vault(simulator, environment: environment)
    try await vault.mustRun("login", "--device", "corp")
    let app = try await ServedProgram(vault, profile: "app")
    let developer = try await ServedProgram(vault, profile: "developer")
    let first = try await app.key()
    #expect(first != nil)
    try await simulator.signIn(.revoke)
    #expect(try await state(vault, "app", becomes: "needs-login"))
    #expect(try await state(vault, "developer", becomes: "needs-login"))
    // What it has is served to its end, and then nothing.
    while try await app.response().status == 200 { try await Task.sleep(for: .milliseconds(100)) }
    #expect(said().count == 1 && said()[0].contains("not signed in to corp"), "\(said())")
    try await vault.mustRun("login", "--device", "corp")
    let next = try await app.nextKey()
    #expect(next != nil && next != first)
    #expect(try await developer.nextKey() != nil)
    #expect(try await state(vault, "app", becomes: "fresh"))
    #expect(said().count == 1)
    try await app.end()
    try await developer.end()
  }

  @Test(
    "a served session that cannot be renewed without a code is waiting for one in the list, and goes on once a code was given")
  func code() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 8))
    let folder = TemporaryDirectory()
    mkdir(folder.file("bin"), 0o700)
    let (environment, said) = desktop(folder)
    let vault = try await TestVault(simulator, environment: environment)
    try await vault.mustRun("exec", "--mfa-code", STSWorld.aliceMFACodes[0], "app-mfa", "--", "true")
    let served = try await ServedProgram(vault, profile: "app-mfa")
    let first = try await served.key()
    #expect(first != nil)
    #expect(try await state(vault, "app-mfa", becomes: "needs-mfa"))
    #expect(said().filter { $0.contains("app-mfa") }.count == 1, "\(said())")
    // Nothing of it was tried again and again.
    #expect(try await simulator.requests("GetSessionToken").count <= 2)
    try await vault.mustRun("exec", "--mfa-code", STSWorld.aliceMFACodes[1], "app-mfa", "--", "true")
    let next = try await served.nextKey()
    #expect(next != nil && next != first)
    try await served.end()
  }

  @Test("a role that no longer trusts is failing in the list and told once; what is trusted again goes on with the next request")
  func refused() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 6))
    let folder = TemporaryDirectory()
    mkdir(folder.file("bin"), 0o700)
    let (environment, said) = desktop(folder)
    let vault = try await TestVault(simulator, environment: environment)
    let served = try await ServedProgram(vault)
    #expect(try await served.key() != nil)
    var world = STSWorld.standard
    world.roles.removeAll { $0.arn == STSWorld.devRole }
    try await simulator.change(to: world)
    #expect(try await state(vault, "app-dev", becomes: "failing"))
    #expect(said().count == 1 && said()[0].contains("AccessDenied"), "\(said())")
    try await simulator.change(to: .standard)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await served.nextKey() != nil)
    #expect(try await state(vault, "app-dev", becomes: "fresh"))
    try await served.end()
  }
}
