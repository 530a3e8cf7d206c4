import Testing
import VaultAudit
import VaultModel

@testable import vault

/// Who holds what, with made-up facts of `/proc`.
@Suite struct HolderTests {
  private static let now = Timestamp(seconds: 1_800_000_000)

  private static func process(
    _ pid: Int32, started seconds: Int64, user: UInt32 = 1_000, executable: String = "/usr/bin/run", parent: Int32 = 1
  ) -> LivingProcess {
    LivingProcess(
      pid: pid, ticks: seconds, startedAt: now.adding(seconds: seconds), user: user, executable: executable, parent: parent)
  }

  private static let session = SessionRecord(
    id: "ses_1", profile: "app-dev", kind: .role, fingerprint: "f", roleARN: "arn:aws:iam::123456789012:role/dev",
    roleSessionName: "alice", sourceIdentity: nil, accessKeyId: "ASIAIOSFODNN7EXAMPLE", issuedAt: now,
    expiresAt: now.adding(seconds: 3_600))

  private static func delivery(
    to pid: Int32, at seconds: Int64 = 0, _ trigger: AuditTrigger = .exec, parents: [Ancestor] = [], run: AutomationRun? = nil
  ) -> LiveDelivery {
    let requester = Requester(
      user: "alice", uid: 1_000, pid: pid, program: "./run", executable: "/usr/bin/vault", directory: "/", parent: "/bin/sh",
      host: "laptop", parents: parents, automation: run)
    var event = AuditEvent(action: .deliver, outcome: .success, trigger: trigger, profile: "app-dev", requester: requester)
    (event.accessKeyId, event.sessionId, event.expiresAt) = (session.accessKeyId, session.id, session.expiresAt)
    return LiveDelivery(
      session: session,
      row: AuditRecord(
        id: "evt_\(pid)_\(seconds)", sequence: Int64(pid), time: now.adding(seconds: seconds), event: event, subject: nil,
        subjectVersion: nil, hash: []))
  }

  private static func holders(
    _ deliveries: [LiveDelivery], _ processes: [LivingProcess], served: [(process: ProcessIdentity, profile: String)] = []
  ) -> [Holder] {
    Holders(user: 1_000) { pid in processes.first { $0.pid == pid } }.holders(of: deliveries, served: served) { _, _ in nil }
  }

  @Test("a program holds what it was given if it still runs, began before, and is the user's")
  func living() {
    let found = Self.holders(
      [Self.delivery(to: 10), Self.delivery(to: 11), Self.delivery(to: 12), Self.delivery(to: 13), Self.delivery(to: 0)],
      [
        Self.process(10, started: -5, parent: 9), Self.process(9, started: -100, executable: "/bin/bash", parent: 1),
        // Another process has its number; another user's; and none at all.
        Self.process(11, started: 60), Self.process(12, started: -5, user: 0),
      ])
    #expect(found.map { $0.process?.pid } == [10])
    #expect(found.first?.parents == [Ancestor(pid: 9, executable: "/bin/bash")])
    #expect(found.first?.way == .exec && found.first?.program == "./run" && found.first?.since == Self.now)
    // What the kernel's and the wall's clock differ by is no reason to leave a holder out.
    #expect(Self.holders([Self.delivery(to: 10)], [Self.process(10, started: 1)]).count == 1)
  }

  @Test(
    "what `vault credentials` was given is held by the process above it, and ends with it unless that was a shell for the purpose"
  )
  func ancestors() {
    let parents = [
      Ancestor(pid: 20, executable: "/bin/sh"), Ancestor(pid: 21, executable: "/usr/bin/python3"),
      Ancestor(pid: 22, executable: "/bin/bash"),
    ]
    let bash = Self.process(22, started: -50, executable: "/bin/bash")
    let python = Self.process(21, started: -9, executable: "/usr/bin/python3", parent: 22)
    let given = Self.delivery(to: 30, .credentials, parents: parents)
    #expect(Self.holders([given], [python, bash]).map { $0.process?.pid } == [21])
    // The number is another program's by now: who had the keys has ended, and the shell above it was given none.
    let other = Self.process(21, started: -9, executable: "/usr/bin/perl", parent: 22)
    #expect(Self.holders([given], [other, bash]).isEmpty)
    // `$(vault credentials … | jq)` in a script: a part of the shell, which has ended.
    let part = Ancestor(pid: 23, executable: "/bin/bash")
    let piped = Self.delivery(to: 30, .credentials, parents: [part, Ancestor(pid: 22, executable: "/bin/bash")])
    #expect(Self.holders([piped], [bash]).map { $0.process?.pid } == [22])
    let terminal = Self.process(24, started: -90, executable: "/usr/bin/xterm")
    let closed = Self.delivery(to: 30, .env, parents: [part, Ancestor(pid: 24, executable: "/usr/bin/xterm")])
    #expect(Self.holders([closed], [terminal]).isEmpty)
    #expect(Self.holders([given], []).isEmpty)
    let found = Self.holders([given], [python, bash])
    #expect(found.first?.way == .credentials && found.first?.program == "/usr/bin/python3")
  }

  @Test("a process and a key are shown once each way, from the first time on, with the run and what the lease says")
  func once() {
    let process = Self.process(10, started: -5)
    let run = AutomationRun(name: "nightly", run: "run_1", rootPid: 9)
    let identity = ProcessIdentity(pid: 10, started: -5, boot: "b")
    let found = Self.holders(
      [
        Self.delivery(to: 10, at: 50, run: run), Self.delivery(to: 10, at: 20, run: run),
        Self.delivery(to: 10, at: 30, .server, run: run),
      ],
      [process])
    #expect(found.map(\.way) == [.exec, .server])
    #expect(found.first?.since == Self.now.adding(seconds: 20) && found.first?.automation == run)
    #expect(Self.holders([Self.delivery(to: 10)], [process], served: [(identity, "app-dev")]).map(\.way) == [.server])
    #expect(Self.holders([Self.delivery(to: 10, .rotation), Self.delivery(to: 10, .console)], [process]).isEmpty)
  }

  @Test("what outlives the program that was given a key holds it by its environment, and stands for what it has started itself")
  func heirs() {
    let key = Self.session.accessKeyId
    let run = AutomationRun(name: "nightly", run: "run_1", rootPid: 9)
    let processes = [
      Self.process(10, started: -5), Self.process(11, started: 1, parent: 10),
      Self.process(20, started: 2, executable: "/usr/bin/daemon"), Self.process(21, started: 3, parent: 20),
      Self.process(22, started: 3, parent: 21), Self.process(30, started: 4), Self.process(40, started: 4, user: 0),
      Self.process(50, started: 4),
    ]
    let holders = Holders(user: 1_000) { pid in processes.first { $0.pid == pid } }
    let environments: [Int32: (String?, String?)] = [
      10: (key, nil), 11: (key, nil), 20: (key, "run_1"), 21: (nil, nil), 22: (key, nil), 30: ("ASIAOTHER", nil), 40: (key, nil),
      50: (nil, "run_1"),
    ]
    let deliveries = [Self.delivery(to: 10), Self.delivery(to: 99, run: run)]
    let given = holders.holders(of: deliveries, served: []) { _, _ in nil }
    #expect(given.map { $0.process?.pid } == [10])
    func heirs(_ deliveries: [LiveDelivery], _ given: [Holder]) -> [Holder] {
      holders.heirs(among: processes.map(\.pid), of: deliveries, besides: given) { pid in environments[pid] ?? (nil, nil) }
    }
    let found = heirs(deliveries, given)
    #expect(found.map { $0.process?.pid } == [20])
    #expect(found.first?.way == .inherited && found.first?.program == "/usr/bin/daemon" && found.first?.automation == run)
    #expect(found.first?.since == Self.now.adding(seconds: 2) && found.first?.session?.id == "ses_1")
    // Without a row of the key there is nothing to say of it; and what is not given any more has left what it started.
    #expect(heirs([], []).isEmpty)
    #expect(heirs([Self.delivery(to: 98)], []).map { $0.process?.pid } == [10, 20])
  }

  @Test("a file holds the key that stands in it now")
  func files() {
    let links = [(path: "/c", section: "app", profile: "app-dev", since: Self.now.adding(seconds: 9))]
    let found = Holders.files(links, sessions: [Self.session]) { _, _ in Self.session.accessKeyId }
    #expect(found.map(\.program) == ["/c"] && found[0].process == nil && found[0].way == .file)
    #expect(Holders.files(links, sessions: [Self.session]) { _, _ in "ASIAOTHER" }.isEmpty)
    #expect(Holders.files(links, sessions: [Self.session]) { _, _ in nil }.isEmpty)
  }
}
