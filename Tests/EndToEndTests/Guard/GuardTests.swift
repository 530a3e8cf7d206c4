import Foundation
import Glibc
import TestSupport
import Testing

/// Guard rules in real files, and what they do to every way in which credentials are had.
@Suite(.endToEnd) struct GuardTests {
  /// The line of a rule's first setting: three lines of settings and the header stand before it.
  private static let line = 4

  private func refused(_ result: Subprocess.Result, _ text: String, _ place: Comment? = nil) {
    #expect(result.end == .exit(77) && result.errors.contains(text) && result.errors.contains("hint: "), "\(result)")
    #expect(!result.output.contains("ASIA"))
  }

  @Test("a program that is not among the commands is refused by every way, before AWS is asked, and the log has each refusal")
  func commands() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try vault.guarding("[guard app-*]\ncommands = printenv, /usr/bin/head")
    let text = "is not one of its commands ([guard app-*] at "
    for words in [
      ["exec", "app-dev", "--", "env"], ["exec", "--server", "app-dev", "--", "sh", "-c", "env"], ["env", "app-dev"],
      ["credentials", "app-dev"], ["console", "--print", "app-dev"], ["link", "--credentials-file", "app-dev"],
    ] {
      let result = try await vault.run(words: words)
      refused(result, text)
      #expect(result.errors.contains("config:\(Self.line))") && result.errors.contains("hint: only for printenv, /usr/bin/head"))
    }
    #expect(try await simulator.requests("AssumeRole").isEmpty)
    let rows = try await vault.rows("audit", "--action", "GuardRefused")
    #expect(rows.count == 6 && rows.allSatisfy { $0["outcome"] as? String == "refused" && $0["profile"] as? String == "app-dev" })
    #expect((rows[0]["error"] as? String)?.contains("env is not one of its commands") == true, "\(rows)")
    // Those that are, by name and by path; and other profiles.
    #expect(try await vault.mustRun("exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID").hasPrefix("ASIA"))
    #expect(try await vault.run("exec", "app-dev", "--", "head", "-c", "1", "/dev/zero").succeeded)
    #expect(try await vault.run("exec", "partner", "--", "true").succeeded)
  }

  @Test(
    "a path means that file alone, a name the file of that name that root has installed, and a link the file to which it leads")
  func paths() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    _ = try vault.folder.copy("/usr/bin/true", to: "true")
    try FileManager.default.createSymbolicLink(atPath: vault.folder.file("alias"), withDestinationPath: "/usr/bin/true")
    try vault.guarding("[guard app-dev]\ncommands = /usr/bin/true")
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
    #expect(try await vault.run("exec", "app-dev", "--", "/bin/true").succeeded)
    #expect(try await vault.run("exec", "app-dev", "--", vault.folder.file("alias")).succeeded)
    refused(try await vault.run("exec", "app-dev", "--", vault.folder.file("true")), "true is not one of its commands")
    // The first in the client's own PATH counts.
    let other = ["PATH": "\(vault.folder.path):/usr/bin:/bin"]
    refused(try await vault.run("exec", "app-dev", "--", "true", environment: other), "true is not one of its commands")
    try vault.guarding("[guard app-dev]\ncommands = true")
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
    #expect(try await vault.run("exec", "app-dev", "--", vault.folder.file("alias")).succeeded)
    let mine = vault.folder.file("true")
    for (words, environment) in [([mine], [:]), (["true"], other)] {
      let result = try await vault.run(words: ["exec", "app-dev", "--"] + words, environment: environment)
      refused(result, "true is not one of its commands")
      #expect(result.errors.contains("so the rule has to say \(mine)"), "\(result.errors)")
    }
    // A script by its own file, whatever runs it.
    let script = vault.folder.write("#!/bin/sh\necho $AWS_ACCESS_KEY_ID\n", to: "report")
    chmod(script, 0o755)
    try vault.guarding("[guard app-dev]\ncommands = \(script), true")
    #expect(try await vault.mustRun("exec", "app-dev", "--", script).hasPrefix("ASIA"))
    refused(try await vault.run("exec", "app-dev", "--", "sh", script), "sh is not one of its commands")
    // A claim in one's own line does not help.
    let claimed = try await Subprocess.run(
      "/bin/bash", ["-c", "exec -a true \(try Programs.vault) env app-dev"], environment: vault.environment)
    refused(claimed, "is not one of its commands")
  }

  @Test("boto3 by AWS_PROFILE alone gets a guarded profile if its interpreter may have it, and another program does not")
  func linked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("link", "app-dev")
    let python = URL(fileURLWithPath: try Programs.python).resolvingSymlinksInPath().path
    let script = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    func ask() async throws -> Subprocess.Result {
      try await Subprocess.run(
        try Programs.python, ["-c", script], environment: vault.environment.merging(["AWS_PROFILE": "vault-app-dev"]) { $1 },
        timeout: 60)
    }
    try vault.guarding("[guard app-dev]\ncommands = terraform")
    let refusal = try await ask()
    #expect(!refusal.succeeded && refusal.errors.contains("is not one of its commands"), "\(refusal.errors)")
    try vault.guarding("[guard app-dev]\ncommands = \(python)")
    let answer = try await ask()
    #expect(answer.output.contains("assumed-role/my-application-dev-role/"), "\(answer.errors)")
  }

  @Test("outside its hours a profile is refused by every way, and within them it is not")
  func hours() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    // Three days from now.
    let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    let today = Calendar(identifier: .gregorian).dateComponents(in: .gmt, from: Date()).weekday! - 1
    let hours = "\(names[(today + 3) % 7]) 08:00-18:00"
    try vault.guarding("[guard \(STSWorld.devRole)]\nhours = \(hours)")
    for words in [
      ["exec", "app-dev", "--", "true"], ["exec", "--server", "app-dev", "--", "true"], ["env", "app-dev"],
      ["credentials", "app-dev"], ["console", "--print", "app-dev"], ["rotate", "app-dev"],
    ] {
      refused(try await vault.run(words: words), "app-dev: it is outside its hours, \(hours) ([guard \(STSWorld.devRole)] at")
    }
    #expect(try await simulator.requests("AssumeRole").count == 1)
    try vault.guarding("[guard \(STSWorld.devRole)]\nhours = mon-sun")
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
    #expect(try await simulator.requests("AssumeRole").count == 1)
  }

  @Test("the hours are by the machine's time zone, whatever `TZ` the agent is started with")
  func zone() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    func time(_ shift: String) async throws -> String {
      let date = try await Subprocess.run("/usr/bin/date", ["-d", shift, "+%H:%M"], environment: [:])
      return date.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let now = "\(try await time("-3 hours"))-\(try await time("+3 hours"))"
    let later = "\(try await time("+9 hours"))-\(try await time("+15 hours"))"
    // Half a day from here.
    let zone = ["TZ": "ABC-12"]
    for (hours, isServed) in [(later, false), (now, true)] {
      vault.killAgent()
      try vault.guarding("[guard app-dev]\nhours = \(hours)")
      let result = try await vault.run("exec", "app-dev", "--", "true", environment: zone)
      #expect(result.end == .exit(isServed ? 0 : 77), "\(hours): \(result.errors)")
    }
  }

  @Test("a reason that is longer than what the log keeps is refused by the client, with the limit")
  func longReason() async throws {
    let vault = TestVault()
    for words in [["exec", "app-dev"], ["env", "app-dev"], ["rotate", "app-dev"], ["revoke", "--all"]] {
      let option = ["--reason", String(repeating: "a", count: 100_000)]
      let result = try await vault.run(
        words: [words[0]] + option + words.dropFirst() + (words[0] == "exec" ? ["--", "true"] : []))
      #expect(result.end == .exit(64), "\(result)")
      #expect(result.errors.contains("--reason: at most 1024 characters are kept, and it has 100000"), "\(result.errors)")
    }
  }

  @Test("a reason is needed where a rule says so, and stands in the row")
  func reason() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try vault.guarding("[guard app-dev]\nreason = required")
    let alone = try await Subprocess.run(
      "/usr/bin/setsid", ["--wait", try Programs.vault, "exec", "app-dev", "--", "true"], environment: vault.environment)
    #expect(alone.end == .exit(77) && alone.errors.contains("hint: give it with --reason"), "\(alone.errors)")
    #expect(try await simulator.requests("AssumeRole").isEmpty)
    try await vault.mustRun("exec", "--reason", "ticket 42", "app-dev", "--", "true")
    let rows = try await vault.rows("audit", "--action", "AssumeRole")
    #expect(rows.last?["reason"] as? String == "ticket 42")
    // At a terminal the person is asked, and again if nothing was typed.
    let typed = try await typing(["", "the disk is full"], vault)
    #expect(typed.succeeded && typed.errors.contains("a reason is needed"), "\(typed.errors)")
    #expect(try await vault.rows("audit", "--action", "Deliver").last?["reason"] as? String == "the disk is full")
  }

  @Test("a session lasts no longer than its rule says, however it is asked for, and never more than what is cached")
  func duration() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try vault.guarding("[guard app-*]\nmax_duration = 30m")
    // The session of an hour that is in the vault is not handed out any more.
    let asked = try await vault.run("exec", "--duration", "2h", "app-dev", "--", "true")
    #expect(asked.succeeded && asked.errors.contains("app-dev: its sessions last at most 30 min"), "\(asked.errors)")
    let usual = try await vault.run("exec", "app-dev", "--", "true")
    #expect(usual.succeeded && usual.errors.isEmpty, "\(usual.errors)")
    #expect(try await simulator.requests("AssumeRole").map { $0.parameters["DurationSeconds"] } == ["3600", "1800"])
    try await vault.mustRun("exec", "--duration", "20m", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").last?.parameters["DurationSeconds"] == "1200")
    // What has no duration of its own cannot be shortened.
    try vault.guarding("[guard alice]\nmax_duration = 30m")
    let keys = try await vault.run("exec", "--no-session", "alice", "--", "true")
    #expect(keys.end == .exit(78) && keys.errors.contains("its source decides how long they last"), "\(keys.errors)")
  }

  @Test("a rule for a profile's name holds for its role by every other name, and by --role, and `guard check` says so")
  func otherNames() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("add", "mine", "--role-arn", STSWorld.devRole, "--source", "alice")
    try vault.guarding("[guard app-dev]\nhours = sun 00:00-00:01\ncommands = terraform")
    let text = "([guard app-dev] at "
    for words in [
      ["exec", "mine", "--", "true"], ["exec", "--role", STSWorld.devRole, "--source", "alice", "--", "true"], ["env", "mine"],
      ["exec", "--server", "mine", "--", "true"],
    ] {
      refused(try await vault.run(words: words), text)
    }
    #expect(try await simulator.requests("AssumeRole").isEmpty)
    let check = try await vault.mustRun("guard", "check", "mine", "--format", "json")
    #expect(check.contains(#""section":"guard app-dev""#) && check.contains(#""commands":["terraform"]"#), "\(check)")
    let guarded = try await vault.rows("list").filter { $0["guarded"] as? Bool == true }.compactMap { $0["profile"] as? String }
    #expect(guarded.sorted() == ["app-dev", "bob-dev", "mine"])
    // Other roles, and the source itself.
    for profile in ["partner", "alice"] { #expect(try await vault.run("exec", profile, "--", "true").succeeded) }
    // A name that is taken away takes its rule along, and one that a file brings brings it.
    try await vault.mustRun("add", "guarded", "--role-arn", STSWorld.partnerRole, "--source", "alice")
    try vault.guarding("[guard guarded]\ncommands = terraform")
    refused(try await vault.run("exec", "partner", "--", "true"), "([guard guarded] at ")
    try await vault.mustRun("remove", "guarded")
    #expect(try await vault.run("exec", "partner", "--", "true").succeeded)
  }

  @Test("a rule that becomes stricter reaches what is being served at once: programs, and files")
  func servedAtOnce() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let before = try vault.credentialsFile()
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let (served, other) = (try await ServedProgram(vault), try await ServedProgram(vault, profile: "partner"))
    let (key, othersKey) = (try #require(try await served.key()), try #require(try await other.key()))
    let path = vault.folder.file("vault/config")
    let settings = try String(contentsOfFile: path, encoding: .utf8)
    /// Writes the rules over the old ones.
    func rules(_ rules: String) { vault.folder.write(settings + rules + "\n", to: "vault/config") }
    func ends(_ what: String, _ isOver: () async throws -> Bool) async throws {
      let began = Date()
      while try await !isOver(), Date().timeIntervalSince(began) < 20 { try await Task.sleep(for: .milliseconds(5)) }
      #expect(Date().timeIntervalSince(began) < 2, "\(what)")
    }
    vault.trust()
    // A person has to agree: nobody has to this session.
    rules("[guard app-dev]\nconfirm = 1h")
    try await ends("confirm") { try await served.response().status == 503 }
    try await ends("confirm, file") { try vault.credentialsFile() == before }
    #expect(try await served.key() == nil)
    #expect(try await other.key() == othersKey)
    // Its next request asks for that.
    var waiting = try await vault.rows("approve")
    while waiting.isEmpty {
      _ = try await served.response()
      waiting = try await vault.rows("approve")
    }
    #expect(waiting.count == 1 && waiting[0]["profile"] as? String == "app-dev", "\(waiting)")
    // Without it the program gets its session again, and a narrower rule another one.
    rules("")
    #expect(try await served.nextKey() == key)
    rules("[guard app-dev]\nscope = read-only")
    try await ends("scope") { try await served.key().map { $0 != key } ?? false }
    rules("[guard \(STSWorld.devRole)]\ncommands = terraform")
    try await ends("commands") { try await served.response().status == 503 }
    // What does not concern a program does not disturb it.
    for _ in 0..<20 { #expect(try await other.key() == othersKey) }
    try await served.end()
    try await other.end()
  }

  @Test("a rule holds for what is served: a program that polls is refused each time, and logged once")
  func served() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 6))
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    #expect(try await served.key() != nil)
    try vault.guarding("[guard app-dev]\ncommands = terraform")
    while try await served.response().status == 200 { try await Task.sleep(for: .milliseconds(5)) }
    let began = Date()
    #expect(try await served.response().status == 503)
    #expect(Date().timeIntervalSince(began) < 2)
    let calls = try await simulator.requests("AssumeRole").count
    for _ in 0..<5 { #expect(try await served.response().status != 200) }
    #expect(try await simulator.requests("AssumeRole").count == calls)
    // A program that polls does not fill the log.
    #expect(try await vault.rows("audit", "--action", "GuardRefused").count == 1)
    try vault.guarding("[guard app-dev]\ncommands = sh")
    #expect(try await served.nextKey() != nil)
    try await served.end()
  }

  @Test("a file that changes holds at once, and one that cannot be read guards every profile")
  func changes() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    for number in 0..<20 {
      try vault.guarding("[guard app-dev]\ncommands = \(number % 2 == 0 ? "nope" : "true")")
      let result = try await vault.run("exec", "app-dev", "--", "true")
      #expect(result.end == .exit(number % 2 == 0 ? 77 : 0), "\(number): \(result.errors)")
    }
    try vault.guarding("[guard other\ncommands = nope")
    for profile in ["app-dev", "partner", "alice"] {
      refused(try await vault.run("exec", profile, "--", "true"), "expected \"]\" at the end of the section's name")
    }
    try vault.guarding("")
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
    // Each change has its row, which whoever takes a rule away cannot avoid.
    let changes = try await vault.mustRun("audit", "--action", "SettingChanged").split(separator: "\n")
    #expect(changes.filter { $0.contains("\tguard_rules = 1, ") }.count == 21, "\(changes)")
    #expect(changes.last?.contains("\tguard_rules = none, before 1, ") == true, "\(changes)")
  }

  @Test("the reason is asked for once, also by the request that unlocks the vault")
  func locked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try vault.guarding("[guard app-dev]\nreason = required")
    try await vault.mustRun("exec", "--reason", "x", "app-dev", "--", "true")
    // The next agent has the key from the first request.
    try await vault.mustRun("agent", "stop")
    let typed = try await typing(["once"], vault)
    #expect(typed.succeeded && typed.output == "1\n", "\(typed)")
  }

  @Test(
    "root's file holds whatever the user's says and wherever VAULT_HOME leads",
    .enabled(if: geteuid() == 0, "needs a mount namespace"))
  func machine() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("agent", "stop")
    try vault.guarding("[guard *]\ncommands = true, env\nreason = optional\nconfirm = never")
    mkdir(vault.folder.file("etc"), 0o755)
    let script = """
      cp -a /etc/. "$1"; mkdir -p "$1/vault"; printf '[guard app-*]\\ncommands = true\\n' > "$1/vault/config"
      chmod 755 "$1/vault"; chmod 644 "$1/vault/config"
      mount --bind "$1" /etc; shift
      "$0" exec app-dev -- true; echo $?; "$0" exec app-dev -- env; echo $?
      "$0" guard check app-dev --format json; "$0" guard list; "$0" agent stop
      """
    let run = try await Subprocess.run(
      "/usr/bin/unshare", ["-m", "sh", "-c", script, try Programs.vault, vault.folder.file("etc")],
      environment: vault.environment.merging(["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]) { $1 })
    let lines = run.output.split(separator: "\n").map { String($0) }
    #expect(lines.prefix(2) == ["0", "77"], "\(run.output) \(run.errors)")
    #expect(run.errors.contains("env is not one of its commands ([guard app-*] at /etc/vault/config:2)"), "\(run.errors)")
    #expect(lines.contains { $0.contains(#""commands":["true"]"#) }, "\(lines)")
  }

  @Test("an agent's own variable lets it have no more, and less where a rule on automation says so")
  func hint() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let agent = ["CLAUDECODE": "1"]
    #expect(try await vault.run("exec", "app-dev", "--", "true", environment: agent).succeeded)
    try vault.guarding("[guard app-dev]\nautomation = refuse")
    refused(
      try await vault.run("exec", "app-dev", "--", "true", environment: agent), "acts by itself, and such programs are refused")
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
  }

  /// Runs `vault exec app-dev` at a terminal, and answers each question for a reason with the next text.
  ///
  /// - Returns: the number of questions as its output, and what the terminal showed as its errors.
  private func typing(_ answers: [String], _ vault: TestVault) async throws -> Subprocess.Result {
    try await Subprocess.run(
      try Programs.python,
      [
        "-c",
        """
        import os, pty, sys
        answers = sys.argv[1].split("|")
        pid, terminal = pty.fork()
        if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
        shown, asked = b"", 0
        while True:
            try: piece = os.read(terminal, 4096)
            except OSError: break
            if not piece: break
            shown += piece
            if shown.count(b"Reason for using app-dev:") > asked:
                os.write(terminal, answers[asked].encode() + b"\\n"); asked += 1
        print(asked)
        sys.stderr.write(shown.decode())
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """, answers.joined(separator: "|"), try Programs.vault, "exec", "app-dev", "--", "true",
      ], environment: vault.environment)
  }
}
