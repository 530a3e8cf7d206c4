import Foundation
import TestSupport
import Testing

/// What `vault env` prints, read by the shells themselves.
@Suite(.endToEnd, .sharesFixtures) struct ShellTests {
  /// A region as nobody has one: whatever a shell could take for more than text.
  private static let hostile =
    #"a'b"c\d\\'e$(touch pwned)`touch pwned`$HOME;touch pwned;#&|<> ${IFS}!!~*?[x]{a,b}%PATH%^ é’‘"# + "\nz=1 #'"

  @Test(
    "a shell that evaluates the variables has the values, byte for byte, and has run nothing",
    arguments: [
      ("sh", "sh", #"eval "$(cat "$1")"; printf '%s' "$AWS_REGION"; printf '|%s|%s' "${AWS_PROFILE-none}" "$AWS_ACCESS_KEY_ID""#),
      (
        "dash", "sh",
        #"eval "$(cat "$1")"; printf '%s' "$AWS_REGION"; printf '|%s|%s' "${AWS_PROFILE-none}" "$AWS_ACCESS_KEY_ID""#
      ),
      (
        "bash", "sh",
        #"eval "$(cat "$1")"; printf '%s' "$AWS_REGION"; printf '|%s|%s' "${AWS_PROFILE-none}" "$AWS_ACCESS_KEY_ID""#
      ),
      (
        "zsh", "sh", #"eval "$(cat "$1")"; printf '%s' "$AWS_REGION"; printf '|%s|%s' "${AWS_PROFILE-none}" "$AWS_ACCESS_KEY_ID""#
      ),
      (
        "fish", "fish",
        #"cat $argv[2] | source; printf '%s' "$AWS_REGION"; set -q AWS_PROFILE; and printf '|some'; or printf '|none'; printf '|%s' $AWS_ACCESS_KEY_ID"#
      ),
    ])
  func evaluated(shell: String, format: String, script: String) async throws {
    let vault = try await SimulatedVault.shared().vault
    let key = try await vault.mustRun("exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID").dropLast()
    let text = try await vault.run(
      "env", "app-dev", "--format", format, "--region", Self.hostile, environment: ["AWS_PROFILE": "x"])
    try #require(text.succeeded, "\(text.errors)")
    let folder = TemporaryDirectory()
    let file = folder.write(text.output, to: "variables")
    let work = folder.file("work")
    mkdir(work, 0o700)
    let run = try await Subprocess.run(
      try Programs.onPath(shell), ["-c", script, shell, file],
      environment: ["PATH": "/usr/bin:/bin", "HOME": work, "AWS_PROFILE": "x", "LANG": "C.UTF-8"], directory: work)
    #expect(run.output == "\(Self.hostile)|none|\(key)", "\(run.output) \(run.errors)")
    #expect(try !FileManager.default.contentsOfDirectory(atPath: folder.file("work")).contains("pwned"))
  }

  @Test("PowerShell's literal holds every quote doubled, the typographic ones among them")
  func powershell() async throws {
    let vault = try await SimulatedVault.shared().vault
    let text = try await vault.mustRun("env", "app-dev", "--format", "powershell", "--region", Self.hostile)
    let start = try #require(text.firstRange(of: "$Env:AWS_REGION = '")).upperBound
    let end = try #require(text.firstRange(of: "'\n$Env:AWS_DEFAULT_REGION")).lowerBound
    // about_Quoting_Rules: within single quotes nothing has a meaning but a quote, of which two are one.
    var read = ""
    var rest = text[start..<end]
    while let character = rest.popFirst() {
      if ["'", "‘", "’", "‚", "‛"].contains(character) { #expect(rest.popFirst() == character) }
      read.append(character)
    }
    #expect(read == Self.hostile)
  }

  @Test("what a file of variables cannot hold is refused, and not written as something else", arguments: ["docker", "dotenv"])
  func files(format: String) async throws {
    let vault = try await SimulatedVault.shared().vault
    for region in ["a b", "a#b", "a'b", "a\"b", "$a", "a\\b", "a\nLD_PRELOAD=/x", "é"] {
      let refused = try await vault.run("env", "app-dev", "--format", format, "--region", region)
      #expect(refused.end == .exit(65) && refused.output.isEmpty, "\(region): \(refused.output)")
    }
    // docker run --env-file: a line is NAME=value, all behind the first = is the value as it stands, # begins a comment.
    let text = try await vault.mustRun("env", "app-dev", "--format", format)
    var variables: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1).map { String($0) }
      #expect(parts.count == 2 && !line.hasPrefix("#") && !line.contains(" "))
      variables[parts[0]] = parts[1]
    }
    let json = try JSONSerialization.jsonObject(with: Data(try await vault.mustRun("env", "app-dev", "--format", "json").utf8))
    #expect(variables == json as? [String: String])
  }
}
