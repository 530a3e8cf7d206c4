import Foundation
import TestSupport
import Testing

/// Commands that are printed to be copied, for names that a shell would take for commands.
@Suite(.endToEnd) struct PrintedCommandTests {
  private static let name = "x;touch${IFS}PWNED"

  /// All that looks like a command in a text: between backticks, after the words that lead to one, and a line of its own.
  private static func commands(in text: String) -> [String] {
    let quoted = text.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
      .map { String($0.element) }
    let lines = text.split(separator: "\n").compactMap { line -> String? in
      guard let start = line.firstRange(of: /\b(vault|aws) [a-z]/)?.lowerBound else { return nil }
      return String(line[start...])
    }
    return (quoted + lines).filter { $0.hasPrefix("vault ") || $0.hasPrefix("aws ") }
  }

  @Test("no name runs anything in a command that is printed, whichever command of the vault prints it")
  func hostileName() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let name = Self.name
    vault.config(
      TestVault.standardConfig + """

        [profile \(name)]
        role_arn = \(STSWorld.devRole)
        source_profile = alice
        external_id = \(name)

        [profile lost-\(name)]
        role_arn = \(STSWorld.devRole)
        source_profile = missing-\(name)

        [profile hostile-role]
        role_arn = arn:aws:iam::123456789012:role/\(name)
        source_profile = alice

        [sso-session \(name)]
        sso_start_url = \(STSWorld.center.startURL)
        sso_region = us-east-1

        [profile sso-\(name)]
        sso_session = \(name)
        sso_account_id = \(STSWorld.ssoAccount)
        sso_role_name = Developer
        """)
    let settings = (try? String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)) ?? ""
    vault.folder.write(settings + "\n[guard x*]\nhours = mon-sun 00:00-24:00\n", to: "vault/config")
    let fakes = vault.folder.file("fakes")
    try FileManager.default.createDirectory(atPath: fakes, withIntermediateDirectories: true)
    for program in ["vault", "aws"] { vault.folder.write("#!/bin/sh\n", to: "fakes/\(program)", mode: 0o755) }

    var count = 0
    for words in [
      ["import"], ["exec", "\(name)", "--", "true"], ["show", name], ["show", "lost-\(name)"], ["list"], ["doctor"],
      ["exec", "sso-\(name)", "--", "true"], ["exec", "hostile-role", "--", "true"], ["show", "hostile-role"],
      ["exec", "lost-\(name)", "--", "true"], ["exec", "none-\(name)", "--", "true"], ["doctor"],
      ["revoke", name, "--in-aws", "--print"], ["revoke", "hostile-role", "--in-aws", "--print"],
      ["iam", "generate", name, "--format", "script"], ["guard", "check", name], ["add", name, "--source", "alice"],
      ["login", name], ["login", "sso-\(name)"], ["console", "--print", "sso-\(name)"], ["link", name],
      ["remove", "none-\(name)"],
    ] {
      let result = try await vault.run(words: words)
      for text in [result.output, result.errors] {
        for command in Self.commands(in: text) {
          if command.contains("touch") { count += 1 }
          let ran = try await Subprocess.run(
            "/bin/sh", ["-c", "cd '\(fakes)' && \(command)"], environment: ["PATH": "\(fakes):/usr/bin:/bin"])
          #expect(!FileManager.default.fileExists(atPath: "\(fakes)/PWNED"), "\(words): \(command) \(ran.errors)")
        }
      }
    }
    #expect(count >= 4, "only \(count) of the commands had the name")
    // One that is a script as a whole.
    let script = try await vault.run("iam", "generate", name, "--format", "script")
    _ = try await Subprocess.run(
      "/bin/bash", ["-c", "cd '\(fakes)'\n\(script.output)"], environment: ["PATH": "\(fakes):/usr/bin:/bin"])
    #expect(!FileManager.default.fileExists(atPath: "\(fakes)/PWNED"))
  }
}
