import Glibc
import Synchronization
import TestSupport
import Testing
import VaultModel

@testable import VaultAgent

/// Confirmations, with a clock and a person that do as a test says.
struct ApprovalsTests {
  /// A person who is asked one way, and answers when a test says.
  private final class Person: ApprovalChannel {
    let name = "a person"
    private let isThere: Bool
    private let answers = Mutex<[CheckedContinuation<Bool?, Never>]>([])
    private let counts = Mutex((asked: 0, gone: 0))
    /// How often a question was put, and can be answered.
    var asks: Int { counts.withLock { $0.asked } }
    var gone: Int { counts.withLock { $0.gone } }

    init(isThere: Bool = true) { self.isThere = isThere }

    func ask(_ ask: ApprovalAsk, until end: Timestamp) async -> Bool? {
      guard isThere else {
        counts.withLock { $0.asked += 1 }
        return nil
      }
      return await withTaskCancellationHandler {
        await withCheckedContinuation { answer in
          answers.withLock { $0.append(answer) }
          counts.withLock { $0.asked += 1 }
          if Task.isCancelled { say(nil) }
        }
      } onCancel: {
        counts.withLock { $0.gone += 1 }
        say(nil)
      }
    }

    func say(_ answer: Bool?) {
      let waiting = answers.withLock { answers in
        defer { answers = [] }
        return answers
      }
      for one in waiting { one.resume(returning: answer) }
    }
  }

  private struct Stage {
    let clock = FakeClock()
    let person: Person
    let approvals: Approvals
    private let log = Log()
    private let ends = Ends()

    final class Log: Sendable { let events = Mutex<[AuditEvent]>([]) }
    final class Ends: Sendable { let all = Mutex<[(pid: Int32, body: @Sendable () -> Void)]>([]) }

    init(_ person: Person = Person(), fault: (any Error)? = nil) {
      self.person = person
      approvals = Approvals(
        channels: [person], clock: clock,
        onExit: { [ends] pid, body in ends.all.withLock { $0.append((pid, body)) } },
        record: { [log] event in
          if let fault { throw fault }
          log.events.withLock { $0.append(event) }
        })
    }

    var events: [AuditEvent] { log.events.withLock { $0 } }
    /// A process is said to have ended.
    func end(_ pid: Int32) { for one in ends.all.withLock({ $0 }) where one.pid == pid { one.body() } }

    func confirm(_ ask: ApprovalAsk, wait: Bool = true) async -> ApprovalError? {
      do {
        try await approvals.confirm(ask, for: NonInteractivePrompter(), wait: wait)
        return nil
      } catch {
        return error as? ApprovalError
      }
    }
  }

  /// A shell in a session of its own, which ends with the test.
  private final class Asker: Sendable {
    private let program: RunningProgram
    let pid: Int32
    /// What the script printed.
    let line: String

    init(_ script: String = "echo; exec cat") async throws {
      program = try RunningProgram(
        "/usr/bin/setsid", ["--wait", "/bin/sh", "-c", "echo $$; \(script)"], environment: ["PATH": "/usr/bin:/bin"])
      pid = try #require(Int32(try await program.readLine()))
      line = try await program.readLine()
    }

    func end() { kill(pid, SIGKILL) }
  }

  private static func ask(
    _ pid: Int32 = getpid(), profile: String = "prod-app", remembered: Int? = nil, duration: Int = 3_600,
    automation: AutomationRun? = nil
  ) -> ApprovalAsk {
    ApprovalAsk(
      profile: profile, roleARN: "arn:aws:iam::123456789012:role/prod", scope: .readOnly,
      duration: SessionDuration(seconds: duration), reason: "deploy", requester: requester(pid, automation: automation),
      remembered: remembered)
  }

  /// A terminal that has nothing in common with this process.
  private static let elsewhere = AnsweringTerminal(
    line: [ProcessPlace(pid: 1 << 22, began: 1, terminal: 136 << 8 | 7, uid: getuid(), controlGroup: nil)], holders: [],
    name: "pts/7")

  private static func requester(_ pid: Int32 = getpid(), automation: AutomationRun? = nil) -> Requester {
    Requester(
      user: "alice", uid: getuid(), pid: pid, program: "terraform", executable: "/usr/bin/terraform", directory: "/srv/infra",
      parent: "/bin/bash", host: "laptop", parents: [Ancestor(pid: 7, executable: "/bin/bash")], automation: automation)
  }

  /// Lets others run until a condition holds.
  private static func until(_ condition: () async -> Bool) async {
    while await !condition() { await Task.yield() }
  }

  @Test("200 requests of one tree for one profile are one question, and one answer is for all of them")
  func once() async throws {
    let stage = Stage()
    await withTaskGroup(of: ApprovalError?.self) { group in
      for _ in 0..<200 { group.addTask { await stage.confirm(Self.ask()) } }
      await Self.until { await stage.approvals.waiting.first?.requests == 200 }
      #expect(await stage.approvals.waiting.count == 1)
      stage.person.say(true)
      for await fault in group { #expect(fault == nil) }
    }
    #expect(stage.person.asks == 1)
    #expect(stage.events.map(\.action) == [.confirmed])
    #expect(stage.events[0].detail == "by a person; 200 requests" && stage.events[0].reason == "deploy")
    #expect(stage.events[0].scope?.contains(#""readOnly":true"#) == true && stage.events[0].durationSeconds == 3_600)
  }

  @Test("what differs in profile, role, scope or tree, or is for longer, is a question of its own")
  func distinct() async throws {
    let (stage, other) = (Stage(), try await Asker())
    var wider = Self.ask()
    wider = ApprovalAsk(
      profile: wider.profile, roleARN: wider.roleARN, scope: .none, duration: wider.duration, reason: nil,
      requester: wider.requester, remembered: nil)
    let run = AutomationRun(name: "agent", run: "run_0123456789abcdef", rootPid: getpid())
    let asks = [
      Self.ask(), Self.ask(profile: "prod-other"), wider, Self.ask(other.pid), Self.ask(duration: 7_200),
      Self.ask(automation: run),
    ]
    await withTaskGroup(of: ApprovalError?.self) { group in
      for ask in asks { group.addTask { await stage.confirm(ask) } }
      await Self.until { await stage.approvals.waiting.count == asks.count && stage.person.asks == asks.count }
      // A shorter session is part of what was asked.
      group.addTask { await stage.confirm(Self.ask(duration: 900)) }
      await Self.until { await stage.approvals.waiting.reduce(0) { $0 + $1.requests } == asks.count + 1 }
      #expect(await stage.approvals.waiting.count == asks.count)
      group.cancelAll()
    }
    await Self.until { await stage.approvals.waiting.isEmpty }
    #expect(stage.events.allSatisfy { $0.action == .confirmationRefused } && stage.events.count == asks.count)
  }

  @Test("without an answer within 60 seconds the request is refused, the question taken away, and the refusal logged")
  func timeout() async throws {
    let stage = Stage()
    async let fault = stage.confirm(Self.ask())
    await Self.until { stage.clock.sleeping == 1 && stage.person.asks == 1 }
    stage.clock.advance(seconds: 59)
    #expect(await stage.approvals.waiting.count == 1)
    stage.clock.advance(seconds: 1)
    #expect(await fault == .unanswered(profile: "prod-app", seconds: 60))
    let refusal = Failure(ApprovalError.unanswered(profile: "prod-app", seconds: 60))
    #expect(refusal.exitStatus == .refused && refusal.hint?.contains("vault approve") == true)
    await Self.until { stage.person.gone == 1 }
    #expect(stage.events.map(\.action) == [.confirmationRefused] && stage.events[0].detail == "no answer within 60 s")
  }

  @Test("an agreement for 15 minutes holds for that tree and profile for 15 minutes, and then a person is asked again")
  func memory() async throws {
    let (stage, other) = (Stage(), try await Asker())
    async let first = stage.confirm(Self.ask(remembered: 900))
    await Self.until { stage.person.asks == 1 }
    stage.person.say(true)
    #expect(await first == nil)
    stage.clock.advance(seconds: 899)
    #expect(await stage.confirm(Self.ask(remembered: 900)) == nil)
    #expect(await stage.confirm(Self.ask(remembered: 900, duration: 900)) == nil)
    #expect(stage.person.asks == 1)
    // Another tree, a rule that has become stricter, and a longer session.
    for (number, ask) in [
      Self.ask(other.pid, remembered: 900), Self.ask(remembered: 300), Self.ask(), Self.ask(remembered: 900, duration: 7_200),
    ].enumerated() {
      async let fault = stage.confirm(ask)
      await Self.until { stage.person.asks == number + 2 && stage.clock.sleeping > 0 }
      stage.person.say(false)
      #expect(await fault == .denied(profile: "prod-app", way: "a person"))
    }
    stage.clock.advance(seconds: 1)
    async let late = stage.confirm(Self.ask(remembered: 900))
    await Self.until { stage.person.asks == 6 }
    stage.person.say(false)
    #expect(await late == .denied(profile: "prod-app", way: "a person"))
    // What was forgotten is asked again, too.
    async let again = stage.confirm(Self.ask(remembered: 900))
    await Self.until { stage.person.asks == 7 }
    stage.person.say(true)
    #expect(await again == nil)
    await stage.approvals.forget(profile: "prod-app")
    async let forgotten = stage.confirm(Self.ask(remembered: 900))
    await Self.until { stage.person.asks == 8 }
    stage.person.say(false)
    #expect(await forgotten != nil)
  }

  @Test(
    "an agreement to a session is none to an access key itself, to the console, to another name, or to what comes from elsewhere")
  func narrow() async throws {
    let stage = Stage()
    let agreed = Self.ask(remembered: 900)
    async let first = stage.confirm(agreed)
    await Self.until { stage.person.asks == 1 }
    stage.person.say(true)
    #expect(await first == nil)
    var others = [agreed, agreed, agreed, agreed]
    others[0].credentials = .accessKey
    others[1].credentials = .console
    others[2].sessionName = "root"
    others[3].identity = ["keys", "other", "AKIAIOSFODNN7EXAMPLE"]
    for (number, ask) in others.enumerated() {
      async let fault = stage.confirm(ask)
      await Self.until { stage.person.asks == number + 2 }
      stage.person.say(false)
      #expect(await fault == .denied(profile: "prod-app", way: "a person"))
    }
    #expect(await stage.confirm(agreed) == nil)
    #expect(others[0].text.contains("credentials: the access key itself, which does not expire"))
    #expect(!others[0].text.contains("duration:"))
    #expect(others[1].text.contains("credentials: a sign-in to the AWS console") && others[2].text.contains("session name: root"))
    #expect(stage.events[1].detail == "by a person; the access key itself, which does not expire")
  }

  @Test("one tree has at most eight questions at once, and another finds room")
  func room() async throws {
    let (stage, other) = (Stage(), try await Asker())
    await withTaskGroup(of: ApprovalError?.self) { group in
      for number in 0..<8 { group.addTask { await stage.confirm(Self.ask(profile: "prod-\(number)")) } }
      await Self.until { await stage.approvals.waiting.count == 8 }
      #expect(await stage.confirm(Self.ask(profile: "prod-8")) == .tooManyOfTree(count: 8))
      // What waits already is joined.
      group.addTask { await stage.confirm(Self.ask(profile: "prod-0")) }
      group.addTask { await stage.confirm(Self.ask(other.pid)) }
      await Self.until { await stage.approvals.waiting.reduce(0) { $0 + $1.requests } == 10 }
      #expect(await stage.approvals.waiting.count == 9)
      group.cancelAll()
    }
  }

  @Test("those of whom the kernel says nothing share one limit")
  func unknownRoom() {
    let unknown = [AskingTree(of: Self.requester(0), number: 1), AskingTree(of: Self.requester(0), number: 2)]
    #expect(unknown[0] != unknown[1] && unknown[0].shares(room: unknown[1]))
    #expect(!unknown[0].shares(room: AskingTree(of: Self.requester(), number: 3)))
  }

  @Test("an agreement to each request is not remembered")
  func always() async throws {
    let stage = Stage()
    for number in 1...3 {
      async let fault = stage.confirm(Self.ask())
      await Self.until { stage.person.asks == number }
      stage.person.say(true)
      #expect(await fault == nil)
    }
    #expect(stage.events.map(\.action) == [.confirmed, .confirmed, .confirmed])
  }

  @Test("the question goes with the last that waits for it; those that left before it get nothing, and it is logged")
  func askerLeaves() async throws {
    let stage = Stage()
    let tasks = (0..<2).map { _ in Task { await stage.confirm(Self.ask(remembered: 900)) } }
    await Self.until { await stage.approvals.waiting.first?.requests == 2 && stage.person.asks == 1 }
    tasks[0].cancel()
    _ = await tasks[0].value
    #expect(await stage.approvals.waiting.count == 1 && stage.person.gone == 0)
    tasks[1].cancel()
    _ = await tasks[1].value
    await Self.until { await stage.approvals.waiting.isEmpty && stage.person.gone == 1 }
    await Self.until { stage.events.count == 1 }
    #expect(
      stage.events[0].action == .confirmationRefused && stage.events[0].detail == "the program that asked ended first; 2 requests"
    )
  }

  @Test("an answer for a process that has ended grants nothing")
  func askerEnds() async throws {
    let (stage, asker) = (Stage(), try await Asker())
    let ask = Self.ask(asker.pid, remembered: 900)
    // The connection may be held open by another process.
    async let fault = stage.confirm(ask)
    await Self.until { stage.person.asks == 1 }
    asker.end()
    await Self.until { ProcessKey(asker.pid) == nil }
    stage.person.say(true)
    #expect(await fault == .askerEnded)
    #expect(stage.events.map(\.action) == [.confirmationRefused])
    #expect(await stage.confirm(ask) == .askerEnded)
  }

  @Test("what is revoked is withdrawn for the process that is meant, and the question stays for the others of its tree")
  func revoked() async throws {
    let (stage, asker) = (Stage(), try await Asker("sleep 60 & echo $!; exec cat"))
    let child = try #require(Int32(asker.line))
    async let kept = stage.confirm(Self.ask(asker.pid))
    async let meant = stage.confirm(Self.ask(child))
    await Self.until { await stage.approvals.waiting.first?.requests == 2 }
    await stage.approvals.withdraw { $1 == child }
    #expect(await meant == .revoked)
    #expect(await stage.approvals.waiting.count == 1 && stage.person.gone == 0)
    stage.person.say(true)
    #expect(await kept == nil)
    async let all = stage.confirm(Self.ask(child))
    await Self.until { stage.person.asks == 2 }
    await stage.approvals.withdraw { _, _ in true }
    #expect(await all == .revoked)
    #expect(await stage.approvals.waiting.isEmpty)
    #expect(stage.events.map(\.action) == [.confirmed, .confirmationRefused])
    #expect(stage.events[1].detail == "revoked before there was an answer")
    kill(child, SIGKILL)
    asker.end()
  }

  @Test("what cannot be logged is not given")
  func unlogged() async throws {
    struct Full: Error {}
    let stage = Stage(fault: Full())
    let given = Task { try await stage.approvals.confirm(Self.ask(remembered: 900), for: NonInteractivePrompter(), wait: true) }
    await Self.until { stage.person.asks == 1 }
    stage.person.say(true)
    await #expect(throws: Full.self) { try await given.value }
    async let again = stage.confirm(Self.ask(remembered: 900))
    await Self.until { stage.person.asks == 2 }
    stage.person.say(false)
    _ = await again
  }

  @Test("one that cannot wait is told to ask again, and its next request finds the answer, once or for as long as it holds")
  func endpoint() async throws {
    for remembered in [nil, 900] {
      let stage = Stage()
      let ask = Self.ask(remembered: remembered)
      for _ in 0..<3 {
        guard case .waiting(_, let id) = await stage.confirm(ask, wait: false) else {
          Issue.record("was not told to wait")
          return
        }
        #expect(Failure(ApprovalError.waiting(profile: "prod-app", id: id)).isRetryable)
      }
      await Self.until { stage.person.asks == 1 }
      stage.person.say(true)
      await Self.until { await stage.approvals.waiting.isEmpty && stage.events.count == 1 }
      await Self.until { await stage.confirm(ask, wait: false) == nil }
      let next = await stage.confirm(ask, wait: false)
      if remembered == nil {
        guard case .waiting = next else {
          Issue.record("one agreement was for two requests")
          return
        }
      } else {
        #expect(next == nil)
      }
    }
  }

  @Test("one that cannot wait and is refused is not a new question each second")
  func endpointRefused() async throws {
    let stage = Stage()
    _ = await stage.confirm(Self.ask(), wait: false)
    await Self.until { stage.person.asks == 1 }
    stage.person.say(false)
    // Once the answer is logged.
    let denied = ApprovalError.denied(profile: "prod-app", way: "a person")
    await Self.until { await stage.confirm(Self.ask(), wait: false) == denied }
    for _ in 0..<5 {
      #expect(await stage.confirm(Self.ask(), wait: false) == denied)
      stage.clock.advance(seconds: 50)
    }
    #expect(stage.person.asks == 1)
    stage.clock.advance(seconds: 100)
    guard case .waiting = await stage.confirm(Self.ask(), wait: false) else {
      Issue.record("was never asked again")
      return
    }
    // A program that is run again is a new question at once.
    stage.end(getpid())
    await Self.until { await stage.approvals.waiting.isEmpty }
  }

  @Test("a way that cannot ask leaves the question to `vault approve`")
  func nobody() async throws {
    let stage = Stage(Person(isThere: false))
    let (asker, terminal) = (try await Asker(), try await Asker())
    async let fault = stage.confirm(Self.ask(asker.pid))
    await Self.until { stage.person.asks == 1 }
    let id = try #require(await stage.approvals.waiting.first?.id)
    let approver = Self.requester(terminal.pid)
    let answered = try await stage.approvals.answer(
      id, isAllowed: true, by: approver, ancestry: Ancestry(of: terminal.pid), terminal: Self.elsewhere)
    #expect(await fault == nil)
    #expect(answered.ask.text.contains("program: terraform (\(asker.pid))"))
    #expect(stage.events[0].detail == "by vault approve on pts/7, process \(terminal.pid)")
  }

  @Test("neither the asking tree, nor a tree that acts by itself, nor a process without a terminal can answer")
  func approver() async throws {
    let stage = Stage()
    let asker = try await Asker()
    // In a session of its own, and still below the process that leads the asking one.
    let below = try await Asker("exec 3<&0; setsid sh -c 'echo $$; cat' <&3 & wait")
    let child = try #require(Int32(below.line))
    async let fault = stage.confirm(Self.ask(below.pid))
    async let other = stage.confirm(Self.ask(asker.pid, profile: "prod-other"))
    await Self.until { await stage.approvals.waiting.count == 2 }
    func answer(_ profile: String, by pid: Int32, automation: AutomationRun? = nil, terminal: AnsweringTerminal = Self.elsewhere)
      async
      -> ApprovalError?
    {
      do {
        let id = try #require(await stage.approvals.waiting.first { $0.ask.profile == profile }?.id)
        _ = try await stage.approvals.answer(
          id, isAllowed: true, by: Self.requester(pid, automation: automation), ancestry: Ancestry(of: pid), terminal: terminal)
        return nil
      } catch {
        return error as? ApprovalError
      }
    }
    #expect(await answer("prod-app", by: below.pid) == .ownTree)
    #expect(await answer("prod-app", by: child) == .ownTree)
    #expect(await answer("prod-other", by: asker.pid) == .ownTree)
    #expect(await answer("prod-app", by: asker.pid, terminal: AnsweringTerminal(line: [], holders: [], name: nil)) == .noTerminal)
    #expect(await answer("prod-app", by: 0) == .unknownApprover)
    let run = AutomationRun(name: "agent", run: "run_0123456789abcdef", rootPid: asker.pid)
    #expect(await answer("prod-app", by: asker.pid, automation: run) == .automation)
    #expect(stage.events.isEmpty)
    #expect(await answer("prod-app", by: asker.pid) == nil)
    #expect(await fault == nil)
    #expect(await answer("prod-other", by: child) == nil)
    #expect(await other == nil)
  }

  @Test("a session whose leader has ended is a tree still, and no other's")
  func leaderEnded() async throws {
    let program = try await Asker("sh -c 'echo $$; exec sleep 600' & exit 0")
    let left = try #require(Int32(program.line))
    await Self.until { ProcessKey(program.pid) == nil }
    #expect(getsid(left) == program.pid)
    let tree = AskingTree(of: Self.requester(left), number: 1)
    #expect(tree == AskingTree(of: Self.requester(left), number: 2) && tree.isKnown)
    #expect(tree != AskingTree(of: Self.requester(), number: 3))
    #expect(!AskingTree(of: Self.requester(0), number: 4).isKnown)
    kill(left, SIGKILL)
  }

  @Test("what is asked is named in full, and hostile names act on no screen")
  func text() {
    var requester = Self.requester()
    requester.program = "\u{1b}[2Jterraform\n" + String(repeating: "a", count: 10_000)
    requester.executable = ""
    requester.directory = "/srv/\u{202e}gnp"
    requester.parents = (1...9).map { Ancestor(pid: $0, executable: $0 == 1 ? "/bin/\u{7}sh" : "") }
    let ask = ApprovalAsk(
      profile: "prod-\u{1b}app", roleARN: "arn:aws:iam::123456789012:role/prod", scope: .readOnly, duration: .default,
      reason: "because\r\nof <b>", requester: requester, remembered: 900)
    #expect(ask.text.unicodeScalars.allSatisfy { $0 == "\n" || !($0.value < 0x20 || $0.value == 0x202e) })
    #expect(
      ask.lines.map(\.name) == [
        "program", "started by", "directory", "profile", "role", "scope", "duration", "reason", "holds for",
      ])
    #expect(ask.text.split(separator: "\n").count == 9 && ask.text.utf8.count < 3_000)
    #expect(ask.text.contains("(unproven)") || ask.lines[0].value.contains(" … "))
    #expect(ask.text.contains("scope: read-only access") && ask.text.contains("holds for: 15 min, for these processes"))
    #expect(ask.title == #"vault: allow prod-\x1bapp?"#)
    let fitting = PinentryApproval.fitting(ask.title + "\n" + ask.text)
    #expect(fitting.utf8.count <= 960 && !fitting.contains("\n") && fitting.contains("%0A"))
    #expect(PinentryApproval.fitting(String(repeating: "%", count: 5_000)).utf8.count <= 960)
  }

  @Test("only a person's no is a no of pinentry's")
  func pinentryErrors() {
    #expect(PinentryApproval.isDenied("ERR 83886179 Operation cancelled <Pinentry>"))
    #expect(PinentryApproval.isDenied("ERR 83886194 Not confirmed <Pinentry>"))
    for other in ["ERR 83886142 Timeout <Pinentry>", "ERR 83918950 Inappropriate ioctl for device <Pinentry>", "ERR", "ERR x"] {
      #expect(!PinentryApproval.isDenied(other), "\(other)")
    }
  }
}
