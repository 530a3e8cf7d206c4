import Foundation
import TestSupport
import Testing

/// Where a secret may be sent: what only an environment names gets nothing.
@Suite(.endToEnd) struct TrustTests {
  /// A vault that is signed in and trusts `simulator` alone; `stranger` would answer every question as well.
  private static func signedIn() async throws -> (vault: TestVault, simulator: STSSimulatorProcess, stranger: STSSimulatorProcess)
  {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "app")
    try await vault.mustRun("exec", "app", "--", "true")
    return (vault, simulator, try await STSSimulatorProcess())
  }

  @Test(
    "an endpoint that only the environment names gets nothing: 77, the host and the variable are named, and the command that trusts it",
    arguments: [
      ("AWS_ENDPOINT_URL_SSO", ["exec", "--refresh", "developer", "--", "true"]),
      ("AWS_ENDPOINT_URL_STS", ["exec", "--refresh", "app", "--", "true"]),
      ("AWS_ENDPOINT_URL_SIGNIN", ["console", "--print", "developer"]),
      ("AWS_ENDPOINT_URL_SSO_OIDC", ["login", "--device", "app"]),
      ("AWS_ENDPOINT_URL_SSO", ["login", "--discover", "corp"]),
    ])
  func environment(_ variable: String, _ words: [String]) async throws {
    let (vault, simulator, stranger) = try await Self.signedIn()
    defer { withExtendedLifetime(simulator) {} }
    let result = try await vault.run(words: words, environment: [variable: stranger.url])
    #expect(result.end == .exit(77), "\(result.errors)")
    #expect(result.errors.contains("\(stranger.url), named by \(variable), is not a trusted endpoint; nothing was sent there"))
    #expect(result.errors.contains("vault config --add trusted_endpoints \(stranger.url)"))
    #expect(try await stranger.report().requests.isEmpty)
    // Nothing of it stays: without the variable all is as before.
    try await vault.mustRun("exec", "--refresh", "app", "--", "true")
    #expect(try await stranger.report().requests.isEmpty)
  }

  @Test("AWS_ENDPOINT_URL, which names every service, gets nothing either")
  func general() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let stranger = try await STSSimulatorProcess()
    let result = try await vault.run(
      "exec", "app-dev", "--", "true", environment: ["AWS_ENDPOINT_URL_STS": "", "AWS_ENDPOINT_URL": stranger.url])
    #expect(result.end == .exit(77) && result.errors.contains("named by AWS_ENDPOINT_URL"), "\(result.errors)")
    #expect(try await stranger.report().requests.isEmpty)
  }

  @Test("signing out tells no other host than the one that gave the token")
  func logout() async throws {
    let (vault, simulator, stranger) = try await Self.signedIn()
    defer { withExtendedLifetime(simulator) {} }
    let result = try await vault.run("logout", "corp", environment: ["AWS_ENDPOINT_URL_SSO": stranger.url])
    #expect(result.succeeded && result.errors.contains("could not be told of the sign-out"), "\(result.errors)")
    #expect(try await stranger.report().requests.isEmpty)
  }

  @Test("a token opens for the hosts that it was issued by, and not for another one that is trusted too")
  func sealed() async throws {
    let (vault, simulator, other) = try await Self.signedIn()
    try await vault.mustRun("config", "--add", "trusted_endpoints", other.url)
    let result = try await vault.run(
      "exec", "--refresh", "developer", "--", "true", environment: ["AWS_ENDPOINT_URL_SSO": other.url])
    #expect(result.end == .exit(77) && result.errors.contains("you are not signed in to corp"), "\(result.errors)")
    #expect(try await other.report().requests.isEmpty)
    #expect(try await simulator.report().requests.count > 0)
  }

  @Test(
    "certificates that only the environment names are not believed; once their digest is trusted they are, and no other file's")
  func certificates() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let file = vault.folder.write("-----BEGIN CERTIFICATE-----\n", to: "ca.pem")
    let environment = ["AWS_CA_BUNDLE": file]
    let refused = try await vault.run("exec", "app-dev", "--", "true", environment: environment)
    #expect(
      refused.end == .exit(77) && refused.errors.contains("\(file), named by AWS_CA_BUNDLE, are not trusted"), "\(refused.errors)"
    )
    let digest = try #require(refused.errors.firstMatch(of: /sha256:[0-9a-f]{64}/)).output
    try await vault.mustRun("config", "--add", "trusted_ca_bundles", String(digest))
    #expect(try await vault.run("exec", "app-dev", "--", "true", environment: environment).succeeded)
    let row = try #require(try await vault.rows("audit", "--action", "AssumeRole", "--outcome", "success").last)
    #expect((row["network"] as? [String: Any])?["caBundle"] as? String == file)
    vault.folder.write("-----BEGIN CERTIFICATE-----\nanother\n", to: "ca.pem")
    #expect(try await vault.run("exec", "--refresh", "app-dev", "--", "true", environment: environment).end == .exit(77))
  }

  @Test("a wish that is agreed to at a terminal is asked once, is a setting and a row from then on, and goes with the setting")
  func agreed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let local = try await STSSimulatorProcess()
    let wish = ["AWS_ENDPOINT_URL_STS": local.url]
    let no = try await type("n", vault, wish, "exec", "app-dev", "--", "true")
    #expect(no.asked == 1 && no.status == 77 && no.shown.contains("calls signed with an access key"), "\(no.shown)")
    #expect(try await local.report().requests.isEmpty)
    let yes = try await type("y", vault, wish, "exec", "app-dev", "--", "true")
    #expect(yes.asked == 1 && yes.status == 0, "\(yes.shown)")
    #expect(try await vault.run("exec", "--refresh", "app-dev", "--", "true", environment: wish).succeeded)
    #expect(try await local.report().requests.filter { $0.action == "AssumeRole" }.count == 2)
    #expect(try await vault.mustRun("config", "trusted_endpoints").contains(local.url))
    let rows = try await vault.rows("audit", "--action", "EndpointTrusted")
    #expect(rows.contains { ($0["detail"] as? String)?.contains("\(local.url), before") == true }, "\(rows)")
    // What came from there is not handed to who does not ask for it, and the other way about.
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.report().requests.filter { $0.action == "AssumeRole" }.count == 1)
    vault.trust([simulator.url])
    #expect(try await vault.run("exec", "--refresh", "app-dev", "--", "true", environment: wish).end == .exit(77))
  }

  @Test("an endpoint in the person's own AWS config goes on as ever, and has its row")
  func file() async throws {
    let local = try await STSSimulatorProcess()
    let vault = TestVault()
    vault.config(
      TestVault.standardConfig.replacingOccurrences(
        of: "[profile app-dev]", with: "[profile app-dev]\nendpoint_url = \(local.url)"))
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    // The environment may say the same.
    #expect(
      try await vault.run("exec", "--refresh", "app-dev", "--", "true", environment: ["AWS_ENDPOINT_URL_STS": local.url])
        .succeeded)
    let rows = try await vault.rows("audit", "--action", "EndpointTrusted")
    #expect(rows.count == 1 && (rows.first?["detail"] as? String)?.contains("endpoint \(local.url)") == true, "\(rows)")
  }

  @Test("the environment cannot set what is trusted")
  func variable() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let stranger = try await STSSimulatorProcess()
    let result = try await vault.run(
      "exec", "--refresh", "app-dev", "--", "true",
      environment: ["AWS_ENDPOINT_URL_STS": stranger.url, "VAULT_TRUSTED_ENDPOINTS": stranger.url])
    #expect(result.end == .exit(77))
    #expect(try await stranger.report().requests.isEmpty)
  }

  @Test("an access key is not rotated at an endpoint that only the environment names", arguments: ["IAM", "STS"])
  func rotation(_ service: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    try await vault.mustRun(
      "access-key", "add", "alice", input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n")
    let stranger = try await STSSimulatorProcess()
    let result = try await vault.run("access-key", "rotate", "alice", environment: ["AWS_ENDPOINT_URL_\(service)": stranger.url])
    #expect(result.end == .exit(77), "\(result.errors)")
    #expect(try await stranger.report().requests.isEmpty)
  }

  /// Runs `vault` at a pseudo-terminal of its own and answers what is asked with `[y/N]`.
  private func type(_ answer: String, _ vault: TestVault, _ environment: [String: String], _ words: String...) async throws -> (
    asked: Int, status: Int, shown: String
  ) {
    let script = """
      import os, pty, sys
      pid, terminal = pty.fork()
      if pid == 0:
          os.execvp(sys.argv[2], sys.argv[2:])
      shown = b""
      asked = 0
      while True:
          try:
              piece = os.read(terminal, 4096)
          except OSError:
              break
          if not piece:
              break
          shown += piece
          if shown.count(b"[y/N]") > asked:
              os.write(terminal, sys.argv[1].encode() + b"\\n")
              asked += 1
      print(asked, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
      sys.stderr.write(shown.decode())
      """
    let result = try await Subprocess.run(
      try Programs.python, ["-c", script, answer, try Programs.vault] + words,
      environment: vault.environment.merging(environment) { _, new in new })
    let numbers = result.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    try #require(numbers.count == 2, "\(result.output) \(result.errors)")
    return (numbers[0], numbers[1], result.errors)
  }
}
