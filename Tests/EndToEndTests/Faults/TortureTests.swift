import Foundation
import Glibc
import TestSupport
import Testing

/// Whether the long tests run (`make torture`); `make test` runs a short part of each.
private let isTorture = ProcessInfo.processInfo.environment["VAULT_TORTURE"] != nil

/// Kills, and failures of the file system, at every moment: nothing that was told is lost, nothing unlogged was handed out, and the next
/// command works.
@Suite(.endToEnd, .tags(.torture)) struct TortureTests {
  /// What must hold after anything that happened.
  private func expectWhole(_ vault: TestVault, handedOut keys: Set<String>, _ where: String) async throws {
    let next = try await vault.run("exec", "app-dev", "--", "true")
    #expect(next.succeeded, "\(`where`): \(next.errors)")
    #expect(try await vault.run("audit", "verify").succeeded, "\(`where`)")
    let check = try await Subprocess.run(
      "/usr/bin/sqlite3", ["-readonly", vault.database, "PRAGMA integrity_check"], environment: [:])
    #expect(check.output == "ok\n", "\(`where`)")
    let delivered = Set(try await vault.rows("audit", "--action", "Deliver").compactMap { $0["accessKeyId"] as? String })
    #expect(keys.isSubset(of: delivered), "\(`where`): handed out, and not in the log: \(keys.subtracting(delivered))")
    let issued = Set(
      try await vault.rows("audit", "--action", "AssumeRole", "--outcome", "success").compactMap { $0["accessKeyId"] as? String })
    #expect(keys.isSubset(of: issued), "\(`where`)")
  }

  @Test(
    "an agent killed again and again under load loses no session and no row, and the next run works", .timeLimit(.minutes(60)))
  func kills() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let seed = UInt64(ProcessInfo.processInfo.environment["VAULT_SEED"] ?? "") ?? UInt64.random(in: 1...1_000_000)
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var keys: Set<String> = []
    for round in 0..<(isTorture ? 1_000 : 12) {
      let pause = UInt32.random(in: 0...900_000, using: &random)
      async let killed: Void = {
        usleep(pause)
        vault.killAgent()
      }()
      let got = await withTaskGroup(of: String?.self) { group in
        for index in 0..<4 {
          group.addTask {
            let words =
              index == 0
              ? ["exec", "--refresh", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID"]
              : ["exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID"]
            guard let result = try? await vault.run(words: words), result.succeeded else { return nil }
            return result.output.trimmingCharacters(in: .newlines)
          }
        }
        return await group.reduce(into: [String?]()) { $0.append($1) }
      }
      await killed
      keys.formUnion(got.compactMap { $0 })
      if round % 25 == 24 || !isTorture { try await expectWhole(vault, handedOut: keys, "seed \(seed), round \(round)") }
    }
    #expect(!keys.isEmpty)
  }

  /// The calls by which a program changes files.
  private static let calls = [
    "openat", "pwrite64", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "unlinkat", "linkat", "mkdir", "fchmod",
  ]

  enum Job: String, CaseIterable, Sendable {
    case importFiles, exec, masterKey

    var words: [String] {
      switch self {
      case .importFiles: ["import"]
      case .exec: ["exec", "--refresh", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID"]
      case .masterKey: ["master-key", "rotate"]
      }
    }
  }

  @Test(
    "every file system call of import, exec and a change of the master key may fail or be the last one", .timeLimit(.minutes(90)),
    arguments: Job.allCases)
  func everyCall(job: Job) async throws {
    let simulator = try await STSSimulatorProcess()
    let faults = ["error=EIO", "error=ENOSPC", "signal=KILL"]
    var points = 0
    for (index, call) in Self.calls.enumerated() {
      for fault in isTorture ? faults : [faults[index % 3]] {
        // Each instance of the call in turn, until one is never reached. The short run looks at two.
        var instance = isTorture ? 1 : 2
        while try await inject(call, fault, instance, job, simulator) {
          points += 1
          if !isTorture, instance > 2 { break }
          instance += isTorture ? 1 : 5
        }
      }
    }
    print("\(job.rawValue): \(points) points")
    #expect(points > 4)
  }

  @Test(
    "a new vault whose making was cut off, before it was one, is made by the next command",
    arguments: [("unlink", "signal=KILL", 1), ("unlink", "error=EIO", 1), ("fdatasync", "signal=KILL", 4)])
  func halfMade(call: String, fault: String, instance: Int) async throws {
    let simulator = try await STSSimulatorProcess()
    #expect(try await inject(call, fault, instance, .importFiles, simulator))
  }

  /// Runs the job in an agent whose call number `instance` fails.
  ///
  /// - Returns: whether that call was reached.
  private func inject(_ call: String, _ fault: String, _ instance: Int, _ job: Job, _ simulator: STSSimulatorProcess) async throws
    -> Bool
  {
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    if job != .importFiles { try await vault.mustRun("import") }
    _ = try await vault.run("agent", "stop")
    mkdir(vault.vaultHome, 0o700)
    let trace = vault.folder.file("trace")
    let agent = try RunningProgram(
      "/usr/bin/strace",
      ["-f", "-qq", "-o", trace, "-e", "trace=\(call)", "-e", "inject=\(call):\(fault):when=\(instance)", Programs.vaultd],
      environment: vault.environment)
    // Until it listens, or has ended of what was injected.
    while agent.isRunning, !FileManager.default.fileExists(atPath: vault.folder.file("vault/agent.sock")) { usleep(5_000) }
    let result = try await vault.run(words: job.words)
    agent.kill()
    _ = try? await agent.wait(timeout: 20)
    vault.killAgent()
    let reached = ((try? String(contentsOfFile: trace, encoding: .utf8)) ?? "").contains(
      fault.hasPrefix("signal") ? "killed by SIGKILL" : "(INJECTED)")
    let place = "\(job.rawValue) \(call) \(fault) \(instance)"
    if job == .importFiles { try await vault.mustRun("import") }
    let key = result.succeeded && job == .exec ? [result.output.trimmingCharacters(in: .newlines)] : []
    try await expectWhole(vault, handedOut: Set(key), place)
    return reached
  }
}
