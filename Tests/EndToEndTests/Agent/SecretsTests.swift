import Foundation
import Glibc
import TestSupport
import Testing

/// No secret stands in the clear where it has no business.
@Suite(.endToEnd) struct SecretsTests {
  @Test("no secret is in any file of the vault, in argv, in the agent's environment, or in what is printed")
  func nowhere() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    var printed = ""
    let environment = try await vault.mustRun("exec", "app-dev", "--", "env")
    var secrets = [STSWorld.aliceSecretAccessKey, STSWorld.bobSecretAccessKey, "correct horse battery staple"]
    for line in environment.split(separator: "\n") {
      for name in ["AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN="] where line.hasPrefix(name) {
        secrets.append(String(line.dropFirst(name.count)))
      }
    }
    #expect(secrets.count == 5)
    try await simulator.queue(.accessDenied, count: 1)
    for words in [
      ["exec", "app-chained", "true"], ["list", "--format", "json"], ["show", "app-dev", "--format", "json"],
      ["audit", "--format", "json"],
      ["sessions", "--all", "--format", "json"], ["import", "--dry-run", "--format", "json"], ["access-key", "list"],
      ["agent", "log"], ["agent", "status"],
      ["exec", "bob-dev", "true"], ["master-key", "rotate"], ["rotate", "--all"],
    ] {
      let result = try await vault.run(words: words)
      printed += result.output + result.errors
    }
    for pid in try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap({ Int($0) }) {
      printed += (try? String(decoding: Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/cmdline")), as: UTF8.self)) ?? ""
    }
    if let agent = vault.agentPID {
      printed += (try? String(decoding: Data(contentsOf: URL(fileURLWithPath: "/proc/\(agent)/environ")), as: UTF8.self)) ?? ""
    }
    for secret in secrets { #expect(!printed.contains(secret)) }
    let files = FileManager.default.enumerator(atPath: vault.vaultHome)?.compactMap { $0 as? String } ?? []
    #expect(files.contains("vault.db"))
    for file in files {
      guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: vault.vaultHome + "/" + file)) else { continue }
      for secret in secrets { #expect(bytes.range(of: Data(secret.utf8)) == nil, "in \(file)") }
    }
  }

  @Test("every file of the vault is its owner's alone")
  func modes() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    for file in try FileManager.default.contentsOfDirectory(atPath: vault.vaultHome) {
      let mode = try #require(
        try FileManager.default.attributesOfItem(atPath: vault.vaultHome + "/" + file)[.posixPermissions] as? NSNumber)
      #expect(mode.intValue & 0o077 == 0, "\(file) has \(String(mode.intValue, radix: 8))")
    }
  }

  @Test("an access key is added from standard input, used, listed without its secret, and removed")
  func accessKeys() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    try await vault.mustRun(
      "access-key", "add", "alice", input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n")
    #expect(
      try await vault.run("access-key", "add", "alice", input: "AKIAIOSFODNN7EXAMPLE\n\(STSWorld.aliceSecretAccessKey)\n").end
        == .exit(73))
    try await vault.mustRun("add", "dev", "--role-arn", STSWorld.devRole, "--source", "alice", "--region", "us-east-1")
    try await vault.mustRun("exec", "dev", "--", "true")
    try await vault.mustRun("exec", "alice", "--", "true")
    #expect(try await simulator.report().requests.map(\.action) == ["AssumeRole", "GetSessionToken"])
    #expect(try await vault.rows("access-key", "list").map { $0["accessKeyId"] as? String } == [STSWorld.aliceAccessKeyId])
    try await vault.mustRun("edit", "dev", "--duration", "30m")
    try await vault.mustRun("exec", "dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").last?.parameters["DurationSeconds"] == "1800")
    try await vault.mustRun("access-key", "remove", "alice")
    try await vault.mustRun("forget", "--all")
    #expect(try await vault.run("exec", "dev", "--", "true").end == .exit(78))
    try await vault.mustRun("remove", "dev")
    #expect(try await vault.rows("list").isEmpty)
  }
}
