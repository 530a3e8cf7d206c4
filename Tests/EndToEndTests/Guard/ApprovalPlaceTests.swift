import Foundation
import Glibc
import TestSupport
import Testing

/// Where a person is asked to agree, what the agreement is for, and how many can be asked for.
@Suite(.endToEnd) struct ApprovalPlaceTests {
  /// A vault with rules.
  private func vault(_ simulator: STSSimulatorProcess, _ rules: String, _ environment: [String: String] = [:]) async throws
    -> TestVault
  {
    let vault = try await TestVault(simulator, environment: environment)
    let settings = try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)
    vault.folder.write(settings + rules + "\n", to: "vault/config")
    return vault
  }

  /// A shell in a session of its own.
  private func session(_ vault: TestVault, _ script: String, _ more: [String: String] = [:]) throws -> RunningProgram {
    try RunningProgram(
      try Programs.onPath("setsid"), ["--wait", "/bin/sh", "-c", script],
      environment: vault.environment.merging(["VAULT": try Programs.vault]) { $1 }.merging(more) { $1 })
  }

  /// What waits, once there are so many.
  private func waiting(_ vault: TestVault, count: Int) async throws -> [[String: Any]] {
    let deadline = Date().addingTimeInterval(60)
    while true {
      let rows = try await vault.rows("approve")
      if rows.count == count || Date() > deadline { return rows }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  @Test("a program agrees to its own request neither by a pinentry nor by a desktop that it names")
  func ownPlace() async throws {
    let (simulator, server) = (try await STSSimulatorProcess(), try await NotificationServer())
    let vault = try await vault(simulator, "[guard app-*]\nconfirm = always")
    mkdir(vault.folder.file("bin"), 0o700)
    vault.folder.write("#!/bin/sh\ntouch \(vault.folder.file("ran"))\n", to: "bin/pinentry", mode: 0o700)
    let own = [
      "DISPLAY": ":9", "PATH": "\(vault.folder.file("bin")):/usr/bin:/bin", "DBUS_SESSION_BUS_ADDRESS": server.busAddress,
    ]
    let asked = try await PseudoTerminal.run(
      [try Programs.vault, "exec", "app-dev", "--", "echo", "got"],
      [.wait("(the agent knows of no desktop)"), .type("\u{3}")], environment: vault.environment.merging(own) { $1 })
    #expect(asked.status == -2 && asked.shown.contains("run `vault approve "), "\(asked.shown)")
    #expect(server.shown.isEmpty && access(vault.folder.file("ran"), F_OK) != 0)
    #expect(try await simulator.requests("AssumeRole").isEmpty)
  }

  @Test("of two desktops the one on whose bus the agent was started is asked, and not the one that only the asker names")
  func desktops() async throws {
    let simulator = try await STSSimulatorProcess()
    let servers = [try await NotificationServer(), try await NotificationServer()]
    let login = servers[0].busAddress.replacing("unix:path=", with: "").replacing("/bus", with: "")
    let vault = try await vault(simulator, "[guard app-*]\nconfirm = always", ["XDG_RUNTIME_DIR": login])
    let asking = try session(
      vault, "$VAULT exec app-dev -- printenv AWS_ACCESS_KEY_ID", ["DBUS_SESSION_BUS_ADDRESS": servers[1].busAddress])
    servers[0].press(try await servers[0].next().number)
    #expect(try await asking.wait().output.hasPrefix("ASIA"))
    #expect(servers[1].shown.isEmpty)
  }

  @Test("an agreement to a session is none to the access key itself, and the question for that says what it is")
  func accessKey() async throws {
    let (simulator, server) = (try await STSSimulatorProcess(), try await NotificationServer())
    let vault = try await vault(
      simulator, "[guard alice]\nconfirm = 15m", ["DBUS_SESSION_BUS_ADDRESS": server.busAddress])
    let shell = try session(
      vault, "for option in '' '' --no-session; do $VAULT exec $option alice -- printenv AWS_ACCESS_KEY_ID; done")
    let first = try await server.next()
    #expect(first.text.contains("duration: 12 h") && !first.text.contains("credentials: "), "\(first.text)")
    server.press(first.number)
    #expect(try await server.closed() == "closed \(first.number)")
    let second = try await server.next()
    #expect(second.text.contains("credentials: the access key itself, which does not expire"), "\(second.text)")
    #expect(!second.text.contains("duration: "), "\(second.text)")
    let row = try #require(try await waiting(vault, count: 1).first)
    #expect(row["credentials"] as? String == "access-key" && row["durationSeconds"] is NSNull, "\(row)")
    server.press(second.number, button: 1)
    let result = try await shell.wait()
    #expect(
      result.end == .exit(77) && result.output.split(separator: "\n").count == 2 && !result.output.contains("AKIA"), "\(result)")
  }

  @Test("one session's requests leave room for another's, and all that wait are listed")
  func room() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator, "[guard app-*]\nconfirm = always")
    let flood = try session(
      vault, "for i in $(seq 30); do ($VAULT exec --tag n=$i app-dev -- echo got 2>&1; echo \"status $?\") & done; wait")
    for _ in 0..<22 {
      var line = ""
      while !line.hasPrefix("status") { line = try await flood.readLine(timeout: 60) }
      #expect(line == "status 75")
    }
    #expect(try await waiting(vault, count: 8).count == 8)
    let other = try session(vault, "exec $VAULT exec app-dev -- echo got")
    #expect(try await waiting(vault, count: 9).count == 9)
    #expect(flood.output.contains("8 confirmations for these processes wait for an answer already"), "\(flood.output)")
    for program in [flood, other] { kill(program.pid, SIGKILL) }
  }
}
