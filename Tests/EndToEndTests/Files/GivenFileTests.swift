import Foundation
import Glibc
import TestSupport
import Testing

/// Files that somebody hands to `verify` and `reconcile`: memory does not grow with them, and nothing waits for them.
@Suite(.endToEnd) struct GivenFileTests {
  /// Runs `vault` in so much address space: some tens of megabytes are in use.
  private func run(_ vault: TestVault, megabytes: Int = 400, _ words: String...) async throws -> Subprocess.Result {
    try await Subprocess.run(
      "/usr/bin/prlimit", ["--as=\(megabytes << 20)", "--", try Programs.vault] + words, environment: vault.environment,
      timeout: 60)
  }

  private func gzip(_ vault: TestVault, _ python: String, to name: String) async throws -> String {
    let path = vault.folder.file(name)
    let script = "import gzip, sys\nwith gzip.open(sys.argv[1], 'wb', 9) as f:\n  \(python)\n"
    let result = try await Subprocess.run(try Programs.python, ["-c", script, path], environment: [:], timeout: 120)
    try #require(result.succeeded, "\(result.errors)")
    return path
  }

  @Test("a gzip bomb is no archive, whatever it begins with, and takes neither memory nor the disk", .tags(.slow))
  func bombs() async throws {
    let vault = TestVault()
    for (name, start) in [("plain.gz", "b''"), ("sqlite.gz", "b'SQLite format 3\\0'"), ("line.gz", "b'{'")] {
      let bomb = try await gzip(vault, "f.write(\(start)); [f.write(bytes(1 << 20)) for _ in range(1500)]", to: name)
      let began = Date()
      let result = try await run(vault, "audit", "verify", bomb)
      #expect(result.end == .exit(65), "\(name): \(result.end) \(result.errors)")
      #expect(Date().timeIntervalSince(began) < 20)
      let events = try await run(vault, "audit", "reconcile", bomb)
      #expect(events.end == .exit(65), "\(name): \(events.end) \(events.errors)")
    }
  }

  @Test("a pipe or a device in a file's place is an error, and not a wait")
  func pipes() async throws {
    let vault = TestVault()
    let pipe = vault.folder.file("old.gz")
    try #require(mkfifo(pipe, 0o600) == 0)
    for path in [pipe, "/dev/zero", vault.home] {
      for command in ["verify", "reconcile"] {
        let result = try await vault.run("audit", command, path, timeout: 20)
        guard case .exit(let status) = result.end else {
          Issue.record("\(command) \(path): \(result.end)")
          continue
        }
        #expect(
          status != 0 && status != 70 && result.errors.contains("is not a regular file"), "\(command) \(path): \(result.errors)")
      }
    }
    // Where the log's own archive was.
    let simulator = try await STSSimulatorProcess()
    let own = try await TestVault(simulator)
    try await own.mustRun("exec", "app-dev", "--", "true")
    let archive = own.folder.file("own.gz")
    try await own.mustRun("audit", "archive", "--before", "0s", "--to", archive)
    #expect(try await own.run("audit", "verify").succeeded)
    unlink(archive)
    try #require(mkfifo(archive, 0o600) == 0)
    let found = try await own.run("audit", "verify", timeout: 20)
    #expect(!found.succeeded && found.errors.contains("is not a regular file"), "\(found.end) \(found.errors)")
  }

  @Test(
    "140 MB of CloudTrail's events are read in the memory of a few, in each of its forms", .tags(.slow),
    arguments: ["Records", "lines", "array"])
  func events(form: String) async throws {
    let vault = TestVault()
    let event = """
      {"eventVersion":"1.08","eventName":"GetObject","eventSource":"s3.amazonaws.com","eventTime":"2026-11-23T14:03:00Z","requestID":"r%d",\
      "eventID":"e%d","sourceIPAddress":"192.0.2.1","userIdentity":{"accessKeyId":"ASIA","arn":"a"},"more":"' + 'x' * 1000 + '"}
      """
    let (start, between, end) =
      form == "Records" ? ("{\"Records\":[", ",", "]}") : form == "lines" ? ("", "\n", "") : ("[", ",", "]")
    let path = try await gzip(
      vault,
      "f.write(b'\(start)'); [f.write(((b'\(between)' if n else b'') + (('\(event)') % (n, n)).encode())) for n in range(110000)]; f.write(b'\(end)')"
        .replacing("\n'", with: "\\n'"), to: "trail.json.gz")
    let result = try await run(vault, "audit", "reconcile", path)
    #expect(
      result.succeeded && result.errors.contains("110000 events: 0 calls match, 110000 belong to others"),
      "\(result.end) \(result.errors)")
  }
}
