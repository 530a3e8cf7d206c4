import Foundation
import Glibc
import TestSupport
import Testing

/// `vault holders`, with the real programs and the kernel's own word on which of them run.
@Suite(.endToEnd) struct HoldersTests {
  private func holders(_ vault: TestVault, _ words: String...) async throws -> [[String: Any]] {
    let result = try await vault.run(words: ["holders"] + words + ["--format", "json"])
    #expect(result.succeeded, "\(result.errors)")
    return try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [[String: Any]] ?? []
  }

  private func text(_ row: [String: Any], _ name: String) -> String { row[name] as? String ?? "" }

  @Test("programs that run are shown with the keys that they were given, those that have ended are not")
  func programs() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await holders(vault).isEmpty)
    let plain = try RunningProgram(
      Programs.vault, ["exec", "app-dev", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID; read end"], environment: vault.environment)
    let key = try await plain.readLine()
    let served = try await ServedProgram(vault)

    let all = try await holders(vault)
    #expect(all.map { text($0, "via") }.sorted() == ["exec", "server"], "\(all)")
    let one = try #require(all.first { text($0, "via") == "exec" })
    #expect(one["pid"] as? Int == Int(plain.pid) && text(one, "accessKeyId") == key && text(one, "profile") == "app-dev")
    #expect(text(one, "program") == "sh" && text(one, "executable").hasSuffix("sh"), "\(one)")
    #expect(!text(one, "since").isEmpty && !text(one, "expiresAt").isEmpty && !text(one, "startedAt").isEmpty)
    #expect(text(one, "startedAt") <= text(one, "since"))
    #expect(text(one, "sessionId").hasPrefix("ses_") && one["automation"] is NSNull && one["endReason"] is NSNull)
    #expect((one["parents"] as? [[String: Any]])?.first?["pid"] as? Int == Int(getpid()), "\(one)")
    #expect(all.first { text($0, "via") == "server" }?["pid"] as? Int == Int(served.program.pid))

    // What is revoked here is held there until it expires.
    try await vault.mustRun("revoke", "app-dev")
    let after = try await holders(vault, "app-dev")
    #expect(after.allSatisfy { text($0, "endReason") == "revoked" } && after.count == 2, "\(after)")
    #expect(try await holders(vault, key).count == 2)

    plain.send("\n")
    try await plain.wait(timeout: 10)
    #expect(try await holders(vault, "app-dev").map { text($0, "via") } == ["server"])
    try await served.end()
    #expect(try await holders(vault).isEmpty)
  }

  @Test("who asked for `vault credentials` and `vault env` is the program above them, and a file holds its key")
  func askers() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    // Two commands, so that no shell becomes the first.
    let script = "\"$1\" credentials app-dev >/dev/null; \"$1\" env app-dev >/dev/null; echo ready; read end"
    let shell = try RunningProgram("/bin/sh", ["-c", script, "sh", Programs.vault], environment: vault.environment)
    #expect(try await shell.readLine() == "ready")
    let found = try await holders(vault, "app-dev")
    #expect(found.map { text($0, "via") }.sorted() == ["credentials", "env"], "\(found)")
    #expect(found.allSatisfy { $0["pid"] as? Int == Int(shell.pid) }, "\(found)")
    shell.send("\n")
    try await shell.wait(timeout: 10)

    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let file = try await holders(vault).filter { text($0, "via") == "file" }
    #expect(file.count == 1 && text(file[0], "program").hasSuffix("/.aws/credentials") && file[0]["pid"] is NSNull, "\(file)")
    try await vault.mustRun("lock")
    #expect(try await holders(vault).filter { text($0, "via") == "file" }.isEmpty)
  }

  @Test("a program that outlives the one that was given the keys is shown, by the environment that it was started with")
  func heirs() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let fifo = vault.folder.file("end")
    mkfifo(fifo, 0o600)
    let result = try await vault.run(
      "exec", "app-dev", "--", "sh", "-c", "setsid sh -c 'echo $$; exec >/dev/null 2>&1; read end <\(fifo)' & :")
    #expect(result.succeeded, "\(result.errors)")
    let pid = try #require(Int(result.output.trimmingCharacters(in: .newlines)))
    let found = try await holders(vault, "app-dev")
    #expect(found.map { $0["pid"] as? Int } == [pid] && text(found[0], "via") == "inherited", "\(found)")
    #expect(text(found[0], "accessKeyId").hasPrefix("ASIA") && text(found[0], "sessionId").hasPrefix("ses_"))
    #expect(text(found[0], "executable").hasSuffix("sh") && text(found[0], "startedAt") == text(found[0], "since"))
    #expect(try await holders(vault, text(found[0], "accessKeyId")).count == 1)
    #expect(try await holders(vault, "partner").isEmpty)
    vault.folder.write("\n", to: "end")
  }

  @Test("a profile or a key that there is not is said, and the table and CSV have a line for each holder")
  func words() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for word in ["nobody", "ASIAIOSFODNN7EXAMPLE"] {
      let result = try await vault.run("holders", word)
      #expect(result.end == .exit(66), "\(word): \(result.end) \(result.errors)")
    }
    #expect(try await vault.run("holders").errors.contains("no running program"))
    let served = try await ServedProgram(vault)
    #expect(try await vault.mustRun("holders").split(separator: "\n").count == 1)
    #expect(try await vault.mustRun("holders", "--format", "csv").split(separator: "\n").count == 2)
    try await served.end()
  }
}
