import CSystem
import Glibc
import Synchronization
import TestSupport
import Testing
import VaultModel
import VaultWire

@testable import VaultAgent

/// Requests over the agent's socket.
@Suite struct RequestHandlerTests {
  /// Runs `body` against a listener in front of a stage's request handler.
  static func serving(_ stage: AgentStage, _ body: @Sendable (String) async throws -> Void) async throws {
    let paths = try #require(VaultPaths { $0 == "VAULT_HOME" ? stage.folder.path : nil })
    let (clock, session) = (stage.clock, PersonSession())
    let exporters = AuditExporters(store: stage.store, clock: clock)
    let autoLock = AutoLock(clock: clock, executor: nil, isUnlocked: { true }, lock: { _ in }, shutOut: { _ in })
    let notifier = Notifier(session: session, clock: clock, client: "")
    let handler = RequestHandler(
      store: stage.store, broker: stage.broker, catalog: stage.catalog, masterKeys: stage.masterKeys,
      ssoSessions: stage.ssoSessions, clients: stage.clients, clock: clock,
      scheduler: Scheduler(clock: clock, executor: nil, work: stage.broker.scheduledWork(AgentStage.me, notifier)),
      notifier: notifier, redirect: stage.redirect,
      settings: LiveSettings(files: [], environment: [:], store: stage.store, exporters: exporters, autoLock: autoLock),
      exporters: exporters, autoLock: autoLock, inspector: PeerInspector(),
      trees: stage.trees,
      approvals: Approvals(channels: [], clock: clock, onExit: { _, _ in }, record: { _ in }),
      session: session, paths: paths,
      identity: paths.identity, startedAt: clock.now(), exitWithLastProgram: nil, stop: { _ in })
    let path = stage.folder.file("socket")
    let listener = try AgentListener(path: path, executor: stage.store.executor) { await handler.handle($0, $1) }
    async let end: Void = listener.run()
    let result: Result<Void, any Error>
    do { result = .success(try await body(path)) } catch { result = .failure(error) }
    listener.stop()
    await end
    try result.get()
  }

  /// What the agent answers.
  private static func answer(_ path: String, _ frame: WireBuffer) async throws -> Message {
    try await onOwnThread {
      let channel = try #require(Channel.connect(to: path))
      try channel.send(frame)
      while true {
        let message = try #require(try channel.receive(within: 60_000))
        if message.kind != .progress { return message }
      }
    }
  }

  private static func request(_ profile: String, version: UInt16 = protocolVersion) throws -> WireBuffer {
    try IssueRequest { ($0.profile, $0.trigger) = (profile, .exec) }.frame(from: ClientContext(), version: version)
  }

  @Test("an error is answered with its own message and exit status, and a credential with the credential")
  func answers() async throws {
    let stage = try await AgentStage()
    try await Self.serving(stage) { path in
      let issued = try await Self.answer(path, try Self.request("app"))
      #expect(issued.kind == .done)
      #expect(try (issued.value() as IssuedReply).accessKeyId == "ASIAIOSFODNN7EXAMPL1")
      let unknown = Failure(try await Self.answer(path, try Self.request("nothing")))
      let expected = AgentError.unknownProfile(name: "nothing", suggestion: nil, count: 2)
      #expect(unknown.exitStatus == expected.exitStatus)
      #expect(unknown.message == expected.message)
      let other = Failure(try await Self.answer(path, try Self.request("app", version: protocolVersion + 1)))
      #expect(other.exitStatus == AgentError.otherVersion(client: 0, agent: 0).exitStatus)
      stage.aws.fail(always: .refused("AccessDenied"))
      stage.clock.advance(seconds: 3_601)
      #expect(Failure(try await Self.answer(path, try Self.request("app"))).exitStatus == .refused)
      stage.aws.fail(always: .unreachable)
      #expect(Failure(try await Self.answer(path, try Self.request("app"))).exitStatus == .unavailable)
    }
  }

  @Test("the listener hangs up on a frame that is longer than the limit, and still serves others")
  func tooLong() async throws {
    let stage = try await AgentStage()
    try await Self.serving(stage) { path in
      let descriptor = sys_unix_connect(path, 10)
      try #require(descriptor >= 0)
      defer { close(descriptor) }
      let length = UInt32(maxPayloadBytes + 1)
      let header = (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * UInt32($0))) }
      #expect(write(descriptor, header, 4) == 4)
      let end = try await onOwnThread {
        var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        return poll(&end, 1, 60_000) == 1 ? read(descriptor, &byte, 1) : -1
      }
      #expect(end == 0)
      #expect(try await Self.answer(path, try Self.request("app")).kind == .done)
    }
  }
}
