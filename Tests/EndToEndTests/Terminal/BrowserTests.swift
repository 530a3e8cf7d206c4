import Foundation
import TestSupport
import Testing

/// The browser that a person names.
@Suite(.endToEnd) struct BrowserTests {
  /// A vault whose console is the simulator's, too.
  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    try await TestVault(simulator, environment: simulator.environment)
  }

  @Test(
    "BROWSER is read as xdg-open reads it: words, %s for the address, and the next one where one cannot be started",
    arguments: ["BIN --new-window %s", "/no/such/browser:BIN --new-window", "BIN --new-window '%s'"])
  func browser(form: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let seen = vault.folder.file("seen")
    let program = vault.folder.write(
      "#!/bin/sh\nprintf '%s\\n' \"$@\" > \(seen).new\nmv \(seen).new \(seen)\n", to: "browser", mode: 0o700)
    try await vault.mustRun("console", "app-dev", environment: ["BROWSER": form.replacing("BIN", with: program)])
    let deadline = Date().addingTimeInterval(20)
    while access(seen, F_OK) != 0, Date() < deadline { try await Task.sleep(for: .milliseconds(10)) }
    let words = try String(contentsOfFile: seen, encoding: .utf8).split(separator: "\n")
    #expect(words.count == 2 && words[0] == "--new-window" && words[1].hasPrefix("http://127.0.0.1:"), "\(words)")
  }

  @Test("a browser that cannot be started is named, with what shows the address")
  func noBrowser() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let result = try await vault.run("console", "app-dev", environment: ["BROWSER": "/no/such/browser --x"])
    #expect(result.end == .exit(69) && result.errors.contains("/no/such/browser --x") && result.errors.contains("--print"))
  }
}
