import Testing

@testable import VaultAgent

/// Which terminals can agree to a request, by the processes above both.
struct RequestOriginTests {
  /// What a terminal's agreement comes to.
  enum Verdict: Equatable {
    case counts
    /// Both come from the process of this name.
    case shared(String)
    case new
  }

  /// Processes by their names: what each has above it, its terminal (`pts/0`, `tty1` or none), its start, its user and control group.
  private struct Machine {
    private var places: [String: ProcessPlace] = [:]
    private var parents: [String: String] = [:]

    init() { add("init", began: 0, uid: 0, group: "/init.scope") }

    mutating func add(
      _ name: String, under parent: String? = nil, on terminal: String? = nil, began: Int64 = 50, uid: UInt32 = 1_000,
      group: String? = nil
    ) {
      let device: UInt32 =
        switch terminal.map({ ($0.hasPrefix("pts/"), UInt32($0.drop { !$0.isNumber })!) }) {
        case nil: 0
        case (true, let number)?: 136 << 8 | number
        case (false, let number)?: 4 << 8 | number
        }
      places[name] = ProcessPlace(
        pid: name == "init" ? 1 : Int32(places.count + 100), began: began, terminal: device, uid: uid,
        controlGroup: group ?? parent.flatMap { $0 == "init" ? "/session.scope" : places[$0]?.controlGroup })
      parents[name] = parent
    }

    func line(_ name: String) -> [ProcessPlace] { [places[name]!] + (parents[name].map { line($0) } ?? []) }

    func verdict(of approver: String, on asker: String, leader: String? = nil, holders: [String] = []) -> Verdict? {
      let origin = RequestOrigin(lines: [line(asker)] + (leader.map { [line($0)] } ?? []), uid: 1_000, asked: 100)
      let fault = origin.fault(of: AnsweringTerminal(line: line(approver), holders: holders.map { line($0) }, name: "pts/9"))
      return switch fault {
      case nil: .counts
      case .newTerminal?: .new
      case .sharedOrigin(_, let pid)?: places.first { $0.value.pid == pid }.map { .shared($0.key) }
      default: nil
      }
    }
  }

  @Test("two panes of tmux are two terminals, also one that is opened for the answer, and one with a control group of its own")
  func panes() {
    for group in [nil, "/tmux-spawn-2.scope"] {
      var machine = Machine()
      machine.add("tmux", under: "init")
      machine.add("shell", under: "tmux", on: "pts/0", group: group == nil ? nil : "/tmux-spawn-1.scope")
      machine.add("exec", under: "shell", on: "pts/0")
      machine.add("other shell", under: "tmux", on: "pts/1", began: 200, group: group)
      machine.add("approve", under: "other shell", on: "pts/1", began: 201)
      #expect(machine.verdict(of: "approve", on: "exec", holders: ["tmux"]) == .counts)
      // A program between the shell and the request does not change that.
      machine.add("agent", under: "shell", on: "pts/0")
      machine.add("its exec", under: "agent")
      #expect(machine.verdict(of: "approve", on: "its exec", holders: ["tmux"]) == .counts)
    }
  }

  @Test(
    "windows of one emulator, emulators of one desktop, SSH logins, consoles and an editor's terminals are terminals of a person")
  func terminals() {
    var machine = Machine()
    machine.add("manager", under: "init", group: "/user.slice/init.scope")
    machine.add("desktop", under: "manager", group: "/user.slice/desktop.service")
    machine.add("emulator", under: "manager", group: "/user.slice/emulator.service")
    machine.add("window 1", under: "emulator", on: "pts/0", group: "/user.slice/vte-1.scope")
    machine.add("window 2", under: "emulator", on: "pts/1", began: 200, group: "/user.slice/vte-2.scope")
    machine.add("xterm", under: "desktop", began: 200, group: "/user.slice/app-xterm.scope")
    machine.add("xterm window", under: "xterm", on: "pts/2", began: 200)
    machine.add("editor", under: "desktop", group: "/user.slice/app-editor.scope")
    machine.add("editor's terminals", under: "editor")
    machine.add("editor's terminal 1", under: "editor's terminals", on: "pts/3")
    machine.add("editor's terminal 2", under: "editor's terminals", on: "pts/4", began: 200)
    machine.add("sshd", under: "init", uid: 0, group: "/system.slice/ssh.service")
    for (number, name) in ["login 1", "login 2"].enumerated() {
      machine.add("sshd of \(name)", under: "sshd", began: 200, uid: 0, group: "/session-\(number).scope")
      machine.add("\(name)'s server", under: "sshd of \(name)", began: 200)
      machine.add(name, under: "\(name)'s server", on: "pts/\(5 + number)", began: 200)
    }
    machine.add("getty 1", under: "init", on: "tty1", uid: 0, group: "/session-c1.scope")
    machine.add("console 1", under: "getty 1", on: "tty1")
    machine.add("getty 2", under: "init", on: "tty2", began: 200, uid: 0, group: "/session-c2.scope")
    machine.add("console 2", under: "getty 2", on: "tty2", began: 200)
    let all = [
      "window 1", "window 2", "xterm window", "editor's terminal 1", "editor's terminal 2", "login 1", "login 2", "console 1",
      "console 2",
    ]
    for asker in all {
      for approver in all where approver != asker {
        #expect(machine.verdict(of: approver, on: asker) == .counts, "\(approver) for \(asker)")
      }
    }
    // A program without a terminal: its editor's terminal is its editor's.
    machine.add("extension", under: "editor")
    #expect(machine.verdict(of: "window 1", on: "extension") == .counts)
    #expect(machine.verdict(of: "xterm window", on: "extension") == .counts)
    #expect(machine.verdict(of: "editor's terminal 1", on: "extension") == .shared("editor"))
  }

  @Test(
    "where a window manager starts each emulator and there are no control groups, a window that was open before is a person's")
  func windowManager() {
    for (isParent, began) in [(true, 60), (true, 200), (false, 60), (false, 200)] as [(Bool, Int64)] {
      var machine = Machine()
      machine.add("login", under: "init", on: "tty1", uid: 0)
      machine.add("console", under: "login", on: "tty1")
      machine.add("manager", under: "console", on: "tty1")
      for (number, name) in ["one", "two"].enumerated() {
        machine.add("emulator \(name)", under: isParent ? "manager" : "init", began: number == 0 ? 50 : began)
        machine.add(name, under: "emulator \(name)", on: "pts/\(number)", began: number == 0 ? 50 : began)
      }
      // Of one that has left its parents after the request was made, nobody can say who started it.
      #expect(machine.verdict(of: "two", on: "one") == (isParent || began == 60 ? .counts : .new))
      #expect(machine.verdict(of: "one", on: "two") == .counts)
    }
  }

  @Test("a terminal that a program above the request has made or holds, or is itself on, is not a person's")
  func ownTerminals() {
    var machine = Machine()
    machine.add("emulator", under: "init")
    machine.add("shell", under: "emulator", on: "pts/0")
    machine.add("agent", under: "shell", on: "pts/0")
    machine.add("exec", under: "agent")
    machine.add("approve at a new one", under: "agent", on: "pts/1", began: 60)
    #expect(machine.verdict(of: "approve at a new one", on: "exec", holders: ["agent"]) == .shared("agent"))
    machine.add("approve at its own", under: "agent", on: "pts/0")
    #expect(machine.verdict(of: "approve at its own", on: "exec", holders: ["emulator"]) == .shared("agent"))
    machine.add("script", under: "agent", on: "pts/0", began: 60)
    machine.add("approve in script", under: "script", on: "pts/2", began: 60)
    #expect(machine.verdict(of: "approve in script", on: "exec", holders: ["script"]) == .shared("agent"))
    // The request has a terminal that the agent made, too.
    machine.add("exec at one", under: "agent", on: "pts/3")
    #expect(machine.verdict(of: "approve at a new one", on: "exec at one") == .shared("agent"))
    // The approver has lost its parents, and the agent holds its terminal; or it is a daemon that began after the request.
    machine.add("lost approve", under: "init", on: "pts/4", began: 60)
    #expect(machine.verdict(of: "lost approve", on: "exec", holders: ["agent"]) == .shared("agent"))
    machine.add("daemon", under: "init", began: 200)
    machine.add("approve of the daemon", under: "daemon", on: "pts/5", began: 200)
    #expect(machine.verdict(of: "approve of the daemon", on: "exec", holders: ["daemon"]) == .new)
    // The request has outlived its parents: its session's leader says where it is from, or a new terminal within another is not taken.
    machine.add("lost exec", under: "init")
    #expect(machine.verdict(of: "approve at a new one", on: "lost exec", leader: "agent") == .shared("agent"))
    machine.add("late script", under: "agent", on: "pts/0", began: 200)
    machine.add("approve in late script", under: "late script", on: "pts/6", began: 200)
    #expect(machine.verdict(of: "approve in late script", on: "lost exec") == .new)
    // As another user by sudo, and back.
    machine.add("sudo", under: "agent", uid: 0)
    machine.add("exec by sudo", under: "sudo")
    #expect(machine.verdict(of: "approve at a new one", on: "exec by sudo") == .shared("agent"))
  }

  @Test("without a terminal anywhere, what the user's own processes have started in common is not a person's terminal")
  func background() {
    var machine = Machine()
    machine.add("daemon", under: "init")
    machine.add("exec", under: "daemon")
    machine.add("approve", under: "daemon", on: "pts/0")
    #expect(machine.verdict(of: "approve", on: "exec") == .shared("daemon"))
    machine.add("cron", under: "init", uid: 0)
    machine.add("job", under: "cron")
    machine.add("sshd", under: "init", uid: 0)
    machine.add("login", under: "sshd", on: "pts/1", began: 60)
    #expect(machine.verdict(of: "login", on: "job") == .counts)
  }

  @Test("a request below more processes than are looked at is not agreed to at any terminal")
  func tooDeep() {
    var machine = Machine()
    machine.add("exec", under: "init")
    machine.add("approve", under: "init", on: "pts/0")
    let origin = RequestOrigin(lines: [machine.line("exec")], isComplete: false, uid: 1_000, asked: 100)
    #expect(origin.fault(of: AnsweringTerminal(line: machine.line("approve"), holders: [], name: "pts/0")) == .unknownAsker)
  }

  @Test("in a container, its first shell's own terminal is not for what it has started, and one from outside is")
  func container() {
    var machine = Machine()
    machine.add("init", on: "pts/0", began: 0)
    machine.add("exec", under: "init")
    machine.add("approve", under: "init", on: "pts/0")
    #expect(machine.verdict(of: "approve", on: "exec") == .shared("init"))
    machine.add("from outside", on: "pts/1", began: 200)
    #expect(machine.verdict(of: "from outside", on: "exec") == .counts)
    machine.add("tmux", under: "init", began: 60)
    machine.add("pane 1", under: "tmux", on: "pts/2", began: 60)
    machine.add("pane 2", under: "tmux", on: "pts/3", began: 200)
    #expect(machine.verdict(of: "pane 2", on: "pane 1") == .counts)
  }
}
