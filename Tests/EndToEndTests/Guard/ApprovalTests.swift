import Foundation
import Glibc
import TestSupport
import Testing

/// Confirmations for guarded profiles, by every way in which a person gives them, to real programs.
@Suite(.endToEnd) struct ApprovalTests {
  /// A vault whose role profiles need a confirmation.
  private func vault(
    _ simulator: STSSimulatorProcess, _ environment: [String: String] = [:], confirm: String = "always"
  ) async throws -> TestVault {
    let vault = try await TestVault(simulator, environment: environment)
    let settings = try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)
    vault.folder.write(settings + "[guard app-*]\nconfirm = \(confirm)\n", to: "vault/config")
    return vault
  }

  /// A shell in a session of its own, which no terminal has: what an editor or an agent starts.
  private func session(_ vault: TestVault, _ script: String, _ more: [String: String] = [:]) throws -> RunningProgram {
    try RunningProgram(
      try Programs.onPath("setsid"), ["--wait", "/bin/sh", "-c", script],
      environment: vault.environment.merging(["VAULT": try Programs.vault]) { $1 }.merging(more) { $1 })
  }

  private static let exec = "$VAULT exec --reason deploy app-dev -- printenv AWS_ACCESS_KEY_ID"

  private struct NothingWaits: Error {}

  /// The one request that waits.
  private func waiting(_ vault: TestVault, count: Int = 1) async throws -> [String: Any] {
    for _ in 0..<600 {
      let rows = try await vault.rows("approve")
      if rows.reduce(0, { $0 + ($1["requests"] as? Int ?? 0) }) == count { return rows[0] }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw NothingWaits()
  }

  /// `vault approve` at another terminal of a person.
  private func approve(_ vault: TestVault, at terminals: TerminalServer, _ words: String...) async throws -> TerminalServer.Result
  {
    try await terminals.run([try Programs.vault, "approve"] + words, environment: vault.environment)
  }

  @Test("a notification names what is asked; Allow gives the credentials, Deny refuses them, and the log has both")
  func notification() async throws {
    let (simulator, server) = (try await STSSimulatorProcess(), try await NotificationServer())
    let vault = try await vault(simulator, ["DBUS_SESSION_BUS_ADDRESS": server.busAddress])
    let allowed = try session(vault, Self.exec)
    let shown = try await server.next()
    #expect(shown.title == "vault: allow app-dev?")
    #expect(shown.actions.count == 4 && shown.actions[1] == "Allow" && shown.actions[3] == "Deny", "\(shown)")
    for part in [
      "program: printenv (", "started by: /", "directory: /", "profile: app-dev", "role: \(STSWorld.devRole)",
      "duration: 1 h", "reason: deploy", "holds for: this request",
    ] {
      #expect(shown.text.contains(part), "\(part) in \(shown.text)")
    }
    #expect(try await simulator.requests("AssumeRole").isEmpty)
    server.press(shown.number)
    let result = try await allowed.wait()
    #expect(result.succeeded && result.output.hasPrefix("ASIA"), "\(result)")
    #expect(try await server.closed() == "closed \(shown.number)")
    let denied = try session(vault, Self.exec)
    let second = try await server.next()
    server.press(second.number, button: 1)
    let refused = try await denied.wait()
    #expect(
      refused.end == .exit(77) && refused.output.isEmpty && refused.errors.contains("was denied (notification)"), "\(refused)")
    let rows = try await vault.rows("audit").filter { ($0["action"] as? String)?.hasPrefix("Confirm") == true }
    #expect(rows.map { $0["action"] as? String } == ["Confirmed", "ConfirmationRefused"])
    #expect(rows.allSatisfy { $0["detail"] as? String == "by notification" && $0["reason"] as? String == "deploy" })
  }

  @Test("200 requests of a session at once are one notification, and one press is for all")
  func once() async throws {
    let (simulator, server) = (try await STSSimulatorProcess(), try await NotificationServer())
    let vault = try await vault(simulator, ["DBUS_SESSION_BUS_ADDRESS": server.busAddress])
    let all = try session(
      vault, "for i in $(seq 200); do $VAULT exec app-dev -- echo got & done; wait")
    let shown = try await server.next()
    _ = try await waiting(vault, count: 200)
    server.press(shown.number)
    let result = try await all.wait(timeout: 120)
    #expect(result.output.split(separator: "\n").count == 200, "\(result.errors)")
    #expect(server.shown == [shown.number])
    #expect(try await vault.rows("audit", "--action", "Confirmed").count == 1)
  }

  @Test("what was agreed to for 15 minutes is asked again by another session alone")
  func memory() async throws {
    let (simulator, server) = (try await STSSimulatorProcess(), try await NotificationServer())
    let vault = try await vault(simulator, ["DBUS_SESSION_BUS_ADDRESS": server.busAddress], confirm: "15m")
    let shell = try session(vault, "\(Self.exec); \(Self.exec); \(Self.exec)")
    server.press(try await server.next().number)
    #expect(try await shell.wait().output.split(separator: "\n").count == 3)
    #expect(server.shown.count == 1)
    let other = try session(vault, Self.exec)
    _ = try await server.closed()
    server.press(try await server.next().number, button: 1)
    #expect(try await other.wait().end == .exit(77))
  }

  @Test("`vault approve` in another terminal lists what waits, and agrees or refuses")
  func terminal() async throws {
    let (simulator, terminals) = (try await STSSimulatorProcess(), try await TerminalServer())
    let vault = try await vault(simulator)
    let asking = try session(vault, Self.exec)
    let row = try await waiting(vault)
    let id = try #require(row["id"] as? String)
    #expect(
      row["profile"] as? String == "app-dev" && row["program"] as? String == "printenv" && row["reason"] as? String == "deploy")
    #expect(row["roleArn"] as? String == STSWorld.devRole && row["durationSeconds"] as? Int == 3_600)
    #expect((row["parents"] as? [[String: Any]])?.isEmpty == false)
    let listed = try await approve(vault, at: terminals)
    #expect(listed.status == 0 && listed.shown.contains(id) && listed.shown.contains("app-dev"), "\(listed.shown)")
    let allowed = try await approve(vault, at: terminals, id)
    #expect(allowed.status == 0 && allowed.shown.contains("role: \(STSWorld.devRole)"), "\(allowed.shown)")
    #expect(try await asking.wait().output.hasPrefix("ASIA"))
    let again = try await approve(vault, at: terminals, id)
    #expect(again.status == 66 && again.shown.contains("waits for an answer"), "\(again.shown)")
    let denied = try session(vault, Self.exec)
    let second = try #require(try await waiting(vault)["id"] as? String)
    #expect(try await approve(vault, at: terminals, second, "--deny").status == 0)
    let refused = try await denied.wait()
    #expect(refused.end == .exit(77) && refused.errors.contains("was denied (vault approve on pts/"), "\(refused)")
    #expect(try await vault.run("approve").output.isEmpty)
  }

  @Test("neither the session that asks, nor what it starts at a terminal of its own, nor a process without one can agree")
  func ownTree() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let script = vault.folder.write(
      """
      $VAULT exec app-dev -- echo got &
      until $VAULT approve --format json | grep -o '"id":"[^"]*"' > id; do :; done
      id=$(cut -d '"' -f 4 < id)
      $VAULT approve $id; echo "same terminal $?"
      setsid $VAULT approve $id; echo "no terminal $?"
      python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' $VAULT approve $id
      echo "own terminal $?"
      kill $!

      """, to: "script")
    let tried = try await PseudoTerminal.run(
      ["/bin/sh", script], [], environment: vault.environment.merging(["VAULT": try Programs.vault]) { $1 },
      directory: vault.folder.path)
    for way in ["same", "no", "own"] { #expect(tried.shown.contains("\(way) terminal 77"), "\(tried.shown)") }
    #expect(!tried.shown.contains("got") && tried.shown.contains("cannot confirm its own request"), "\(tried.shown)")
    #expect(try await simulator.requests("AssumeRole").isEmpty)
  }

  @Test(
    "a program cannot agree to its own request at a terminal that it has made, whoever seems to have started that",
    arguments: ["session pty", "session same", "session daemon", "session held", "behind pty", "left pty", "left daemon"])
  func ownTerminal(way: String) async throws {
    let (simulator, terminals) = (try await STSSimulatorProcess(), try await TerminalServer())
    let vault = try await vault(simulator)
    let script = vault.folder.write(
      """
      import fcntl, json, os, pty, subprocess, sys, termios, time
      vault, (asker, approver) = os.environ["VAULT"], sys.argv[1:]
      ask = ["/bin/sh", "-c", "exec $VAULT exec app-dev -- echo got > got 2>&1"]
      answer = ["/bin/sh", "-c", "$VAULT approve $ID > said 2>&1; echo $? > status.new; mv status.new status"]
      def detached(body):
          "Runs body in a process of its own session that has lost its parents."
          if os.fork() == 0:
              os.setsid()
              parent = os.getpid()
              if os.fork(): os._exit(0)
              while os.getppid() == parent: pass
              body()
              os._exit(0)
          os.wait()
      def waiting():
          while True:
              rows = json.loads(subprocess.check_output([vault, "approve", "--format", "json"]))
              if rows: return rows[0]["id"]
      if asker == "session": subprocess.Popen(ask, start_new_session=True)
      elif asker == "left": detached(lambda: os.execv(ask[0], ask))
      elif os.fork() == 0:
          # Its parent ends once it has asked.
          subprocess.Popen(ask, start_new_session=True)
          waiting()
          os._exit(0)
      else: os.wait()
      os.environ["ID"] = waiting()
      if approver == "pty": pty.spawn(answer)
      elif approver == "same": subprocess.run(answer)
      elif approver == "daemon": detached(lambda: pty.spawn(answer))
      else:
          master, slave = pty.openpty()
          def take():
              os.setsid()
              fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
              os.execv(answer[0], answer)
          os.set_inheritable(slave, True)
          def held():
              os.close(master)
              take()
          detached(held)
      while not os.path.exists("status"): time.sleep(0.01)

      """, to: "attack.py")
    let environment = vault.environment.merging(["VAULT": try Programs.vault]) { $1 }
    let words = way.split(separator: " ").map { String($0) }
    let tried = try await terminals.run(
      [try Programs.python, script] + words, environment: environment, directory: vault.folder.path)
    func text(_ file: String) throws -> String { try String(contentsOfFile: vault.folder.file(file), encoding: .utf8) }
    let (status, said, got) = (try text("status"), try text("said"), try text("got"))
    #expect(status == "77\n", "\(said) \(tried.shown)")
    let isUnknown = way.hasPrefix("left") || way.hasSuffix("daemon")
    #expect(said.contains(isUnknown ? "its origin is unknown" : "started both"), "\(said)")
    #expect(!got.contains("got"))
    #expect(try await simulator.requests("AssumeRole").isEmpty)
    // A person's other terminal can, if it is older than the request, or from the same terminal server.
    let id = try #require(try await waiting(vault)["id"] as? String)
    #expect(try await approve(vault, at: terminals, id).status == 0)
  }

  @Test("a request at one terminal is agreed to at another of the same terminal server, also at one that is opened for it")
  func twoPanes() async throws {
    let (simulator, terminals) = (try await STSSimulatorProcess(), try await TerminalServer())
    let vault = try await vault(simulator)
    let asker = try await terminals.start(
      [try Programs.vault, "exec", "app-dev", "--", "echo", "got"], environment: vault.environment)
    let id = try #require(try await waiting(vault)["id"] as? String)
    let allowed = try await approve(vault, at: terminals, id)
    #expect(allowed.status == 0, "\(allowed.shown)")
    let asked = try await terminals.wait(asker)
    #expect(asked.status == 0 && asked.shown.contains("got"), "\(asked.shown)")
  }

  @Test("a request in one pane of tmux is agreed to in another")
  func tmux() async throws {
    guard let tmux = try? Programs.onPath("tmux") else { return }
    let (simulator, terminals) = (try await STSSimulatorProcess(), try await TerminalServer())
    let vault = try await vault(simulator)
    let environment = vault.environment.merging(["VAULT": try Programs.vault, "TERM": "xterm", "SHELL": "/bin/sh"]) { $1 }
    func pane(_ words: String..., script: String) async throws {
      let start = try await terminals.run(
        [tmux, "-f", "/dev/null", "-S", vault.folder.file("tmux")] + words + [script], environment: environment,
        directory: vault.folder.path)
      #expect(start.status == 0, "\(start.shown)")
    }
    try await pane("new-session", "-d", script: "$VAULT exec app-dev -- echo got > got 2>&1; tmux wait-for -S got")
    let id = try #require(try await waiting(vault)["id"] as? String)
    try await pane("new-window", "-d", script: "$VAULT approve \(id) > said 2>&1; tmux wait-for -S said")
    for name in ["said", "got"] {
      _ = try await terminals.run([tmux, "-S", vault.folder.file("tmux"), "wait-for", name], environment: environment)
    }
    let said = try String(contentsOfFile: vault.folder.file("said"), encoding: .utf8)
    #expect(try String(contentsOfFile: vault.folder.file("got"), encoding: .utf8).contains("got"), "\(said)")
  }

  @Test("at a terminal, the program that asks says what it waits for, and Ctrl-C takes the question away")
  func asker() async throws {
    let (simulator, server) = (try await STSSimulatorProcess(), try await NotificationServer())
    let vault = try await vault(simulator, ["DBUS_SESSION_BUS_ADDRESS": server.busAddress])
    async let asked = PseudoTerminal.run(
      [try Programs.vault, "exec", "app-dev", "--", "true"], [.wait("waits for a confirmation"), .type("\u{3}")],
      environment: vault.environment)
    let shown = try await server.next()
    #expect(try await asked.status == -2)
    #expect(try await server.closed() == "closed \(shown.number)")
    #expect(try await vault.run("approve").output.isEmpty)
    let row = try #require(try await vault.rows("audit", "--action", "ConfirmationRefused").first)
    #expect(row["detail"] as? String == "the program that asked ended first")
  }

  /// Puts a program in a folder of the system that speaks as pinentry does, and answers `CONFIRM` with `$ANSWER`. Starts the agent on a
  /// display.
  private func pinentry(_ vault: TestVault, _ answer: String) async throws {
    vault.folder.write(
      """
      #!/bin/sh
      echo "OK Pleased to meet you"
      while read -r command rest; do
        echo "$command $rest" >> \(vault.folder.file("said"))
        case $command in
          CONFIRM) \(answer) ;;
          BYE) echo OK; exit 0 ;;
          *) echo OK ;;
        esac
      done

      """, to: "bin/pinentry", mode: 0o700)
    try await SystemFolder.startAgent(of: vault)
  }

  @Test(
    "a service that dies or hangs while it waits is followed by pinentry on the display",
    .enabled(if: SystemFolder.isPossible, "only root can mount"), arguments: ["die", "hang"])
  func service(_ way: String) async throws {
    let (simulator, server) = (try await STSSimulatorProcess(), try await NotificationServer())
    let vault = try await vault(simulator, ["DBUS_SESSION_BUS_ADDRESS": server.busAddress])
    mkdir(vault.folder.file("bin"), 0o700)
    try await pinentry(vault, "echo OK")
    let asking = try session(vault, Self.exec)
    _ = try await server.next()
    if way == "die" { server.die() } else { server.hang() }
    let result = try await asking.wait()
    #expect(result.succeeded && result.output.hasPrefix("ASIA"), "\(result)")
    let said = try String(contentsOfFile: vault.folder.file("said"), encoding: .utf8)
    #expect(
      said.contains("SETDESC vault: allow app-dev?%0A%0Aprogram: printenv (") && said.contains("%0Areason: deploy"), "\(said)")
    #expect(said.contains("SETOK Allow\nSETCANCEL Deny\nCONFIRM"), "\(said)")
    #expect(try await vault.rows("audit", "--action", "Confirmed").first?["detail"] as? String == "by pinentry")
  }

  @Test(
    "pinentry's Cancel is a refusal; one that cannot open a display asks nobody, and leaves it to `vault approve`",
    .enabled(if: SystemFolder.isPossible, "only root can mount"))
  func pinentryRefusals() async throws {
    let (simulator, terminals) = (try await STSSimulatorProcess(), try await TerminalServer())
    let vault = try await vault(simulator)
    mkdir(vault.folder.file("bin"), 0o700)
    try await pinentry(vault, "echo 'ERR 83886179 Operation cancelled <Pinentry>'")
    let denied = try session(vault, Self.exec)
    let refused = try await denied.wait()
    #expect(refused.end == .exit(77) && refused.errors.contains("was denied (pinentry)"), "\(refused)")
    try await pinentry(vault, "echo 'ERR 83918950 Inappropriate ioctl for device'")
    let blind = try session(vault, Self.exec)
    let id = try #require(try await waiting(vault)["id"] as? String)
    #expect(try await approve(vault, at: terminals, id).status == 0)
    #expect(try await blind.wait().succeeded)
  }

  @Test(
    "a real pinentry takes all that is sent, and asks on no terminal",
    .enabled(if: SystemFolder.isPossible, "only root can mount"))
  func realPinentry() async throws {
    guard let real = try? Programs.onPath("pinentry-curses") else { return }
    let (simulator, terminals) = (try await STSSimulatorProcess(), try await TerminalServer())
    let vault = try await vault(simulator)
    mkdir(vault.folder.file("bin"), 0o700)
    // What goes over the pipes is kept.
    vault.folder.write(
      """
      #!/bin/sh
      tee \(vault.folder.file("said")) | \(real) | tee \(vault.folder.file("heard"))

      """, to: "bin/pinentry", mode: 0o700)
    try await SystemFolder.startAgent(of: vault)
    async let asked = PseudoTerminal.run(
      [try Programs.vault, "exec", "app-dev", "--", "echo", "got"], [.wait("got")], environment: vault.environment)
    let id = try #require(try await waiting(vault)["id"] as? String)
    func heard() throws -> [Substring] {
      try String(contentsOfFile: vault.folder.file("heard"), encoding: .utf8).split(separator: "\n")
    }
    while try heard().count < 6 { try await Task.sleep(for: .milliseconds(50)) }
    // The greeting, five commands; then CONFIRM, which fails without a terminal or a display.
    let answers = try heard().prefix(6)
    #expect(answers.allSatisfy { $0.hasPrefix("OK") }, "\(answers)")
    #expect(try String(contentsOfFile: vault.folder.file("said"), encoding: .utf8).contains("SETDESC vault: allow app-dev?%0A"))
    #expect(try await approve(vault, at: terminals, id).status == 0)
    let result = try await asked
    #expect(result.status == 0 && !result.shown.contains("Allow"), "\(result.shown)")
  }
}
