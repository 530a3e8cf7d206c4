import Foundation
import Glibc
import TestSupport
import Testing
import VaultDatabase
import VaultModel
import VaultStore

@testable import VaultAgent

/// To which tree a process belongs.
@Suite struct AutomationTreesTests {
  /// A process, and the last one of the chain of its descendants.
  private struct Chain {
    let program: RunningProgram
    let last: Int32
    var requester: Requester {
      var requester = AgentStage.me
      requester.pid = program.pid
      return requester
    }

    private static let script = """
      import os, sys
      for _ in range(int(sys.argv[1])):
          child = os.fork()
          if child:
              os.waitpid(child, 0)
              os._exit(0)
      print(os.getpid(), flush=True)
      sys.stdin.readline()
      """

    init(_ length: Int, environment: [String: String] = [:]) async throws {
      program = try RunningProgram(
        Programs.python, ["-c", Self.script, String(length)], environment: ["PATH": "/usr/bin:/bin"].merging(environment) { $1 })
      last = try #require(Int32(try await program.readLine()))
    }
  }

  /// Those of an agent that starts on the stage's store.
  private static func trees(_ stage: AgentStage) -> AutomationTrees {
    AutomationTrees(store: stage.store, loop: stage.store.executor.loop, agent: AgentStage.me, clock: stage.clock)
  }

  private static func run(_ name: String, _ chain: Chain) -> AutomationRun {
    AutomationRun(name: name, run: Identifier.make("run"), rootPid: chain.program.pid)
  }

  @Test("a process belongs to the tree whose root is above it, however far, and to no other")
  func chains() async throws {
    let stage = try await AgentStage()
    let trees = Self.trees(stage)
    let (one, other, outside) = (try await Chain(20), try await Chain(3), try await Chain(3))
    #expect(trees.isEmpty && trees.tree(of: one.last) == nil)
    let runs = [Self.run("one", one), Self.run("other", other)]
    _ = try await trees.begin(runs[0], scope: .readOnly, cgroup: nil, adopter: 1, by: one.requester)
    _ = try await trees.begin(runs[1], scope: .none, cgroup: nil, adopter: 1, by: other.requester)
    #expect(trees.tree(of: one.last)?.run == runs[0])
    #expect(trees.tree(of: one.program.pid)?.run == runs[0])
    #expect(trees.tree(of: other.last)?.run == runs[1])
    #expect(trees.tree(of: outside.last) == nil)
    #expect(trees.tree(of: getpid()) == nil)
  }

  @Test("a process with more parents than are looked at is of a tree, whatever control groups the trees have")
  func deep() async throws {
    let stage = try await AgentStage()
    let trees = Self.trees(stage)
    let (root, other) = (try await Chain(1), try await Chain(4))
    let run = Self.run("far", root)
    _ = try await trees.begin(run, scope: .none, cgroup: "/own", adopter: 1, by: root.requester)
    let far = Ancestry(of: other.last, maxDepth: 3)
    #expect(far.isTooDeep && !far.isComplete)
    #expect(trees.tree(far, marker: nil, variable: nil)?.run == run)
    #expect(trees.tree(of: other.last) == nil)
  }

  @Test("an ancestry is what /proc shows of it, the nearest first")
  func ancestry() async throws {
    let chain = try await Chain(6)
    let ancestry = Ancestry(of: chain.last)
    var expected: [Int32] = []
    var pid = chain.last
    while true {
      let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
      let fields = stat[stat.index(after: stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
      pid = try #require(Int32(fields[1]))
      guard pid > 0 else { break }
      expected.append(pid)
    }
    #expect(ancestry.isComplete)
    #expect(ancestry.parents == expected)
    #expect(ancestry.parents.firstIndex(of: chain.program.pid) == 5)
    #expect(!Ancestry(of: 0).isComplete)
  }

  @Test("a process that has the number of a tree's root, but began at another time, is no root")
  func reusedNumber() async throws {
    let stage = try await AgentStage()
    let chain = try await Chain(2)
    let real = try #require(ProcessIdentity(running: chain.program.pid))
    let former = ProcessIdentity(pid: real.pid, started: real.started - 1, boot: real.boot)
    try await stage.store.begin(
      AutomationRecord(
        run: Self.run("former", chain), root: former, cgroup: nil, scope: .none, began: stage.clock.now(), adopters: [1]),
      event: AuditEvent(action: .automationStarted, outcome: .success, trigger: .exec, requester: AgentStage.me))
    let trees = Self.trees(stage)
    try await trees.resume()
    #expect(trees.tree(of: chain.last) == nil)
    #expect(trees.tree(of: real.pid) == nil)
  }

  @Test("a run of before the machine's last start has ended, whatever has its root's number now")
  func formerBoot() async throws {
    let stage = try await AgentStage()
    let chain = try await Chain(2)
    let real = try #require(ProcessIdentity(running: chain.program.pid))
    let run = Self.run("former", chain)
    try await stage.store.begin(
      AutomationRecord(
        run: run, root: ProcessIdentity(pid: real.pid, started: 0, boot: "another"), cgroup: nil, scope: .none,
        began: stage.clock.now(), adopters: [1]),
      event: AuditEvent(action: .automationStarted, outcome: .success, trigger: .exec, requester: AgentStage.me))
    let trees = Self.trees(stage)
    try await trees.resume()
    #expect(trees.isEmpty && trees.tree(of: chain.last) == nil)
    #expect(try await stage.rows(.automationEnded).map(\.event.requester.automation) == [run])
    #expect(try await stage.store.automationRuns().isEmpty)
  }

  @Test("a variable of the run marks a process that has lost its parents, and one of a run that is not known is read-only")
  func marked() async throws {
    let stage = try await AgentStage()
    let trees = Self.trees(stage)
    let root = try await Chain(1)
    let run = Self.run("marked", root)
    _ = try await trees.begin(run, scope: .none, cgroup: nil, adopter: 1, by: root.requester)
    let own = try await Chain(1, environment: [AgentVariables.run: run.run])
    let strange = try await Chain(1, environment: [AgentVariables.run: "run_0000000000000000"])
    #expect(trees.tree(of: own.last)?.run == run)
    let unknown = try #require(trees.tree(of: strange.last))
    #expect(unknown.scope == .readOnly && !unknown.isHint && unknown.run.run == "run_0000000000000000")
  }

  @Test("a variable by which an agent names itself is a hint, and an invented one is nothing")
  func hints() async throws {
    let trees = Self.trees(try await AgentStage())
    let hint = try #require(trees.tree(Ancestry(of: getpid()), marker: nil, variable: "CLAUDECODE"))
    #expect(hint.isHint && hint.effectiveScope(allowed: false) == .none)
    #expect(trees.tree(Ancestry(of: getpid()), marker: nil, variable: "PATH") == nil)
  }

  @Test("a tree that nobody narrowed is read-only unless a rule allows it more, and a narrowed one is as it was narrowed")
  func defaultScope() async throws {
    let stage = try await AgentStage()
    let trees = Self.trees(stage)
    let chain = try await Chain(1)
    let tree = try await trees.begin(Self.run("plain", chain), scope: .none, cgroup: nil, adopter: 1, by: chain.requester)
    #expect(tree.effectiveScope(allowed: false) == .readOnly)
    #expect(tree.effectiveScope(allowed: true) == .none)
    let policy = SessionScope { $0.policyARNs = ["arn:aws:iam::aws:policy/ReadOnlyAccess"] }
    let narrowed = try await trees.begin(Self.run("narrowed", chain), scope: policy, cgroup: nil, adopter: 1, by: chain.requester)
    #expect(narrowed.effectiveScope(allowed: false) == policy && narrowed.effectiveScope(allowed: true) == policy)
  }

  @Test("an agent that starts again goes on with the trees, also under another master key, and a revoked one stays revoked")
  func resumed() async throws {
    let stage = try await AgentStage()
    let (kept, ended) = (try await Chain(2), try await Chain(2))
    do {
      let trees = Self.trees(stage)
      _ = try await trees.begin(Self.run("kept", kept), scope: .readOnly, cgroup: nil, adopter: 1, by: kept.requester)
      let run = Self.run("ended", ended)
      _ = try await trees.begin(run, scope: .none, cgroup: nil, adopter: 1, by: ended.requester)
      #expect(try await trees.revoke(run: run.run)?.run.name == "ended")
      #expect(trees.tree(of: ended.last)?.isRevoked == true)
    }
    _ = try await stage.masterKeys.rotate(for: NonInteractivePrompter(), requester: AgentStage.me)
    let trees = Self.trees(stage)
    try await trees.resume()
    await trees.prove()
    let tree = try #require(trees.tree(of: kept.last))
    #expect(tree.scope == .readOnly && !tree.isRevoked && tree.run.name == "kept")
    #expect(trees.tree(of: ended.last)?.isRevoked == true)
  }

  @Test("a tree whose row another program widened gets nothing")
  func forged() async throws {
    let stage = try await AgentStage()
    let chain = try await Chain(2)
    _ = try await Self.trees(stage).begin(Self.run("a", chain), scope: .readOnly, cgroup: nil, adopter: 1, by: chain.requester)
    try Database(path: stage.folder.file("vault.db"), access: .readWrite).execute("UPDATE automation_run SET scope = NULL")
    let trees = Self.trees(stage)
    try await trees.resume()
    #expect(trees.tree(of: chain.last)?.isRevoked == false)
    await trees.prove()
    #expect(trees.tree(of: chain.last)?.isRevoked == true)
  }

  @Test("a tree ends with its root, and what is left of it stays narrowed and is counted and named")
  func ended() async throws {
    let stage = try await AgentStage()
    let trees = Self.trees(stage)
    let run = AutomationRun(name: "killed", run: Identifier.make("run"), rootPid: 0)
    let chain = try await Chain(2, environment: [AgentVariables.run: run.run])
    // With a group of its own, what other tests leave behind is not taken for one of the tree.
    _ = try await trees.begin(run, scope: .readOnly, cgroup: "/own", adopter: 1, by: chain.requester)
    chain.program.signal(SIGKILL)
    var rows: [AuditEvent] = []
    while rows.isEmpty { rows = try await stage.rows(.automationEnded).map(\.event) }
    let row = rows[0]
    #expect(row.detail?.contains("2 processes are left") == true, "\(row.detail ?? "")")
    #expect(row.detail?.contains("\(chain.last) ") == true)
    #expect(row.requester.automation == run)
    #expect(trees.tree(of: chain.last)?.run == run)
    let survivors = Ancestry(of: chain.last).parents.prefix(1) + [chain.last]
    for pid in survivors { kill(pid, SIGKILL) }
    while !trees.isEmpty { await Task.yield() }
    #expect(try await stage.store.automationRuns().isEmpty)
  }

  /// A family: an adopter, a process older than the root, the root, and a member of its tree that nothing marks.
  private struct Family {
    let adopter: RunningProgram
    let older: Int32
    let root: Int32
    let member: Int32

    private static let script = """
      import ctypes, os, signal, sys, time
      ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER

      def say(name):
          print(name, os.getpid(), flush=True)

      def child(*_):
          '''Makes a process, and ends where it is to.'''
          if os.fork() == 0:
              say("child" if begun else "older")
              wait()
          if leaves:
              os._exit(0)

      def wait():
          while True:
              signal.pause()

      signal.signal(signal.SIGUSR1, child)
      begun = leaves = False
      child()
      time.sleep(0.05)  # start times are in hundredths of a second
      if os.fork() == 0:
          begun = leaves = True
          say("root")
          if os.fork() == 0:
              say("member")
          wait()
      while True:
          try:
              os.wait()
          except ChildProcessError:
              break
      """

    init() async throws {
      adopter = try RunningProgram(Programs.python, ["-c", Self.script], environment: ["PATH": "/usr/bin:/bin"])
      var pids: [Substring: Int32] = [:]
      for _ in 0..<3 {
        let words = try await adopter.readLine().split(separator: " ")
        pids[words[0]] = Int32(words[1])
      }
      (older, root, member) = (try #require(pids["older"]), try #require(pids["root"]), try #require(pids["member"]))
    }

    /// Has a process make another; the member ends then.
    func child(of pid: Int32) async throws -> Int32 {
      kill(pid, SIGUSR1)
      return try #require(Int32(try await adopter.readLine().split(separator: " ")[1]))
    }
  }

  @Test("what lost its parents when a root was killed is of the tree, whatever it has dropped, and nobody else is")
  func orphans() async throws {
    let stage = try await AgentStage()
    let family = try await Family()
    var requester = AgentStage.me
    requester.pid = family.root
    let run = AutomationRun(name: "killed", run: Identifier.make("run"), rootPid: family.root)
    func expectApart(_ trees: AutomationTrees, member: Int32) async throws {
      #expect(trees.tree(of: member)?.run == run)
      #expect(trees.tree(of: family.older) == nil)
      #expect(trees.tree(of: try await family.child(of: family.older)) == nil)
      #expect(trees.tree(of: family.adopter.pid) == nil)
      #expect(trees.tree(of: getpid()) == nil)
    }
    let trees = Self.trees(stage)
    _ = try await trees.begin(run, scope: .readOnly, cgroup: nil, adopter: family.adopter.pid, by: requester)
    try await expectApart(trees, member: family.member)
    kill(family.root, SIGKILL)
    while Ancestry(of: family.member).parents.first != family.adopter.pid { await Task.yield() }
    try await expectApart(trees, member: family.member)
    // Its own child is adopted, too.
    let next = try await family.child(of: family.member)
    while Ancestry(of: next).parents.first != family.adopter.pid { await Task.yield() }
    try await expectApart(trees, member: next)
    var rows: [AuditEvent] = []
    while rows.isEmpty { rows = try await stage.rows(.automationEnded).map(\.event) }
    #expect(rows[0].detail?.contains(" left and stay") == true, "\(rows[0].detail ?? "")")
    let later = Self.trees(stage)
    try await later.resume()
    try await expectApart(later, member: next)
    kill(next, SIGKILL)
    while !later.isEmpty { await Task.yield() }
    #expect(try await stage.store.automationRuns().isEmpty)
  }

  @Test("a run whose root says that nothing of it is left has ended, and no orphan is taken for one of it")
  func orderlyEnd() async throws {
    let stage = try await AgentStage()
    let family = try await Family()
    var requester = AgentStage.me
    requester.pid = family.root
    let trees = Self.trees(stage)
    let run = AutomationRun(name: "done", run: Identifier.make("run"), rootPid: family.root)
    let tree = try await trees.begin(run, scope: .readOnly, cgroup: nil, adopter: family.adopter.pid, by: requester)
    await trees.end(tree)
    kill(family.root, SIGKILL)
    while Ancestry(of: family.member).parents.first != family.adopter.pid { await Task.yield() }
    #expect(trees.isEmpty && trees.tree(of: family.member) == nil)
    #expect(try await stage.rows(.automationEnded).map(\.event.detail) == [nil])
    #expect(try await stage.store.automationRuns().isEmpty)
  }

  @Test("a process is told apart among 100 trees, with 20 parents above it, in at most half a millisecond")
  func quick() async throws {
    let stage = try await AgentStage()
    let trees = Self.trees(stage)
    var roots: [Chain] = []
    for number in 0..<100 {
      let chain = try await Chain(number == 50 ? 20 : 0)
      roots.append(chain)
      _ = try await trees.begin(Self.run("tree-\(number)", chain), scope: .none, cgroup: nil, adopter: 1, by: chain.requester)
    }
    let outside = try await Chain(20)
    for (pid, isMember) in [(roots[50].last, true), (outside.last, false)] {
      var times: [Duration] = []
      for _ in 0..<500 {
        let took = ContinuousClock().measure { #expect((trees.tree(of: pid) != nil) == isMember) }
        times.append(took)
      }
      times.sort()
      print("membership among 100 trees, 20 parents, \(isMember ? "inside" : "outside"): best \(times[0]), median \(times[250])")
      // The best of many: other tests have the processors too, and this build is not optimized.
      #expect(times[0] <= .microseconds(500))
    }
    withExtendedLifetime(outside) {}
  }
}
