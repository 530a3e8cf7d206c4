import CSystem
import Glibc
import VaultModel
import VaultWire

/// The root of a tree, after it has started the command: waits for every process of the tree, and tells the front about the command.
struct AutomationReaper {
  let command: Int32
  let reports: Int32
  let signals: BlockedSignals
  let agent: AgentClient
  private var hasReported = false

  init(command: Int32, reports: Int32, signals: BlockedSignals, agent: AgentClient) {
    (self.command, self.reports, self.signals, self.agent) = (command, reports, signals, agent)
  }

  mutating func run() -> Never {
    AutomationReport(.began, command).send(on: reports)
    // A reader of the command's output sees its end when the command ends, not when the root does.
    leaveTerminal()
    while true {
      reap()
      let isFrontGone = signals.wait(or: hasReported ? -1 : reports) & Int16(POLLHUP | POLLERR) != 0
      // Only a signal that cannot be passed on ends the front before the command.
      if isFrontGone, !hasReported { kill(command, SIGKILL) }
      while let (signal, sender) = signals.next() {
        // The front passes on what concerns the command; what is left of the tree has nobody else to do so.
        guard hasReported, sender > 0, signal != SIGCHLD else { continue }
        for child in children ?? [] { kill(child, signal) }
      }
    }
  }

  private mutating func reap() {
    var ended: AutomationReport?
    while true {
      var (what, value): (Int32, Int32) = (0, 0)
      let child = sys_child_news(&what, &value)
      if child == 0 { break }
      if child < 0 {
        if let ended { AutomationReport(kind: ended, left: 0).send(on: reports) }
        leave()
      }
      guard child == command else { continue }
      switch what {
      case SYS_CHILD_STOPPED: AutomationReport(.stopped, value).send(on: reports)
      case SYS_CHILD_EXITED: ended = AutomationReport(.exited, value)
      case SYS_CHILD_KILLED: ended = AutomationReport(.killed, value)
      default: break
      }
    }
    guard let ended else { return }
    hasReported = true
    AutomationReport(kind: ended, left: children.map { Int32($0.count) } ?? -1).send(on: reports)
    close(reports)
    // What stays must not keep a file system busy.
    _ = chdir("/")
  }

  /// Tells the agent that nothing of the tree is left: a root that ends without a word was killed.
  private func leave() -> Never {
    // The shell waits for this process.
    signal(SIGALRM, SIG_DFL)
    signals.restore()
    alarm(2)
    _ = try? agent.askRunning(.automationEnd)
    exit(0)
  }

  private func leaveTerminal() {
    let null = sys_open("/dev/null", O_RDWR, 0)
    for descriptor: Int32 in 0...2 where null >= 0 { dup2(null, descriptor) }
    if null > 2 { close(null) }
  }

  /// Nil if the kernel does not list them (CONFIG_PROC_CHILDREN).
  private var children: [Int32]? {
    let file = sys_open("/proc/self/task/\(getpid())/children", O_RDONLY, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var text: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16_384)
    while case let count = read(file, &piece, piece.count), count > 0 { text += piece[..<count] }
    return text.split(separator: 0x20).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
  }
}

extension AutomationReport {
  fileprivate init(kind report: AutomationReport, left: Int32) {
    self = report
    self.left = left
  }
}
