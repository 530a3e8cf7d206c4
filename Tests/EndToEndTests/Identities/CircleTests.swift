import Foundation
import TestSupport
import Testing

/// Programs that profiles name and that ask the vault themselves.
@Suite(.endToEnd) struct CircleTests {
  private static let role = "role_arn = \(STSWorld.devRole)"

  private func vault(_ config: String) async throws -> TestVault {
    let vault = TestVault()
    vault.folder.write(
      #"{"Version": 1, "AccessKeyId": "ASIAEXAMPLE000000001", "SecretAccessKey": "secret-of-the-test", "SessionToken": "t"}"#,
      to: "keys")
    let script = try vault.folder.write("#!/bin/sh\n\(Programs.vault) credentials \"$@\"\n", to: "ask")
    chmod(script, 0o700)
    vault.config(config.replacing("ASK", with: script).replacing("KEYS", with: "cat \(vault.folder.file("keys"))"))
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    return vault
  }

  @Test(
    "a profile that waits for itself over its own program is refused at once, and the circle is named",
    arguments: [
      ("b", "b → b", "[profile b]\ncredential_process = ASK b\n"),
      ("r", "b → r → b", "[profile b]\ncredential_process = ASK r\n[profile r]\n\(role)\nsource_profile = b\n"),
      ("b", "b → c → b", "[profile b]\ncredential_process = ASK c\n[profile c]\ncredential_process = ASK b\n"),
      (
        "a", "b → c → b",
        "[profile a]\ncredential_process = ASK b\n[profile b]\ncredential_process = ASK c\n[profile c]\ncredential_process = ASK b\n"
      ),
      (
        "m", "m → m",
        "[profile m]\n\(role)\nsource_profile = alice\nmfa_serial = \(STSWorld.aliceMFASerial)\nmfa_process = ASK m\n"
      ),
    ])
  func circle(profile: String, circle: String, config: String) async throws {
    let vault = try await vault(config)
    let start = Date()
    let refused = try await vault.run("exec", profile, "--", "true")
    #expect(Date().timeIntervalSince(start) < 20)
    #expect(refused.end == .exit(78), "\(refused.end) \(refused.errors)")
    #expect(refused.errors.contains(circle), "\(refused.errors)")
    #expect(try await vault.run("agent", "stop", timeout: 20).succeeded)
  }

  @Test("two profiles that wait for each other are both refused, also where they are asked for at the same time")
  func eachOther() async throws {
    let vault = try await vault("[profile b]\ncredential_process = ASK c\n[profile c]\ncredential_process = ASK b\n")
    let start = Date()
    try await withThrowingTaskGroup(of: Subprocess.Result.self) { group in
      for profile in ["b", "c", "b", "c"] { group.addTask { try await vault.run("exec", profile, "--", "true") } }
      for try await refused in group {
        #expect(refused.end == .exit(78) && refused.errors.contains(" → "), "\(refused.end) \(refused.errors)")
      }
    }
    #expect(Date().timeIntervalSince(start) < 30)
  }

  @Test("a program may ask for any profile that does not wait for it")
  func noCircle() async throws {
    let vault = try await vault(
      "[profile b]\ncredential_process = ASK c\n[profile c]\ncredential_process = ASK d\n[profile d]\ncredential_process = KEYS\n"
    )
    try await vault.mustRun("exec", "b", "--", "true")
    // The chain of another vault's agent, or of a program that has ended, says nothing here.
    try await vault.mustRun("exec", "b", "--", "true", environment: ["_VAULT_PROFILE_CHAIN": "x\nb"])
  }

  @Test("a program that outlives its agent starts no other, and makes no vault anew")
  func orphan() async throws {
    let vault = TestVault()
    let orphan = ["_VAULT_PROFILE_CHAIN": "b"]
    for words in [["exec", "b", "--", "true"], ["credentials", "b"], ["unlock"]] {
      let refused = try await vault.run(words: words, environment: orphan)
      #expect(refused.end == .exit(69) && refused.errors.contains("has ended"), "\(refused.errors)")
    }
    #expect(vault.agentPID == nil)
    #expect(!FileManager.default.fileExists(atPath: vault.database))
  }
}
