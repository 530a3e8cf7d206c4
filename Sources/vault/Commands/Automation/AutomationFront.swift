import CSystem
import Glibc
import VaultModel

/// The process that a shell started for `vault exec --automation`: to the shell it is the command.
struct AutomationFront {
  let root: Int32
  let reports: Int32
  let signals: BlockedSignals
  /// Nil until it runs.
  private var command: Int32?
  private var end: AutomationReport?

  init(root: Int32, reports: Int32, signals: BlockedSignals) {
    (self.root, self.reports, self.signals) = (root, reports, signals)
  }

  mutating func run() -> Never {
    while true {
      _ = signals.wait(or: reports)
      heedReports()
      while let (signal, sender) = signals.next() { passOn(signal, from: sender) }
    }
  }

  private mutating func heedReports() {
    while let report = AutomationReport(from: reports) { heed(report) }
    if let end { leave(end) }
  }

  private mutating func heed(_ report: AutomationReport) {
    switch AutomationReport.Kind(rawValue: report.kind) {
    case .began: command = report.value
    case .stopped: stop(by: report.value)
    case .exited, .killed: end = report
    case nil: break
    }
  }

  /// What a key on the terminal means has reached the command too: it is in the same process group, or in the one that it made itself.
  private mutating func passOn(_ signal: Int32, from sender: Int32) {
    switch signal {
    case SIGCHLD:
      // The root stops by itself only while it asks a person.
      var (what, value): (Int32, Int32) = (0, 0)
      while case let child = sys_child_news(&what, &value), child > 0 {
        if what == SYS_CHILD_STOPPED { stop(by: value) }
        if what == SYS_CHILD_EXITED || what == SYS_CHILD_KILLED { rootEnded(what, value) }
      }
    case SIGCONT: goOn()
    default:
      guard sender > 0, sender != command, sender != root else { return }
      kill(command ?? root, signal)
    }
  }

  // MARK: job control

  /// Stops as the command has, so that the shell has its terminal again.
  private func stop(by signal: Int32) {
    onTerminal { terminal, own, group in if tcgetpgrp(terminal) == group { tcsetpgrp(terminal, own) } }
    if signal == SIGSTOP { kill(getpid(), SIGSTOP) } else { signals.deliver(signal) }
  }

  private func goOn() {
    onTerminal { terminal, own, group in if tcgetpgrp(terminal) == own { tcsetpgrp(terminal, group) } }
    guard let command else { return _ = kill(root, SIGCONT) }
    let group = getpgid(command)
    if group > 0, group != getpgrp() { kill(-group, SIGCONT) } else { kill(command, SIGCONT) }
  }

  /// Calls `body` if the command has made a process group of its own, as an interactive shell does. A change of the terminal's foreground
  /// group from the background needs SIGTTOU blocked (tcsetpgrp(3)), as it is here.
  private func onTerminal(_ body: (_ terminal: Int32, _ own: Int32, _ group: Int32) -> Void) {
    guard let command, case let group = getpgid(command), group > 0, group != getpgrp() else { return }
    let terminal = sys_open("/dev/tty", O_RDWR, 0)
    guard terminal >= 0 else { return }
    body(terminal, getpgrp(), group)
    close(terminal)
  }

  // MARK: end

  private mutating func rootEnded(_ what: Int32, _ value: Int32) -> Never {
    heedReports()
    // Nobody else would wait for the command, and what it starts would leave the tree.
    if let command {
      Diagnostics.notice("the root of the automation run has ended (process \(root)); the command is killed")
      kill(command, SIGKILL)
    }
    leave(AutomationReport(what == SYS_CHILD_KILLED ? .killed : .exited, value))
  }

  private func leave(_ end: AutomationReport) -> Never {
    if end.left != 0 {
      if isatty(2) == 1 {
        let count = end.left > 0 ? "\(end.left) of its processes" : "processes of it"
        Diagnostics.notice("the run goes on in the background: \(count), below process \(root)")
      }
    } else {
      // The agent then knows of the run's end when the shell does.
      var status: Int32 = 0
      while waitpid(root, &status, 0) < 0, errno == EINTR {}
    }
    guard end.kind == AutomationReport.Kind.killed.rawValue else { exit(end.value) }
    // No core file of this program, which did not fail.
    _ = sys_forbid_core()
    signal(end.value, SIG_DFL)
    signals.deliver(end.value)
    exit(128 + end.value)
  }
}
