import Foundation
import TestSupport

/// A page that `vault audit report` wrote.
struct ReportPage {
  let html: String
  private let folder = TemporaryDirectory()

  init(_ vault: TestVault, _ filters: String...) async throws {
    let file = folder.file("report.html")
    let result = try await vault.run(words: ["audit", "report", "--html", file] + filters)
    guard result.succeeded else { throw GeneratedLog.Failed(end: result.end, errors: result.errors) }
    html = try String(contentsOfFile: file, encoding: .utf8)
  }

  /// The permissions of the file.
  var mode: Int? {
    get throws { try FileManager.default.attributesOfItem(atPath: folder.file("report.html"))[.posixPermissions] as? Int }
  }

  /// What Python's html.parser, which is not ours, finds in the page.
  struct Reading: Decodable {
    struct Figures: Decodable {
      let profiles: [String]
      let roles: [String]
      let users: [String]
      let buckets: [String]
      /// Bucket, profile, role, user; calls, deliveries, failures.
      let cells: [[Int]]
    }

    let faults: [String]
    let texts: [String]
    let data: Figures
  }

  func read() async throws -> Reading {
    let script = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/check_page.py").path
    let result = try await Subprocess.run(
      try Programs.python, [script], environment: ["PYTHONIOENCODING": "utf-8"], input: html)
    guard result.succeeded else { throw GeneratedLog.Failed(end: result.end, errors: result.errors) }
    return try JSONDecoder().decode(Reading.self, from: Data(result.outputBytes))
  }

  /// The page's tree as Chromium has it, once its scripts have run.
  ///
  /// - Parameter change: what is done to the page before.
  func inBrowser(_ change: (String) -> String = { $0 }) async throws -> String {
    let file = folder.write(change(html), to: "shown.html")
    let result = try await Subprocess.run(
      "/usr/bin/chromium-headless-shell",
      [
        "--no-sandbox", "--disable-gpu", "--user-data-dir=\(folder.file("chromium"))", "--virtual-time-budget=2000", "--dump-dom",
        "file://\(file)",
      ],
      environment: ["HOME": folder.path, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"], timeout: 120)
    guard result.succeeded else { throw GeneratedLog.Failed(end: result.end, errors: result.errors) }
    return result.output
  }
}
