import Foundation
import TestSupport
import Testing

/// `vault exec --automation`: the whole tree of a command is known, and narrowed, however its processes part from one another.
@Suite(.endToEnd) struct AutomationTests {
  private let simulator: STSSimulatorProcess

  init() async throws { simulator = try await STSSimulatorProcess() }

  private func stage() async throws -> TestVault { try await TestVault(simulator) }

  /// Runs a shell's words in a tree.
  private func inTree(
    _ vault: TestVault, _ script: String, name: String = "robot", environment: [String: String] = [:]
  ) async throws -> Subprocess.Result {
    try await vault.run(
      "exec", "--automation", name, "app-dev", "--", "sh", "-c", script,
      environment: ["VAULT": try Programs.vault].merging(environment) { $1 })
  }

  private func automation(_ row: [String: Any]) -> [String: Any]? {
    (row["requester"] as? [String: Any])?["automation"] as? [String: Any]
  }

  /// The rows of an action, once there are so many.
  private func rows(_ vault: TestVault, _ action: String, count: Int = 1) async throws -> [[String: Any]] {
    let deadline = Date().addingTimeInterval(30)
    while true {
      let rows = try await vault.rows("audit", "--action", action)
      if rows.count >= count || Date() > deadline { return rows }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  // MARK: the command, as the shell sees it

  @Test(
    "the exit status, or the signal, is the command's",
    arguments: [
      ("exit 3", ProgramEnd.exit(3)), ("exit 0", .exit(0)), ("kill -TERM $$", .signal(SIGTERM)),
      ("kill -KILL $$", .signal(SIGKILL)),
    ])
  func status(script: String, end: ProgramEnd) async throws {
    #expect(try await inTree(try await stage(), script).end == end)
  }

  @Test("a command that is missing, or cannot run, is 127 or 126, and a refusal by AWS is the vault's own status")
  func ownStatus() async throws {
    let vault = try await stage()
    for (command, status) in [("nothing-here", Int32(127)), ("/etc/passwd", 126)] {
      let result = try await vault.run("exec", "--automation", "robot", "app-dev", "--", command)
      #expect(result.end == .exit(status), "\(result.errors)")
    }
    #expect(try await vault.run("exec", "--automation", "robot", "none-such", "--", "true").end == .exit(66))
    #expect(try await vault.run("exec", "--automation", "a b", "app-dev", "--", "true").end == .exit(64))
  }

  @Test("the command has its standard input and output, the variable of its run, and the signals of before")
  func surroundings() async throws {
    let vault = try await stage()
    let result = try await vault.run(
      "exec", "--automation", "robot", "app-dev", "--", "sh", "-c", "cat; env",
      environment: ["VAULT_AUTOMATION_RUN": ""], input: "typed\n")
    let lines = result.output.components(separatedBy: "\n")
    #expect(lines.first == "typed")
    let marks = lines.filter { $0.hasPrefix("VAULT_AUTOMATION_RUN=") }
    let started = try #require(try await rows(vault, "AutomationStarted").first)
    let run = try #require(automation(started)?["run"] as? String)
    #expect(marks == ["VAULT_AUTOMATION_RUN=\(run)"])
    // Both are started by one process: each thread of a test may block other signals.
    let look = "app-dev -- grep -E '^Sig(Blk|Ign)' /proc/self/status"
    let both = try await Subprocess.run(
      "/bin/sh", ["-c", "trap '' USR2; $VAULT exec \(look); echo; $VAULT exec --automation robot \(look)"],
      environment: vault.environment.merging(["VAULT": try Programs.vault]) { $1 })
    let seen = both.output.components(separatedBy: "\n\n").map { $0.trimmingCharacters(in: .newlines) }
    #expect(seen.count == 2 && seen[0] == seen[1] && seen[0].hasPrefix("SigBlk:"), "\(both)")
  }

  @Test("a signal to the process that was started reaches the command, and killing it kills the command")
  func signals() async throws {
    let vault = try await stage()
    let trap = "trap 'echo caught; exit 5' USR1; echo $$; while :; do sleep 0.05; done"
    let caught = try RunningProgram(
      Programs.vault, ["exec", "--automation", "robot", "app-dev", "--", "sh", "-c", trap], environment: vault.environment)
    _ = try await caught.readLine()
    caught.signal(SIGUSR1)
    #expect(try await caught.readLine() == "caught")
    #expect(try await caught.wait(timeout: 20).end == .exit(5))
    let killed = try RunningProgram(
      Programs.vault, ["exec", "--automation", "robot", "app-dev", "--", "sh", "-c", "echo $$; exec sleep 600"],
      environment: vault.environment)
    let command = try #require(pid_t(try await killed.readLine()))
    killed.signal(SIGKILL)
    #expect(try await killed.wait(timeout: 20).end == .signal(SIGKILL))
    try await expectEnd(of: command)
    #expect(try await rows(vault, "AutomationEnded", count: 2).count == 2)
  }

  private func expectEnd(of pid: pid_t) async throws {
    let deadline = Date().addingTimeInterval(30)
    while kill(pid, 0) == 0, Date() < deadline { try await Task.sleep(for: .milliseconds(10)) }
    #expect(kill(pid, 0) != 0)
  }

  @Test(
    "Ctrl-Z stops the job, fg goes on with it, and Ctrl-C ends it, as without the tree",
    arguments: ["cat", "sh -c \"cat; :\""])
  func jobControl(command: String) async throws {
    let vault = try await stage()
    var environment = vault.environment
    environment["PS1"] = "ready> "
    environment["VAULT"] = try Programs.vault
    // What it answers shows that it has gone on, and has the terminal; each stop and start leaves everything as it was.
    // A command's child may be slower to stop than the command, and read what is meant for the shell, as it may without a tree.
    let words = command == "cat" ? ["one", "two", "three"] : ["one"]
    let cycles = words.flatMap { word -> [PseudoTerminal.Step] in
      [
        .type("\u{1A}"), .wait("Stopped"), .wait("ready> "), .type("fg\n"), .wait("fg\r\n$VAULT exec"), .type("\(word)\n"),
        .wait("\(word)\r\n\(word)"),
      ]
    }
    let result = try await PseudoTerminal.run(
      ["/bin/bash", "--norc", "--noprofile", "-i"],
      [
        .wait("ready> "), .type("$VAULT exec --automation robot app-dev -- sh -c 'echo up; exec \(command)'\n"), .wait("up\r"),
        // A shell that is about to start its command (vfork(2)) does not stop.
        .type("zero\n"), .wait("zero\r\nzero"),
      ] + cycles + [
        .type("\u{3}"), .wait("ready> "), .type("echo status $?\n"), .wait("status 130"), .type("exit\n"),
      ], environment: environment)
    #expect(result.status == 0)
  }

  @Test("a shell in the tree has the terminal, and gives it back when it stops and ends")
  func interactiveShell() async throws {
    let vault = try await stage()
    var environment = vault.environment
    environment["PS1"] = "outer> "
    environment["VAULT"] = try Programs.vault
    let result = try await PseudoTerminal.run(
      ["/bin/bash", "--norc", "--noprofile", "-i"],
      [
        .wait("outer> "), .type("$VAULT exec --automation robot app-dev -- env PS1='inn''er> ' bash --norc --noprofile -i\n"),
        .wait("inner> "), .type("sh -c 'echo up; exec cat'\n"), .wait("up\r"), .type("one\n"), .wait("one\r\none"),
        .type("\u{3}"), .wait("inner> "),
        .type("suspend -f\n"), .wait("Stopped"),
        .wait("outer> "), .type("fg\n"), .wait("exec"), .type("\n"), .wait("inner> "), .type("exit 4\n"), .wait("outer> "),
        .type("echo status $?\n"), .wait("status 4"), .type("exit\n"),
      ], environment: environment)
    #expect(result.status == 0)
  }

  // MARK: the tree

  /// Ways by which a process parts from what started it. Each runs `ASK`.
  private static let partings = [
    "$ASK", "setsid -w $ASK", "setsid -f $ASK", "nohup $ASK", "(setsid sh -c \"(sleep 0.2; $ASK) &\" &)",
    "env -i $(env | grep -v AUTOMATION) $ASK",
    "(env -i $(env | grep -v AUTOMATION) setsid sh -c \"sleep 0.2; exec $ASK\" &)",
    "env -i $(env | grep -v AUTOMATION) tmux -L $TMUX_NAME -f /dev/null new-session -d \"$ASK\"",
    "unshare -Urpf --mount-proc $ASK",
  ]

  @Test(
    "a process that parts from its parent, its session, its environment or its PID namespace is of the tree", arguments: partings)
  func parting(way: String) async throws {
    if way.contains("unshare"),
      !(try await Subprocess.run("/usr/bin/unshare", ["-Urpf", "--mount-proc", "true"], environment: [:]).succeeded)
    {
      return
    }
    if way.contains("tmux"), !FileManager.default.isExecutableFile(atPath: "/usr/bin/tmux") { return }
    let vault = try await stage()
    let ask = vault.folder.write("#!/bin/sh\nexec \(try Programs.vault) exec app-dev -- true\n", to: "ask", mode: 0o755)
    let result = try await inTree(
      vault, way,
      environment: [
        "ASK": ask, "TMUX_NAME": "vault-\(getpid())-\(UInt32.random(in: 0 ... .max))", "TMUX_TMPDIR": vault.folder.path,
      ])
    #expect(result.succeeded, "\(result.errors)")
    // The run's own command, and what it started.
    let given = try await rows(vault, "Deliver", count: 2)
    #expect(given.count == 2, "\(result.output) \(result.errors)")
    let runs = given.map { automation($0)?["run"] as? String }
    #expect(runs[0] != nil && runs[1] == runs[0], "\(given)")
    #expect(try await rows(vault, "AutomationEnded").count == 1)
  }

  @Test("the chain of parents is in the row, and a process outside of the tree is in none")
  func rowsOfARun() async throws {
    let vault = try await stage()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await inTree(vault, "$VAULT exec app-dev -- true; :").succeeded)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let given = try await rows(vault, "Deliver", count: 4)
    #expect(given.map { automation($0)?["name"] as? String } == [nil, "robot", "robot", nil])
    let started = try #require(try await rows(vault, "AutomationStarted").first)
    // What it gets where no rule allows more.
    #expect((started["scope"] as? [String: Any])?["readOnly"] as? Bool == true, "\(started)")
    let root = try #require(automation(started)?["rootPid"] as? Int)
    let parents = try #require((given[2]["requester"] as? [String: Any])?["parents"] as? [[String: Any]])
    #expect((parents[0]["executable"] as? String)?.hasSuffix("sh") == true)
    #expect(parents[1]["pid"] as? Int == root)
    _ = try await rows(vault, "AutomationEnded")
    let filtered = try await vault.rows("audit", "--automation", "robot")
    #expect(
      filtered.map { $0["action"] as? String }.filter { $0 != "AssumeRole" } == [
        "AutomationStarted", "Deliver", "Deliver", "AutomationEnded",
      ])
  }

  @Test("the command's end is the shell's at once, and the root lives for as long as anything of the tree does")
  func daemon() async throws {
    let vault = try await stage()
    let fifo = vault.folder.file("go")
    mkfifo(fifo, 0o600)
    let result = try await inTree(
      vault, "setsid sh -c 'read x <\(fifo); $VAULT exec app-dev -- true' >/dev/null 2>&1 & echo here")
    #expect(result.output == "here\n" && result.end == .exit(0))
    #expect(try await vault.rows("audit", "--action", "AutomationEnded").isEmpty)
    vault.folder.write("go\n", to: "go")
    #expect(try await rows(vault, "AutomationEnded").count == 1)
    let given = try await rows(vault, "Deliver", count: 2)
    #expect(given.compactMap { automation($0)?["run"] as? String }.count == 2)
  }

  @Test("what is left of a tree whose root was killed stays narrowed, also by the next agent, and is counted and named")
  func killedRoot() async throws {
    let vault = try await stage()
    let fifo = vault.folder.file("go")
    mkfifo(fifo, 0o600)
    _ = try await inTree(vault, "setsid sh -c 'read x <\(fifo); $VAULT exec app-dev -- true' >/dev/null 2>&1 &")
    let started = try #require(try await rows(vault, "AutomationStarted").first)
    kill(pid_t(try #require(automation(started)?["rootPid"] as? Int)), SIGKILL)
    let ended = try #require(try await rows(vault, "AutomationEnded").first)
    #expect((ended["detail"] as? String)?.contains(" left and stay") == true, "\(ended)")
    vault.killAgent()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    vault.folder.write("go\n", to: "go")
    let given = try await rows(vault, "Deliver", count: 3)
    #expect(given.map { automation($0)?["run"] as? String == automation(started)?["run"] as? String } == [true, false, true])
  }

  @Test(
    "a program that has dropped its variable and left its session gains nothing by killing the root", arguments: [false, true])
  func killingTheRoot(withoutAgent: Bool) async throws {
    let vault = try await stage()
    let bare = vault.environment.map { "\($0)='\($1)'" }.joined(separator: " ")
    let (answer, agent) = (vault.folder.file("answer"), try #require(vault.agentPID))
    // The root is the command's parent, and the process that the shell started is the root's.
    let killer = """
      ROOT=$1; FRONT=$(cut -d' ' -f4 /proc/$ROOT/stat); \(withoutAgent ? "kill -9 \(agent);" : "")
      kill -9 $FRONT $ROOT; while kill -0 $ROOT 2>/dev/null; do :; done
      \(try Programs.vault) exec app-dev -- sh -c 'echo $AWS_ACCESS_KEY_ID' >\(answer)-1 2>&1
      (\(try Programs.vault) exec app-dev -- sh -c 'echo $AWS_ACCESS_KEY_ID' >\(answer)-2 2>&1; \(try Programs.vault) lock >>\(answer)-2 2>&1
      echo done >>\(answer)-2) &
      """
    vault.folder.write(killer, to: "killer")
    _ = try await inTree(vault, "env -i \(bare) setsid sh \(vault.folder.file("killer")) $PPID & wait")
    let deadline = Date().addingTimeInterval(60)
    func said(_ number: Int) -> String { (try? String(contentsOfFile: "\(answer)-\(number)", encoding: .utf8)) ?? "" }
    while !said(2).hasSuffix("done\n"), Date() < deadline { try await Task.sleep(for: .milliseconds(50)) }
    // Nothing is locked, and a person's program has the wide session.
    let own = try await vault.mustRun("exec", "app-dev", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID")
    let wide = try await simulator.requests("AssumeRole").filter { $0.parameters["PolicyArns.member.1.arn"] == nil }
    #expect(wide.compactMap(\.issuedAccessKeyId) == [own.trimmingCharacters(in: .newlines)])
    for number in 1...2 { #expect(!said(number).contains(own), "\(said(number))") }
    #expect(said(2).contains("cannot lock the vault"), "\(said(2))")
  }

  @Test("what the agent runs for a tree is of the tree, and what that leaves behind gets nothing")
  func programsOfTheAgent() async throws {
    let vault = try await stage()
    let (answer, go) = (vault.folder.file("answer"), vault.folder.file("go"))
    let bare = "env -i " + vault.environment.map { "\($0)='\($1)'" }.joined(separator: " ") + " " + (try Programs.vault)
    let ask = "exec app-dev -- sh -c 'echo $AWS_ACCESS_KEY_ID'"
    vault.folder.write(
      """
      unset VAULT_AUTOMATION_RUN
      setsid sh \(vault.folder.file("left")) >/dev/null 2>&1 &
      # What is still of its session when it ends is killed.
      until [ -e \(go)-on ]; do :; done
      \(bare) \(ask) >\(answer)-1 2>&1
      exit 1
      """, to: "program")
    vault.folder.write(
      "touch \(go)-on; until [ -e \(go) ]; do sleep 0.05; done; \(bare) \(ask) >\(answer)-2 2>&1; echo done >>\(answer)-2\n",
      to: "left")
    vault.folder.write(
      """

      [profile evil]
      credential_process = sh \(vault.folder.file("program"))
      [profile evil-role]
      role_arn = arn:aws:iam::123456789012:role/evil
      source_profile = evil
      """, to: "more")
    _ = try await inTree(vault, "cat \(vault.folder.file("more")) >>~/.aws/config; $VAULT exec evil-role -- true")
    func said(_ number: Int) -> String { (try? String(contentsOfFile: "\(answer)-\(number)", encoding: .utf8)) ?? "" }
    let narrow = Set(try await simulator.requests("AssumeRole").compactMap(\.issuedAccessKeyId))
    #expect(narrow.contains(said(1).trimmingCharacters(in: .newlines)), "\(said(1))")
    vault.folder.write("go\n", to: "go")
    let deadline = Date().addingTimeInterval(60)
    while !said(2).hasSuffix("done\n"), Date() < deadline { try await Task.sleep(for: .milliseconds(50)) }
    #expect(said(2).contains("automation run"), "\(said(2))")
    // A person's program is run as before, and asks as the person.
    try await vault.mustRun("exec", "app-dev", "--", "true")
    _ = try await vault.run("exec", "evil-role", "--", "true")
    let requests = try await simulator.requests("AssumeRole")
    let wide = requests.filter { $0.parameters["PolicyArns.member.1.arn"] == nil }.compactMap(\.issuedAccessKeyId)
    #expect(wide.count == 1 && !narrow.contains(wide[0]), "\(requests)")
    #expect(said(1) == wide[0] + "\n", "\(said(1))")
  }

  @Test("an agent that a run's program starts, with other variables, does not begin to work")
  func agentOfARun() async throws {
    let vault = try await stage()
    let bare = "env -i " + vault.environment.map { "\($0)='\($1)'" }.joined(separator: " ") + " " + (try Programs.vault)
    let agent = try #require(vault.agentPID)
    let result = try await inTree(vault, "kill -9 \(agent); while kill -0 \(agent); do :; done 2>&-; \(bare) unlock 2>&1")
    #expect(result.end == .exit(77) && result.output.contains("cannot start an agent"), "\(result.output)")
    try await vault.mustRun("exec", "app-dev", "--", "true")
  }

  @Test(
    "in a control group of its own, no process of a tree escapes, not even without its root and its variable",
    .enabled(if: UserManagerServer.isPossible))
  func controlGroup() async throws {
    let vault = try await stage()
    let manager = try await UserManagerServer()
    let bus = ["DBUS_SESSION_BUS_ADDRESS": manager.busAddress]
    let fifo = vault.folder.file("go")
    mkfifo(fifo, 0o600)
    let bare = vault.environment.map { "\($0)='\($1)'" }.joined(separator: " ")
    let result = try await inTree(
      vault, "env -i \(bare) setsid sh -c 'read x <\(fifo); \(try Programs.vault) exec app-dev -- true' >/dev/null 2>&1 &",
      environment: bus)
    #expect(result.succeeded, "\(result.errors)")
    let started = try #require(try await rows(vault, "AutomationStarted").first)
    let root = try #require(automation(started)?["rootPid"] as? Int)
    let run = try #require(automation(started)?["run"] as? String)
    #expect(try await manager.next() == ["vault-automation-\(run).scope", "fail", "\(root)"])
    #expect((started["detail"] as? String)?.hasSuffix("/vault-automation-\(run).scope") == true, "\(started)")
    kill(pid_t(root), SIGKILL)
    let ended = try #require(try await rows(vault, "AutomationEnded").first)
    #expect((ended["detail"] as? String)?.contains("1 process") == true, "\(ended)")
    vault.killAgent()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    vault.folder.write("go\n", to: "go")
    let given = try await rows(vault, "Deliver", count: 3)
    #expect(given.map { automation($0)?["run"] as? String == run } == [true, false, true])
    manager.clean()
  }

  @Test(
    "without a control group a run begins all the same, and its row says so",
    arguments: [UserManagerServer.Behaviour.refuses, .forgets, .silent])
  func noControlGroup(behaviour: UserManagerServer.Behaviour) async throws {
    let vault = try await stage()
    let manager = try await UserManagerServer(behaviour)
    let result = try await inTree(vault, "echo here", environment: ["DBUS_SESSION_BUS_ADDRESS": manager.busAddress])
    #expect(result.output == "here\n" && result.end == .exit(0), "\(result.errors)")
    let started = try #require(try await rows(vault, "AutomationStarted").first)
    #expect((started["detail"] as? String)?.contains("without a control group") == true, "\(started)")
  }

  // MARK: what a tree may not do

  @Test(
    "a process of a tree cannot lock, unlock, change or take anything, and the log says what it tried",
    arguments: [
      "lock", "unlock", "forget --all", "forget app-dev", "rotate app-dev", "remove app-dev", "access-key remove alice", "import",
      "agent stop", "master-key rotate", "master-key backup /tmp/none", "logout --all", "revoke --all", "link app-dev",
      "exec --automation other app-dev -- true", "config lock_after 5m", "audit archive --before 1d",
      "iam check app-dev",
    ])
  func refused(words: String) async throws {
    let vault = try await stage()
    let result = try await inTree(vault, "$VAULT \(words) </dev/null")
    #expect(result.end == .exit(77), "\(result.output) \(result.errors)")
    // Nothing has changed: who is outside is served from memory.
    try await vault.mustRun("exec", "app-dev", "--", "true")
    guard !words.hasPrefix("config") else {
      #expect(!(try await vault.mustRun("config", "lock_after")).contains("5m"))
      return
    }
    let row = try #require(try await rows(vault, "RequestRefused").first)
    #expect(automation(row)?["name"] as? String == "robot")
    #expect(row["outcome"] as? String == "refused")
  }

  @Test("while the vault is locked a tree is refused, cannot unlock it, and starts no agent")
  func locked() async throws {
    let vault = try await stage()
    let program = try RunningProgram(
      Programs.vault,
      [
        "exec", "--automation", "robot", "app-dev", "--", "sh", "-c",
        "echo up; while read x; do $VAULT exec app-dev -- echo given; echo $?; done",
      ],
      environment: vault.environment.merging(["VAULT": try Programs.vault]) { $1 })
    func ask() async throws -> String {
      program.send("\n")
      return try await program.readLine()
    }
    #expect(try await program.readLine() == "up")
    #expect(try await ask() == "given")
    #expect(try await program.readLine() == "0")
    try await vault.mustRun("lock")
    #expect(try await ask() == "77")
    vault.killAgent()
    #expect(try await ask() == "77")
    #expect(vault.agentPID == nil)
    // A person's commands start the agent, and unlock the vault; the tree is the one of before.
    try await vault.mustRun("unlock")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await ask() == "given")
    #expect(try await program.readLine() == "0")
    let given = try await rows(vault, "Deliver", count: 4)
    #expect(given.map { automation($0)?["name"] as? String } == ["robot", "robot", nil, "robot"])
    program.send("", end: true)
    #expect(try await program.wait(timeout: 20).end == .exit(0))
  }

  @Test("a variable by which an agent names itself changes nothing by itself, is no run, and is named in its rows")
  func hint() async throws {
    let vault = try await stage()
    try await vault.mustRun("exec", "app-dev", "--", "true", environment: ["CLAUDECODE": "1", "AI_AGENT": "x"])
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let given = try await rows(vault, "Deliver", count: 2)
    #expect(given.count == 2 && given.allSatisfy { automation($0) == nil })
    func hint(_ row: [String: Any]) -> String? { (row["requester"] as? [String: Any])?["hint"] as? String }
    #expect(given.map(hint) == ["CLAUDECODE", nil])
    #expect(try await vault.rows("audit", "--automation", "CLAUDECODE").isEmpty)
    let table = try await vault.mustRun("audit").split(separator: "\n")
    #expect(table.count { $0.hasSuffix("\tCLAUDECODE (unproven)") } == 2, "\(table)")
    // In a run, what the kernel says counts.
    _ = try await inTree(vault, "$VAULT exec app-dev -- true; :", environment: ["CLAUDECODE": "1"])
    let within = try await rows(vault, "Deliver", count: 4).suffix(2)
    #expect(within.allSatisfy { automation($0)?["name"] as? String == "robot" && hint($0) == nil }, "\(within)")
    try await vault.mustRun("lock", environment: ["CLAUDECODE": "1"])
    #expect(try await rows(vault, "Locked").map(hint) == ["CLAUDECODE"])
    try await vault.mustRun("audit", "verify")
  }

  @Test("a run is told once of keys in files that it can read and that are not narrowed, and of no others")
  func files() async throws {
    let vault = try await TestVault(unasked: simulator)
    try await vault.mustRun("link", "--credentials-file", "--read-only", "app-dev")
    #expect(!(try await inTree(vault, "true").errors.contains("can read keys")))
    try await vault.mustRun("unlink", "--credentials-file", "app-dev")
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let result = try await inTree(vault, "$VAULT exec app-dev -- true")
    #expect(result.succeeded && result.errors.components(separatedBy: "the run can read keys").count == 2, "\(result.errors)")
    #expect(result.errors.contains("`vault unlink --credentials-file app-dev` removes them"), "\(result.errors)")
  }

  // MARK: the endpoint

  /// Asks the endpoint of another program, from within the tree or outside of it.
  private static let asker = """
    import os, sys, urllib.request, urllib.error
    request = urllib.request.Request(sys.argv[1], headers={"Authorization": sys.argv[2]})
    try: print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).status)
    except urllib.error.HTTPError as error: print(error.code)
    """

  @Test("a process of a tree gets nothing for another program's token, and what its own token gives is its own")
  func endpoint() async throws {
    let vault = try await stage()
    let served = try await ServedProgram(vault)
    #expect(try await served.response().status == 200)
    let (script, python) = (vault.folder.write(Self.asker, to: "ask.py"), try Programs.python)
    let url = "http://127.0.0.1:\(served.port)/credentials"
    let result = try await vault.run(
      "exec", "--automation", "robot", "--server", "app-dev", "--", "sh", "-c",
      """
      \(python) \(script) \(url) \(served.token)
      setsid -w \(python) \(script) \(url) \(served.token)
      \(python) \(script) $AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN
      """)
    #expect(result.output == "403\n403\n200\n", "\(result.errors)")
    #expect(try await served.response().status == 200)
    let refused = try await rows(vault, "EndpointRefused")
    #expect(refused.count == 1 && automation(refused[0])?["name"] as? String == "robot")
    try await served.end()
  }

  /// Asks with a socket that is on its way between two processes when the request arrives: none holds it.
  private static let sender = """
    import socket, sys, time
    port, token = int(sys.argv[1]), sys.argv[2]
    here, there = socket.socketpair()
    asker = socket.create_connection(("127.0.0.1", port))
    asker.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    asker.sendall(f"GET /credentials HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nAuthorization: {token}\\r\\n\\r\\n".encode())
    socket.send_fds(here, [b"x"], [asker.fileno()])
    asker.close()
    time.sleep(0.6)
    taken = socket.socket(fileno=socket.recv_fds(there, 1, 1)[1][0])
    taken.settimeout(20)
    print(taken.recv(4096).split()[1].decode())
    """

  @Test("a socket that no process holds when its request arrives gets nothing for another program's token")
  func socketOnItsWay() async throws {
    let vault = try await stage()
    let served = try await ServedProgram(vault)
    let (script, python) = (vault.folder.write(Self.sender, to: "send.py"), try Programs.python)
    // Without a run, everybody who has the token may ask as they like.
    let before = try await Subprocess.run(python, [script, "\(served.port)", served.token], environment: vault.environment)
    #expect(before.output == "200\n", "\(before)")
    let result = try await inTree(vault, "\(python) \(script) \(served.port) \(served.token)")
    #expect(result.output == "403\n", "\(result)")
    #expect(try await served.response().status == 200)
    try await served.end()
  }

  /// Two ends: one opens a connection and shares it, the other asks with it.
  private static let sharer = """
    import os, socket, sys, urllib.parse
    path = sys.argv[1]
    if sys.argv[2] == "share":
        url = urllib.parse.urlsplit(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
        asker = socket.create_connection((url.hostname, url.port))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        print(url.port, os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"], flush=True)
        socket.send_fds(listener.accept()[0], [b"x"], [asker.fileno()])
        sys.stdin.readline()
    else:
        port, token = sys.argv[3:]
        channel = socket.socket(socket.AF_UNIX)
        channel.connect(path)
        asker = socket.socket(fileno=socket.recv_fds(channel, 1, 1)[1][0])
        asker.sendall(f"GET /credentials HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nAuthorization: {token}\\r\\n\\r\\n".encode())
        print(asker.recv(4096).split()[1].decode())
    """

  @Test("of several processes that hold a socket, each must be entitled to the token")
  func sharedSocket() async throws {
    let vault = try await stage()
    let (script, python) = (vault.folder.write(Self.sharer, to: "share.py"), try Programs.python)
    let socket = vault.folder.file("s")
    let owner = try RunningProgram(
      Programs.vault, ["exec", "--automation", "one", "--server", "app-dev", "--", python, script, socket, "share"],
      environment: vault.environment)
    let words = try await owner.readLine()
    let other = try await inTree(vault, "\(python) \(script) \(socket) ask \(words)", name: "two")
    #expect(other.output == "403\n", "\(other)")
    owner.send("\n")
    #expect(try await owner.wait(timeout: 20).end == .exit(0))
  }
}
