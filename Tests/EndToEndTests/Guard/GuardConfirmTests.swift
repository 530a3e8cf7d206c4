import Foundation
import Glibc
import TestSupport
import Testing

/// Guarded profiles that need somebody to agree.
@Suite(.endToEnd) struct GuardConfirmTests {
  private func vault(_ simulator: STSSimulatorProcess, _ rules: String) async throws -> TestVault {
    let vault = try await TestVault(simulator)
    let settings = try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)
    vault.folder.write(settings + rules + "\n", to: "vault/config")
    return vault
  }

  /// Answers the next question at another terminal of a person.
  private func answer(_ vault: TestVault, at terminals: TerminalServer, _ option: String = "") async throws {
    let deadline = Date().addingTimeInterval(30)
    var id: String?
    while id == nil, Date() < deadline {
      id = try await vault.rows("approve").first?["id"] as? String
      if id == nil { try await Task.sleep(for: .milliseconds(20)) }
    }
    let words = ["approve", try #require(id)] + (option.isEmpty ? [] : [option])
    let run = try await terminals.run([try Programs.vault] + words, environment: vault.environment)
    #expect(run.status == 0, "\(run.shown)")
  }

  /// A program in a session of its own, as in another terminal.
  private func asking(_ vault: TestVault, _ words: String...) throws -> RunningProgram {
    try RunningProgram("/usr/bin/setsid", ["--wait", try Programs.vault] + words, environment: vault.environment)
  }

  @Test("each request waits for a person, before AWS is asked and before a cached session is handed out")
  func always() async throws {
    let terminals = try await TerminalServer()
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator, "[guard app-dev]\nconfirm = always")
    for number in 1...2 {
      let program = try asking(vault, "exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID")
      while try await vault.rows("approve").isEmpty { try await Task.sleep(for: .milliseconds(20)) }
      #expect(try await simulator.requests("AssumeRole").count == number - 1)
      try await answer(vault, at: terminals)
      let result = try await program.wait(timeout: 30)
      #expect(result.succeeded && result.output.hasPrefix("ASIA"), "\(result.errors)")
      #expect(try await simulator.requests("AssumeRole").count == 1)
    }
    let program = try asking(vault, "exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID")
    try await answer(vault, at: terminals, "--deny")
    let result = try await program.wait(timeout: 30)
    #expect(result.end == .exit(77) && result.output.isEmpty, "\(result.errors)")
    #expect(try await vault.rows("audit", "--action", "Confirmed").count == 2)
    #expect(try await vault.rows("audit", "--action", "ConfirmationRefused").count == 1)
  }

  @Test("what is served needs an answer for each new session, not for each question; until then it is 503, at once")
  func served() async throws {
    let terminals = try await TerminalServer()
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 20))
    let vault = try await vault(simulator, "[guard app-dev]\nconfirm = always")
    let script = """
      echo $AWS_CONTAINER_CREDENTIALS_FULL_URI | sed 's/.*:\\([0-9]*\\).*/\\1/'
      echo "$AWS_CONTAINER_AUTHORIZATION_TOKEN"; read end
      """
    let program = try asking(vault, "exec", "--server", "app-dev", "--", "sh", "-c", script)
    try await answer(vault, at: terminals)
    let port = try #require(UInt16(try await program.readLine()))
    let token = try await program.readLine()
    func ask() async throws -> LoopbackHTTP.Response {
      try await LoopbackHTTP.send("GET", "/credentials", port: port, headers: ["Authorization": token], timeout: 10)
    }
    let first = try await ask()
    #expect(first.status == 200)
    for _ in 0..<5 { #expect(try await ask().status == 200) }
    #expect(try await vault.rows("audit", "--action", "Confirmed").count == 1)
    while try await ask().status == 200 { try await Task.sleep(for: .milliseconds(50)) }
    for _ in 0..<5 {
      let began = Date()
      #expect(try await ask().status == 503)
      #expect(Date().timeIntervalSince(began) < 1.5)
    }
    #expect(try await vault.rows("approve").count == 1)
    #expect(try await simulator.requests("AssumeRole").count == 1)
    try await simulator.set(STSSettings(lifetimeSeconds: 3_600))
    try await answer(vault, at: terminals)
    let deadline = Date().addingTimeInterval(20)
    var latest = try await ask()
    while latest.status != 200, Date() < deadline { latest = try await ask() }
    #expect(latest.status == 200 && latest.body != first.body)
    #expect(try await simulator.requests("AssumeRole").count == 2)
    #expect(try await vault.rows("audit", "--action", "Confirmed").count == 2)
    program.send("\n")
    try await program.wait(timeout: 10)
  }

  @Test("what was agreed to holds for its time, and for that tree only")
  func remembered() async throws {
    let terminals = try await TerminalServer()
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator, "[guard app-dev]\nconfirm = 15m")
    let program = try asking(
      vault, "exec", "app-dev", "--", "sh", "-c",
      "for n in 1 2 3; do '\(try Programs.vault)' exec app-dev -- printenv AWS_ACCESS_KEY_ID; done")
    try await answer(vault, at: terminals)
    let result = try await program.wait(timeout: 30)
    #expect(result.succeeded && result.output.split(separator: "\n").count == 3, "\(result.errors)")
    #expect(try await vault.rows("audit", "--action", "Confirmed").count == 1)
    let other = try asking(vault, "exec", "app-dev", "--", "true")
    try await answer(vault, at: terminals)
    #expect(try await other.wait(timeout: 30).succeeded)
    #expect(try await vault.rows("audit", "--action", "Confirmed").count == 2)
  }
}
