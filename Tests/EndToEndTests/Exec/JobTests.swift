import Foundation
import TestSupport
import Testing

/// Jobs of CI: no desktop, no person, nothing that stays behind.
@Suite(.endToEnd) struct JobTests {
  private func page() throws -> String { try Repository.text("docs/ci.md") }

  /// The shell part of an example of docs/ci.md: the indented lines from the first `export VAULT_HOME` behind a heading.
  private func example(_ name: String) throws -> String {
    let page = try page()
    let lines = page.components(separatedBy: "\n")
    let heading = try #require(lines.firstIndex { $0.hasPrefix(name) })
    let first = try #require(lines[heading...].firstIndex { $0.contains("export VAULT_HOME") })
    return lines[first...].prefix { $0.hasPrefix("    ") }.map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
  }

  @Test(
    "the examples for GitHub Actions and GitLab run as they stand, and leave no agent", arguments: ["GitHub Actions", "GitLab"])
  func examples(name: String) async throws {
    let script = try example(name)
    #expect(script.contains("vault exec app -- ./test"))
    _ = try await run(name, script)
  }

  @Test(
    "the log that the page keeps as an artifact is proven whole once the agent has ended, and the test's failure is the job's")
  func artifact() async throws {
    let line = try #require(try page().components(separatedBy: "\n").first { $0.contains("vault exec app -- sh -c") })
    let folder = try await run("GitLab", try example("GitLab").replacing("vault exec app -- ./test", with: line))
    let verified = try await Subprocess.run(
      try Programs.vault, ["audit", "verify", folder.file("audit.jsonl")], environment: ["HOME": folder.file("home")])
    #expect(verified.succeeded, "\(verified.output) \(verified.errors)")
    folder.write("#!/bin/sh\nexit 3\n", to: "test", mode: 0o755)
    let script = line.trimmingCharacters(in: .whitespaces).dropFirst("vault exec app -- ".count)
    let failed = try await Subprocess.run(
      "/bin/sh", ["-c", String(script)], environment: ["HOME": folder.file("home"), "PATH": "/usr/bin:/bin"],
      directory: folder.path)
    #expect(failed.end == .exit(3), "\(failed.errors)")
  }

  /// Runs a job's script, and waits until its agent has ended.
  private func run(_ name: String, _ script: String) async throws -> TemporaryDirectory {
    let simulator = try await STSSimulatorProcess()
    let folder = TemporaryDirectory()
    let programs = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
    let script = script.replacing("arn:aws:iam::123456789012:role/my-application-dev-role", with: STSWorld.ssoRole)
    folder.write("#!/bin/sh\ntest -n \"$AWS_SESSION_TOKEN\" && echo tested\n", to: "test")
    chmod(folder.file("test"), 0o755)
    var environment = simulator.environment
    environment.merge([
      "HOME": folder.file("home"), "PATH": programs + ":/usr/local/bin:/usr/bin:/bin", "RUNNER_TEMP": folder.file("runner"),
      "CI_PROJECT_DIR": folder.file("project"), "LANG": "C.UTF-8", "AWS_TOKEN": STSWorld.webToken,
    ]) { _, new in new }
    if name.hasPrefix("GitHub") {
      environment["ACTIONS_ID_TOKEN_REQUEST_URL"] = simulator.url + "/github/token?api-version=2.0"
      environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "github-request-token"
    }
    mkdir(folder.file("home"), 0o700)
    mkdir(folder.file("runner"), 0o700)
    let home = name.hasPrefix("GitHub") ? "runner/vault" : "project.vault"
    mkdir(folder.file(home), 0o700)
    folder.write("[default]\ntrusted_endpoints = \(simulator.url)\n", to: home + "/config")
    let result = try await Subprocess.run(
      "/bin/sh", ["-e", "-c", "cd '\(folder.path)'\numask 077\n" + script], environment: environment, timeout: 120)
    #expect(result.succeeded && result.output.contains("tested"), "\(result.output) \(result.errors)")
    let pid = try String(contentsOfFile: folder.file(home + "/agent.lock"), encoding: .utf8)
    let process = "/proc/\(pid.prefix { !$0.isNewline })"
    let deadline = Date().addingTimeInterval(20)
    while access(process, F_OK) == 0, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(access(process, F_OK) != 0)
    return folder
  }

  @Test("the agent of a job stays for the longest of its programs")
  func lastProgram() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, environment: ["VAULT_AGENT_LIFE": "programs"])
    let pid = vault.agentPID
    async let long = vault.run("exec", "app-dev", "--", "sleep", "3")
    try await Task.sleep(for: .milliseconds(500))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await Task.sleep(for: .milliseconds(300))
    #expect(vault.agentPID == pid)
    _ = try await long
    let deadline = Date().addingTimeInterval(20)
    while vault.agentPID != nil, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(vault.agentPID == nil)
    let wrong = try await vault.run("import", environment: ["VAULT_AGENT_LIFE": "forever"])
    #expect(wrong.end == .exit(78) && wrong.errors.contains("VAULT_AGENT_LIFE"), "\(wrong.errors)")
  }

  @Test("vault status tells whose credentials are in the environment, without asking anybody")
  func status() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let program = try Programs.vault
    #expect(try await vault.mustRun("status", "--format", "prompt") == "")
    let prompt = try await vault.mustRun("exec", "app-dev", "--", program, "status", "--format", "prompt")
    #expect(prompt.hasPrefix("app-dev ") && prompt.hasSuffix("m\n"), "\(prompt)")
    #expect(try await vault.mustRun("exec", "--server", "app-dev", "--", program, "status").contains("renewed automatically"))
    let json = try await vault.mustRun(
      "exec", "app-dev", "--", "env", "VAULT_HOME=/nowhere", program, "status", "--format", "json")
    #expect(json.contains("\"profile\":\"app-dev\"") && json.contains("\"secondsLeft\":3"), "\(json)")
  }
}
