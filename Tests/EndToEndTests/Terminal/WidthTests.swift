import Foundation
import TestSupport
import Testing

/// What every report, message and help prints, at narrow terminals, with names as long as real ones.
@Suite(.endToEnd) struct WidthTests {
  /// Runs each command at pseudo-terminals of 80 and of 60 columns, and prints the lines that are wider, as JSON.
  ///
  /// The widths are Unicode's own, from Python's tables.
  private static let terminal = """
    import fcntl, json, os, pty, re, struct, sys, termios, unicodedata
    def width(line):
        return sum(0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
    found = []
    for words in json.load(sys.stdin):
        for columns in 80, 60:
            pid, terminal = pty.fork()
            if pid == 0:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
                os.execv(sys.argv[1], ["vault"] + words)
            shown = b""
            while True:
                try:
                    piece = os.read(terminal, 65536)
                except OSError:
                    break
                if not piece:
                    break
                shown += piece
                if shown.endswith(b"[y/N] "):
                    os.write(terminal, b"n\\n")
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            text = re.sub("\\x1b\\\\[[0-9;]*m", "", shown.decode()).replace("\\r", "")
            lines = text.split("\\n")
            found.append({"words": words, "columns": columns, "status": status, "text": text, "wide": [line for line in lines if width(line) > columns]})
    json.dump(found, sys.stdout)
    """

  private struct Shown: Decodable {
    let words: [String]
    let columns: Int
    let status: Int
    let text: String
    let wide: [String]
  }

  private func show(_ vault: TestVault, _ commands: [[String]], _ environment: [String: String] = [:]) async throws -> [Shown] {
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.terminal, try Programs.vault],
      environment: vault.environment.merging(environment.merging(["VAULT_PAGER": ""]) { $1 }) { $1 },
      input: Array(try JSONEncoder().encode(commands)), timeout: 300)
    try #require(result.succeeded, "\(result.errors)")
    return try JSONDecoder().decode([Shown].self, from: Data(result.outputBytes))
  }

  /// An ARN of more than a line's length, which is there to be copied, on a line of its own.
  private func isToBeCopied(_ line: String) -> Bool {
    let word = line.trimmingCharacters(in: .whitespaces)
    return !word.contains(" ") && word.contains("arn:aws") && line.prefix { $0 == " " }.isEmpty
  }

  private static let long = "acme-production-eu-central-1-payments-service-administrators"
  private static let japanese = "本番環境-決済サービス-データ基盤-管理者-eu-central-1-読み取り専用"
  private static let accented = "e\u{301}quipe-donne\u{301}es-re\u{301}gionales-lecture-seule-pre\u{301}production"
  private static let reserved =
    "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_PaymentsAdministrators_0123456789abcdef"

  private static let profiles =
    [long, japanese, accented].map { name in
      """
      [profile \(name)]
      role_arn = \(STSWorld.devRole)
      source_profile = alice
      role_session_name = alexandra.constantinopoulos@payments.subsidiary.example.com

      """
    }.joined() + """
      [profile \(long)-reserved]
      role_arn = \(reserved)
      source_profile = \(long)
      external_id = 0123456789abcdef0123456789abcdef
      duration_seconds = 7200

      [profile \(long)-broken]
      role_arn = \(reserved)
      source_profile = \(long)-of-which-nobody-has-ever-heard

      [profile \(long)-refused]
      role_arn = \(STSWorld.devRole)
      source_profile = bob

      """

  @Test("no line of a report or message is wider than the terminal, but an ARN that is there to be copied")
  func reports() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, profiles: Self.profiles)
    for name in [Self.long, Self.japanese, Self.accented, "app-dev"] { try await vault.mustRun("exec", name, "--", "true") }
    try await vault.mustRun(
      "exec", "app-dev", "--reason", "a reason as long as people give them when they are asked", "--", "true")
    try #require(try await vault.run("exec", "\(Self.long)-refused", "--", "true").end == .exit(77))
    let exports = vault.folder.file("an export with a name that is as long as its folder's.jsonl")
    try await vault.mustRun("audit", "export", "--format", "jsonl", "--output", exports)
    let events =
      #"{"Records":[{"eventName":"ListBuckets","eventSource":"s3.amazonaws.com","eventTime":"2026-01-01T00:00:00Z","requestID":"0123456789","sourceIPAddress":"cloudformation.amazonaws.com","userIdentity":{"type":"AssumedRole","accessKeyId":"ASIASTRANGERSTRANGER"}}]}"#
    let trail = vault.folder.write(events, to: "trail.json")
    let names = [Self.long, Self.japanese, Self.accented, Self.long + "-reserved", Self.long + "-broken"]
    let reports =
      [
        ["list"], ["sessions"], ["sessions", "--all"], ["audit"], ["audit", "--outcome", "refused"], ["audit", "stats"],
        ["audit", "verify"], ["audit", "verify", exports, "--partial"], ["audit", "reconcile", trail], ["doctor"], ["status"],
        ["config"], ["config", "trusted_endpoints"], ["agent", "status"], ["agent", "log"], ["access-key", "list"],
        ["master-key", "status"], ["import", "--dry-run"], ["iam", "why"], ["iam", "why", "\(Self.long)-refused"],
        ["link"] + names.prefix(1), ["unlink"], ["import"],
      ] + names.flatMap { [["show", $0], ["sessions", $0], ["audit", "--profile", $0]] }
    let messages = [
      ["show", Self.long + "-of-which-nobody-has-ever-heard"], ["exec", Self.long + "-refused", "--", "true"],
      ["exec", Self.long + "-broken", "--", "true"], ["config", "nothing"], ["audit", "--outcome", "nothing"], ["lst"],
      ["audit", "verify", "/a/file/that/is/in/a/folder/of/a/folder/of/a/folder/of/a/folder/and/not/there/at/all.jsonl"],
      ["audit", "--format", "json", "--follow"], ["list", "--nothing"], ["rotate", "--all"], ["agent", "stop"],
      ["agent", "status"],
    ]
    let environment = [
      "VAULT_PROFILE": Self.japanese + Self.long, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/",
      "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    ]
    var shown = try await show(vault, reports, environment)
    shown += try await show(vault, messages)
    for one in shown {
      // The one place where ARNs are whole, however long.
      let isWhole = one.words[0] == "show" || one.words.prefix(2) == ["iam", "why"]
      let wide = one.wide.filter { !isWhole || !isToBeCopied($0) }
      #expect(wide.isEmpty, "\(one.words) at \(one.columns)")
      #expect(!one.text.isEmpty, "\(one.words)")
    }
    func text(_ words: String..., columns: Int = 80) -> String {
      shown.first { $0.words == words && $0.columns == columns }?.text ?? ""
    }
    // What is shown is still of use.
    let list = text("list")
    #expect(
      list.contains("acme-pro") && list.contains("本番環境") && list.contains(" @ 123456789012") && list.contains("broken"))
    #expect(list.contains("vault show PROFILE") && !list.contains("nobody"))
    #expect(text("show", Self.long + "-broken").contains("nobody"))
    #expect(text("show", Self.long + "-reserved", columns: 60).contains("\n" + Self.reserved + "\n"))
    let audit = text("audit")
    for word in ["TIME", "ACTION", "OUTCOME", "PROFILE", "DETAIL", "AssumeRole", "Deliver", "refused"] {
      #expect(audit.contains(word), "\(word)")
    }
  }

  @Test("--wide shows every column and value in full, and a pipe has them in any case")
  func wide() async throws {
    let vault = TestVault()
    vault.config(Self.profiles)
    try await vault.mustRun("import")
    let shown = try await show(vault, [["list", "--wide"]])
    for one in shown {
      #expect(one.text.contains(Self.long + "-reserved") && one.text.contains(Self.reserved) && one.text.contains("FROM"))
      #expect(one.text.contains("nobody-has-ever-heard") && one.text.contains(Self.japanese))
    }
    let piped = try await vault.mustRun("list")
    #expect(piped == (try await vault.mustRun("list", "--wide")) && piped.contains("\t\(Self.reserved)\t"))
  }

  @Test("the comparison with an account fits, but for the ARNs in what is to be done")
  func account() async throws {
    var world = CheckWorld()
    world.settings = "source_identity = alice"
    world.trust = CheckWorld.trust(actions: #""sts:AssumeRole""#)
    let (vault, simulator) = try await world.vault()
    defer { withExtendedLifetime(simulator) {} }
    for one in try await show(vault, [["iam", "check", "app"], ["iam", "trust", "app"], ["show", "app"]]) {
      #expect(one.text.contains("trust") || one.text.contains("Principal"), "\(one.text)")
      // Terraform is what its own formatter would write.
      let wide = one.wide.filter { !isToBeCopied($0) && !$0.contains("\" = \"") && !$0.contains("aws:PrincipalArn") }
      #expect(wide.isEmpty, "\(one.words) at \(one.columns)")
    }
    for format in ["json", "terraform", "cloudformation", "script"] {
      for one in try await show(vault, [["iam", "generate", "app", "--format", format]]) {
        // The document is its file's; what is said about it fits.
        #expect(one.wide.allSatisfy { !$0.hasPrefix("vault: ") && !$0.hasPrefix("hint: ") })
      }
    }
  }

  @Test("what is found of a sign-in, and of another program, fits")
  func found() async throws {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    center.accounts = [Self.long, Self.japanese].enumerated().map { number, name in
      STSWorld.IdentityCenter.Account(id: "12345678901\(number)", name: name, roles: ["Developer", Self.long])
    }
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = TestVault(environment: simulator.environment)
    let theirs = [Self.long, Self.japanese].map { name in
      """
      [profile \(name)]
      granted_sso_start_url = \(center.startURL)
      granted_sso_region = us-east-1
      granted_sso_account_id = 123456789012
      granted_sso_role_name = Developer
      credential_process = granted credential-process --profile \(name)

      """
    }
    vault.config(theirs.joined())
    let url = ["login", center.startURL, "--device", "--sso-region", "us-east-1"]
    for one in try await show(
      vault,
      [
        ["import", "--from", "granted", "--dry-run"], url + ["--format", "table"], url + ["--all"],
        ["login", "corp", "--discover", "--all"], ["import", "--from", "granted"], ["import"], ["list"],
      ])
    {
      #expect(one.status == 0 && !one.text.isEmpty && one.wide.isEmpty, "\(one.words) at \(one.columns): \(one.text)")
      if one.words == ["list"], one.columns == 80 { #expect(one.text.contains("Developer @ 123456789010"), "\(one.text)") }
    }
  }

  @Test("a refusal that the account explains fits, but for the ARNs in what is to be done")
  func refusal() async throws {
    let (_, vault) = try await WhyTests.refused(wanting: Self.long)
    let words = [["app-dev"], ["app-dev", "--offline"], ["app-dev", "--profile", "bob"]].map { ["iam", "why"] + $0 }
    for one in try await show(vault, words) {
      #expect(one.status == 0 && one.text.contains("external"), "\(one.text)")
      let wide = one.wide.filter { !isToBeCopied($0) }
      #expect(wide.isEmpty, "\(one.words) at \(one.columns)")
    }
  }

  @Test("the team's reports fit")
  func team() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 300, hostile: true, laptop: 1)
    try #require(try await server.ship(log.vault).succeeded)
    let words = [["audit"], ["audit", "stats"], ["audit", "verify"]].map { $0 + ["--from", server.address] }
    for one in try await show(
      TestVault(), words + [["audit", "ship"], ["audit", "--from", "postgresql://nobody@localhost/nothing"]])
    {
      #expect(one.wide.isEmpty && !one.text.isEmpty, "\(one.words) at \(one.columns)")
    }
    for one in try await show(
      log.vault, [["list"], ["audit"], ["audit", "stats"], ["sessions", "--all"], ["audit", "verify"]])
    {
      #expect(one.wide.isEmpty && !one.text.isEmpty, "\(one.words) at \(one.columns)")
    }
  }

  @Test("no help is wider than the terminal")
  func helps() async throws {
    let page = try await Subprocess.run(try Programs.vault, ["--markdown"], environment: [:]).output
    let names = page.split(separator: "\n").filter { $0.hasPrefix("## vault ") }.map {
      $0.dropFirst(9).split(separator: " ").map(String.init)
    }
    #expect(names.count > 40)
    let groups = Set(names.filter { $0.count == 2 }.map { $0[0] })
    let words = [["--help"], ["help"]] + names.map { $0 + ["--help"] } + groups.map { [$0, "--help"] }
    for one in try await show(TestVault(), words) {
      #expect(one.wide.isEmpty && !one.text.isEmpty, "\(one.words) at \(one.columns)")
    }
  }
}
