import Foundation
import TestSupport
import Testing

/// What only a person can do: said once, and mended by itself once it is done.
@Suite(.endToEnd, .tags(.slow)) struct AnnouncementTests {
  /// A desktop, as far as the agent sees one: a display, and a bus with a notification service.
  private func desktop(_ server: NotificationServer, _ more: [String: String] = [:]) -> [String: String] {
    ["DISPLAY": ":9", "DBUS_SESSION_BUS_ADDRESS": server.busAddress].merging(more) { $1 }
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
    let server = try await NotificationServer()
    let vault = try await SignInTests.vault(simulator, environment: desktop(server))
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
    let said = try await server.next()
    #expect(said.text.contains("not signed in to corp") && said.actions.last == "Sign in", "\(said)")
    #expect(server.shown.count == 1)
    try await vault.mustRun("login", "--device", "corp")
    let next = try await app.nextKey()
    #expect(next != nil && next != first)
    #expect(try await developer.nextKey() != nil)
    #expect(try await state(vault, "app", becomes: "fresh"))
    // It is over, and so is its notification.
    #expect(try await server.closed() == "closed \(said.number)")
    #expect(server.shown.count == 1)
    try await app.end()
    try await developer.end()
  }

  @Test(
    "a served session that cannot be renewed without a code is waiting for one in the list, and goes on once a code was given")
  func code() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 8))
    let server = try await NotificationServer()
    let vault = try await TestVault(simulator, environment: desktop(server))
    try await vault.mustRun("exec", "--mfa-code", STSWorld.aliceMFACodes[0], "app-mfa", "--", "true")
    let served = try await ServedProgram(vault, profile: "app-mfa")
    let first = try await served.key()
    #expect(first != nil)
    #expect(try await state(vault, "app-mfa", becomes: "needs-mfa"))
    let said = try await server.next()
    #expect(said.title.contains("app-mfa") && said.actions.isEmpty && server.shown.count == 1, "\(said)")
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
    let server = try await NotificationServer()
    let vault = try await TestVault(simulator, environment: desktop(server))
    let served = try await ServedProgram(vault)
    #expect(try await served.key() != nil)
    var world = STSWorld.standard
    world.roles.removeAll { $0.arn == STSWorld.devRole }
    try await simulator.change(to: world)
    #expect(try await state(vault, "app-dev", becomes: "failing"))
    let said = try await server.next()
    #expect(said.text.contains("AccessDenied") && said.actions.isEmpty && server.shown.count == 1, "\(said)")
    try await simulator.change(to: .standard)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await served.nextKey() != nil)
    #expect(try await state(vault, "app-dev", becomes: "fresh"))
    try await served.end()
  }

  @Test("the notification's button signs in with the browser, as if `vault login` had been typed; closing it does nothing")
  func button() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 8))
    let server = try await NotificationServer()
    let folder = TemporaryDirectory()
    let browser = folder.write(
      "#!/bin/sh\nexec \(try Programs.python) -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' \"$1\"\n",
      to: "browser")
    chmod(browser, 0o700)
    let vault = try await SignInTests.vault(simulator, environment: desktop(server, ["BROWSER": browser]))
    try await vault.mustRun("login", "corp")
    let app = try await ServedProgram(vault, profile: "app")
    #expect(try await app.key() != nil)
    try await simulator.signIn(.revoke)
    let said = try await server.next()
    let before = try await simulator.requests("CreateToken").count
    // Its press comes after its end, on the same bus: what the agent does is because of the press.
    server.dismiss(said.number)
    server.press(said.number)
    var rows: [[String: Any]] = []
    let deadline = Date().addingTimeInterval(40)
    while rows.isEmpty, Date() < deadline {
      try await Task.sleep(for: .milliseconds(100))
      rows = try await vault.rows("audit", "--action", "CreateToken").filter { row in
        // An intent alone is a call that is under way.
        row["outcome"] as? String != "intent"
          && ((row["requester"] as? [String: Any])?["parent"] as? String)?.hasSuffix("/vaultd") == true
      }
    }
    #expect(rows.map { $0["outcome"] as? String } == ["success"] && rows[0]["trigger"] as? String == "manual", "\(rows)")
    #expect(try await simulator.requests("CreateToken").count == before + 1)
    #expect(try await state(vault, "app", becomes: "fresh"))
    try await app.end()
  }
}
