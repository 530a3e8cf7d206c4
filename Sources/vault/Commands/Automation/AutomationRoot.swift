import CSystem
import Glibc
import VaultModel
import VaultWire

/// `vault exec --automation`: begins a tree of processes that act by themselves.
///
/// There are three processes. The one that was started (``AutomationFront``) stays for the shell: it passes signals on, stops and goes on
/// with the command, and ends as the command ends. Its child is the root of the tree: it asks the agent, and it becomes the parent of every
/// process of the tree that loses its own, so that the chain of parents never breaks. It stays for as long as one of them runs, which
/// may be longer than the command. The root's child becomes the command.
enum AutomationRoot {
  /// - Returns: in the process that becomes the command, why it could not.
  static func become(_ command: [String], _ request: AutomationRequest, by client: AgentClient) throws -> Failure {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw failure("make a socket pair")
    }
    // A shell that ignores the ends of its children would have the kernel keep theirs from these two.
    let childEnds = signal(SIGCHLD, SIG_DFL)
    let signals = BlockedSignals()
    let root = sys_fork()
    guard root >= 0 else { throw failure("make a process") }
    guard root == 0 else {
      close(ends[1])
      var front = AutomationFront(root: root, reports: ends[0], signals: signals)
      front.run()
    }
    close(ends[0])
    // While the agent is asked, and asks the person, keys on the terminal have their usual meaning.
    signals.restore()
    var request = request
    request.adopter = Int(adopter())
    let reply = try client.ask(request)
    // From here on only: an agent that was started for this must not be one of the tree's processes.
    guard sys_become_subreaper() == 0 else { throw failure("become the root of the tree") }
    signals.block()
    let child = sys_fork()
    guard child >= 0 else { throw failure("make a process") }
    guard child > 0 else {
      signals.restore()
      signal(SIGCHLD, childEnds)
      return ChildEnvironment(reply.credentials, profile: request.credentials.profile, run: reply.run).become(command)
    }
    var reaper = AutomationReaper(command: child, reports: ends[1], signals: signals, agent: client)
    reaper.run()
  }

  /// The process that adopts what loses its parents, above this one (PR_SET_CHILD_SUBREAPER(2const)). Only an orphan knows it.
  ///
  /// - Returns: 0 if that could not be found out.
  private static func adopter() -> Int32 {
    var ends: [Int32] = [-1, -1]
    guard sys_pipe(&ends) == 0 else { return 0 }
    defer { close(ends[0]) }
    let parent = sys_fork()
    if parent == 0 {
      let own = getpid()
      if sys_fork() == 0 {
        while getppid() == own { usleep(50) }
        var found = getppid()
        _ = write(ends[1], &found, 4)
      }
      _exit(0)
    }
    close(ends[1])
    var (found, status): (Int32, Int32) = (0, 0)
    guard parent > 0 else { return 0 }
    while waitpid(parent, &status, 0) < 0, errno == EINTR {}
    return read(ends[0], &found, 4) == 4 ? found : 0
  }

  private static func failure(_ what: String) -> Failure {
    Failure("cannot \(what): \(String(cString: strerror(errno)))", exitStatus: .inputOutput)
  }
}

/// What the root tells the front, as one packet.
struct AutomationReport {
  enum Kind: Int32 { case began = 1, stopped, exited, killed }

  let kind: Int32
  /// The command's process, its exit status, or a signal.
  let value: Int32
  /// How many processes of the tree go on after the command has ended; -1 if the kernel does not say.
  var left: Int32 = 0

  func send(on descriptor: Int32) {
    withUnsafeBytes(of: self) { _ = Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  /// - Returns: nil if the root has gone, or has nothing to report.
  init?(from descriptor: Int32) {
    var packet: [Int32] = [0, 0, 0]
    guard recv(descriptor, &packet, 12, Int32(MSG_DONTWAIT)) == 12 else { return nil }
    (kind, value, left) = (packet[0], packet[1], packet[2])
  }

  init(_ kind: Kind, _ value: Int32, left: Int32 = 0) { (self.kind, self.value, self.left) = (kind.rawValue, value, left) }
}

/// All signals but those that report a fault of the process itself and those that cannot be blocked, as a descriptor.
final class BlockedSignals {
  private static let faults = [SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPIPE]
  private var before = sigset_t()
  let descriptor: Int32

  init() {
    // 32 and 33 are glibc's own (nptl(7)).
    let numbers = (1...64).filter { !Self.faults.contains($0) && $0 != 32 && $0 != 33 }
    descriptor = sys_signals_open(numbers, Int32(numbers.count))
    sigprocmask(SIG_BLOCK, nil, &before)
    block()
  }

  func block() {
    var set = sigset_t()
    sigfillset(&set)
    for signal in Self.faults { sigdelset(&set, signal) }
    sigprocmask(SIG_BLOCK, &set, nil)
  }

  func restore() { sigprocmask(SIG_SETMASK, &before, nil) }

  /// Has a signal its effect on this process now.
  func deliver(_ signal: Int32) {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, signal)
    raise(signal)
    sigprocmask(SIG_UNBLOCK, &set, nil)
    block()
  }

  /// The next one that has arrived, and the process that sent it; 0 for the kernel.
  func next() -> (signal: Int32, sender: Int32)? {
    var sender: Int32 = 0
    let signal = sys_signal_take(descriptor, &sender)
    return signal > 0 ? (signal, sender) : nil
  }

  /// Waits for a signal, or for something at `other`.
  ///
  /// - Returns: what is at `other` (poll(2)).
  func wait(or other: Int32) -> Int16 {
    var waits = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: other, events: Int16(POLLIN), revents: 0)]
    while poll(&waits, nfds_t(waits.count), -1) < 0, errno == EINTR {}
    return waits[1].revents
  }
}
