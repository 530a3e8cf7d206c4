import Foundation
import Glibc
import TestSupport
import Testing

/// Files that are not ours, changed by several at once.
@Suite(.endToEnd) struct LinkAtOnceTests {
  private static let names = (1...24).map { "p\($0)" }

  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    let vault = TestVault(environment: simulator.environment)
    vault.config(
      "[profile alice]\n"
        + Self.names.map { "[profile \($0)]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n" }.joined())
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    return vault
  }

  private func linkAll(_ vault: TestVault, _ words: String...) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in Self.names {
        group.addTask {
          let linked = try await vault.run(words: ["link"] + words + [name])
          let succeeded = linked.succeeded
          #expect(succeeded, "\(linked.errors)")
        }
      }
      try await group.waitForAll()
    }
  }

  @Test("24 links at once are all there, and unlinked at once none is", arguments: [false, true])
  func links(inCredentials: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let path = vault.home + (inCredentials ? "/.aws/credentials" : "/.aws/config")
    let before = try String(contentsOfFile: path, encoding: .utf8)
    if inCredentials { try await linkAll(vault, "--credentials-file") } else { try await linkAll(vault) }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.hasPrefix(before))
    for name in Self.names { #expect(text.contains("vault-\(name)]\n"), "\(name)") }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in Self.names {
        group.addTask {
          try await vault.mustRun("unlink", inCredentials ? "--credentials-file" : name, inCredentials ? name : "--")
        }
      }
      try await group.waitForAll()
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
    let left = try FileManager.default.contentsOfDirectory(atPath: vault.home + "/.aws").sorted()
    #expect(left == ["config", "config.before-vault", "credentials"].filter { !inCredentials || $0 != "config.before-vault" })
  }

  @Test(
    "what another program writes into the file meanwhile is not lost, whether it renames a new one into place or writes into the old one",
    arguments: ["rename", "append"], [false, true])
  func foreignWriter(way: String, inCredentials: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let path = vault.home + (inCredentials ? "/.aws/credentials" : "/.aws/config")
    let script = """
      import os, sys, time
      path, way = sys.argv[1:3]
      count = 0
      print("writes", flush=True)
      while not os.path.exists(path + ".enough"):
          count += 1
          line = f"# foreign {count}\\n"
          if way == "append":
              with open(path, "r+") as file:
                  file.seek(0, 2)
                  file.write(line[:5]); file.flush(); time.sleep(0.001)
                  file.write(line[5:])
          else:
              text = open(path).read()
              with open(path + ".theirs", "w") as file: file.write(text + line)
              os.rename(path + ".theirs", path)
          time.sleep(0.03)
      print(count, flush=True)
      """
    let foreign = try RunningProgram("/usr/bin/python3", ["-c", script, path, way], environment: ["PATH": "/usr/bin"])
    #expect(try await foreign.readLine() == "writes")
    if inCredentials { try await linkAll(vault, "--credentials-file") } else { try await linkAll(vault) }
    close(open(path + ".enough", O_CREAT | O_WRONLY, 0o600))
    let count = try #require(Int(try await foreign.readLine()))
    let lines = Set(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n"))
    let lost = (1...count).filter { !lines.contains("# foreign \($0)") }
    #expect(count > 1 && lost.isEmpty, "\(lost) of \(count)")
  }

  @Test("a file system that cannot swap two files gets its links all the same")
  func noExchange() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    for config in [vault.home + "/.aws/config", vault.folder.file("new")] {
      let before = (try? String(contentsOfFile: config, encoding: .utf8)) ?? ""
      let linked = try await Subprocess.run(
        "/usr/bin/strace",
        [
          "-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:error=EINVAL", Programs.vault, "link", "p1", "--config", config,
        ],
        environment: vault.environment, timeout: 60)
      #expect(linked.succeeded, "\(linked.errors)")
      let text = try String(contentsOfFile: config, encoding: .utf8)
      #expect(text.hasPrefix(before) && text.contains("[profile vault-p1]"))
    }
  }
}
