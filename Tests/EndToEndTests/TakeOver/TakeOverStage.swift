import Foundation
import Glibc
import TestSupport
import Testing
import VaultModel

/// What another program has in a test's home, and the proof that it stays as it is.
struct TakeOverStage {
  let vault: TestVault

  /// A file as `stat` and `read` show it. Opening for reading would change the time of access, unless told not to.
  struct Seen: Equatable {
    let bytes: Data?
    let mode: mode_t
    let times: [Int]
  }

  /// Every file and folder beneath a folder of the home.
  func snapshot(_ folder: String) -> [String: Seen] {
    let root = vault.home + "/" + folder
    var seen: [String: Seen] = [:]
    let names = [""] + (FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? [])
    for name in names {
      let path = root + "/" + name
      var status = stat()
      guard lstat(path, &status) == 0 else { continue }
      let isFile = status.st_mode & S_IFMT == S_IFREG
      // The listing of this test is itself an access to a folder.
      let access = isFile ? [status.st_atim.tv_sec, status.st_atim.tv_nsec] : []
      seen[name] = Seen(
        bytes: isFile ? Self.read(path) : nil, mode: status.st_mode,
        times: [status.st_mtim.tv_sec, status.st_mtim.tv_nsec] + access)
    }
    return seen
  }

  private static func read(_ path: String) -> Data {
    let file = open(path, O_RDONLY | 0o1_000_000)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = Glibc.read(file, &bytes, bytes.count)
    return Data(bytes[..<max(0, count)])
  }

  /// Sets the times of access of everything long ago, so that a reading would show (mount(8), `relatime`).
  func age(_ folder: String) {
    let root = vault.home + "/" + folder
    for name in [""] + (FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []) {
      let times = [timespec(tv_sec: 1_700_000_000, tv_nsec: 5), timespec(tv_sec: 1_700_000_100, tv_nsec: 7)]
      utimensat(AT_FDCWD, root + "/" + name, times, 0)
    }
  }

  /// Writes a file of the home and the folders above it.
  func write(_ text: String, to name: String) {
    var folder = ""
    for part in name.split(separator: "/").dropLast() {
      folder += "/" + part
      mkdir(vault.home + folder, 0o700)
    }
    vault.folder.write(text, to: "home/" + name)
  }

  /// Runs a script of the fixtures.
  func script(_ name: String, _ arguments: [String], input: String) async throws {
    let script = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/\(name)").path
    let result = try await Subprocess.run(
      try Programs.python, ["-W", "ignore", script] + arguments, environment: ["PATH": "/usr/bin:/bin"], input: input)
    guard result.succeeded else { throw ScriptFailed(name: name, errors: result.errors) }
  }

  struct ScriptFailed: Error {
    let name: String
    let errors: String
  }

  /// The items of a take-over, by kind and name.
  func take(_ program: String, _ options: String..., environment: [String: String] = [:]) async throws -> [String: Item] {
    let result = try await vault.run(
      words: ["import", "--from", program, "--format", "json"] + options, environment: environment)
    guard result.succeeded else { throw ScriptFailed(name: "import --from \(program)", errors: result.errors) }
    let rows = try JSONDecoder().decode([Item].self, from: Data(result.outputBytes))
    return Dictionary(rows.map { ("\($0.kind) \($0.name)", $0) }, uniquingKeysWith: { _, last in last })
  }

  struct Item: Decodable, Equatable {
    let kind: String
    let name: String
    let from: String
    let result: String
    let detail: String?
  }
}
