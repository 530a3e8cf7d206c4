import Glibc
import VaultModel

/// The terminal at which a request is answered.
struct AnsweringTerminal: Sendable {
  /// The process that answers, and those above it.
  let line: [ProcessPlace]
  /// The same for each process that holds the terminal's other side, as far as that can be seen.
  let holders: [[ProcessPlace]]
  /// Its device's name; nil for a process without a terminal.
  let name: String?

  init(line: [ProcessPlace], holders: [[ProcessPlace]], name: String?) {
    (self.line, self.holders, self.name) = (line, holders, name)
  }

  /// The terminal of a process. It is looked for in the descriptors of every process.
  init(of ancestry: Ancestry) {
    line = ProcessPlace.line(ancestry)
    let masters = line.first.flatMap { ProcessFacts.pseudoTerminal($0.terminal) }.map { ProcessFacts.masters(of: $0) } ?? []
    holders = masters.map { ProcessPlace.line(Ancestry(of: $0)) }
    name = ProcessFacts.terminal(of: ancestry.pid)
  }
}

/// Where a request came from, by the processes that were above it when it was made: it tells a person's other terminal from one that
/// the asking program has made.
///
/// A terminal counts as the person's if what is common to it and to the request is above the request's own terminal: the terminal
/// emulator, the tmux server, the SSH server, the desktop. Every process between the request and that one may have had a part in it.
struct RequestOrigin: Sendable {
  /// The process that asks and those above it, and the same for the leader of its session, which it may have outlived as a parent.
  private let lines: [[ProcessPlace]]
  /// Whether all processes above it are known.
  private let isComplete: Bool
  /// The user who asks.
  private let uid: UInt32
  /// When, in clock ticks since the machine's start.
  private let asked: Int64

  init(lines: [[ProcessPlace]], isComplete: Bool = true, uid: UInt32, asked: Int64) {
    self.lines = lines.filter { !$0.isEmpty }
    (self.isComplete, self.uid, self.asked) = (isComplete, uid, asked)
  }

  /// The origin of a request that is made now.
  ///
  /// - Parameter root: the process at which the asking tree begins.
  init(of requester: Requester, root: ProcessKey) {
    var now = timespec()
    clock_gettime(CLOCK_BOOTTIME, &now)
    let frequency = sysconf(Int32(_SC_CLK_TCK))
    let above = (requester.pid == root.pid ? [root.pid] : [requester.pid, root.pid]).map { Ancestry(of: $0) }
    self.init(
      lines: above.map { ProcessPlace.line($0) }, isComplete: above.allSatisfy(\.isComplete), uid: requester.uid,
      asked: Int64(now.tv_sec * frequency + now.tv_nsec * frequency / 1_000_000_000))
  }

  /// Why an agreement from a terminal does not count; nil if it does.
  func fault(of terminal: AnsweringTerminal) -> ApprovalError? {
    guard isComplete else { return .unknownAsker }
    let (known, suspects) = (Set(lines.joined()), Set(lines.flatMap { asking($0) }))
    for line in [terminal.line] + terminal.holders {
      if let common = line.first(where: known.contains), suspects.contains(common) { return Self.shared(common) }
    }
    guard let approver = terminal.line.first else { return .unknownApprover }
    // The shell of that terminal is above the request, even where it is also the first process of a container.
    if let shell = terminal.line.last(where: { $0.terminal == approver.terminal }), known.contains(shell) {
      return Self.shared(shell)
    }
    return isYoung(terminal.line, common: terminal.line.firstIndex(where: known.contains)) ? .newTerminal : nil
  }

  private static func shared(_ place: ProcessPlace) -> ApprovalError {
    .sharedOrigin(program: PeerInspector.link("/proc/\(place.pid)/exe"), pid: place.pid)
  }

  /// The processes of a line that may have had a part in the request: up to the last that has a pseudo-terminal, above which is what
  /// made that terminal; else up to the last that has any terminal; else all that are the user's, up to a service manager or a
  /// desktop, which gives what it starts a control group of its own.
  private func asking(_ line: [ProcessPlace]) -> ArraySlice<ProcessPlace> {
    func last(_ isMeant: (ProcessPlace) -> Bool) -> Int? { line.lastIndex { !$0.isFirst && isMeant($0) } }
    let group = line[0].controlGroup
    let desktop = line.firstIndex { $0.controlGroup != group } ?? line.endIndex
    let end =
      last { $0.isOnPseudoTerminal } ?? last { $0.terminal != 0 } ?? line[..<desktop].lastIndex { $0.uid == uid && !$0.isFirst }
      ?? 0
    return line[...end]
  }

  /// Whether a terminal began after the request, at the hands of a process that has left its parents: it may be the asking program's.
  ///
  /// - Parameter common: the place in the line of the nearest process that is above the request too; nil if there is none, as for a
  ///   program that was started into a container from outside.
  private func isYoung(_ line: [ProcessPlace], common: Int?) -> Bool {
    guard let approver = line.first, approver.isOnPseudoTerminal, let common, let asker = lines.first?.first,
      approver.controlGroup == asker.controlGroup,
      // Any other process is the parent of its children because it has started them.
      line[common].isFirst || line[common].controlGroup != asker.controlGroup
    else { return false }
    let own = line[..<common]
    let isNested = own.contains { $0.isOnPseudoTerminal && $0.terminal != approver.terminal }
    let first = isNested ? own.last { $0.terminal == approver.terminal } : own.last
    // Both are counted in hundredths of a second: what began in the same one may have begun after it.
    return first.map { $0.began >= asked } ?? false
  }
}
