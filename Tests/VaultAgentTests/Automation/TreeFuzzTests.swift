import CSystem
import Foundation
import Glibc
import TestSupport
import Testing
import VaultModel
import VaultWire

@testable import VaultAgent

/// Messages of every kind by a process of a tree: this one.
@Suite struct TreeFuzzTests {
  /// A request of any kind with the fields of any other.
  private struct Forged: Request {
    let kind: MessageKind
    let fields: any FieldValue
    init(_ kind: MessageKind, _ fields: any FieldValue) { (self.kind, self.fields) = (kind, fields) }
    init?(field: WireBytes) { nil }
    func append(to frame: WireBuffer) { fields.append(to: frame) }
  }

  private static let kinds = (UInt16(1)...100).compactMap { MessageKind(rawValue: $0) }

  private static func fields(_ random: inout SeededGenerator, _ folder: TemporaryDirectory) throws -> any FieldValue {
    let issue = IssueRequest {
      $0.profile = ["app", "base", "none"].randomElement(using: &random) ?? "app"
      $0.refresh = Bool.random(using: &random)
      $0.noSession = Int.random(in: 0..<4, using: &random) == 0
      $0.scope = [nil, SessionScope.none, .readOnly, SessionScope { $0.tags = [] }].randomElement(using: &random) ?? nil
      $0.trigger = .exec
    }
    let all: [any FieldValue] = [
      issue, issue, issue, Done(), "app", "base", true,
      [ProfileChange { ($0.name, $0.set) = ("app", ["role_arn=\(AgentStage.role)x"]) }],
      ForgetRequest { $0.all = true }, ForgetRequest { $0.profile = "app" }, RotateRequest { $0.profile = "app" },
      RotateRequest(),
      ConsoleRequest { $0.credentials = issue }, DenialRequest { $0.credentials = issue },
      AddAccessKeyRequest {
        ($0.name, $0.accessKeyId, $0.secretAccessKey, $0.replace) = ("base", "AKIAIOSFODNN7EXAMPLX", WireBytes("s"), true)
      },
      RotateAccessKeyRequest { $0.name = "base" }, ImportRequest { ($0.config, $0.home) = (folder.file("foreign"), folder.path) },
      LinkFileRequest { ($0.profile, $0.section, $0.file) = ("app", "app", folder.file("linked")) },
      UnlinkFileRequest { $0.file = folder.file("linked") },
      LinkProfilesRequest { ($0.file, $0.names) = (folder.file("config"), ["app"]) },
      KeyCopyRequest { ($0.file, $0.passphraseFile) = (folder.file("copy"), folder.file("pass")) },
      ArchiveRequest { ($0.file, $0.before) = (folder.file("archive"), Timestamp(milliseconds: .max / 2)) },
      LoginRequest { $0.name = "corp" }, LogoutRequest { $0.all = true }, IAMCheckRequest { $0.profile = "app" },
      ReleaseRequest { $0.token = WireBytes("token") }, try AutomationRequest(name: "wider", credentials: issue),
      ApproveRequest { $0.id = "apr_0" }, RevokeRequest { $0.all = true }, RevokeRequest { $0.automation = "fuzzed" },
    ]
    return all[Int.random(in: 0..<all.count, using: &random)]
  }

  private static func context(_ random: inout SeededGenerator) -> ClientContext {
    ClientContext {
      $0.run = [nil, "run_0000000000000000", ""].randomElement(using: &random) ?? nil
      $0.agentVariable = [nil, "CLAUDECODE"].randomElement(using: &random) ?? nil
      $0.commandIndex = Bool.random(using: &random) ? 1 : nil
    }
  }

  /// Sends a frame, and reads to the end or to a question.
  ///
  /// - Returns: whether the request was answered, rather than refused.
  private static func converse(_ path: String, _ frame: [UInt8]) throws -> Bool {
    let descriptor = sys_unix_connect(path, 10)
    try #require(descriptor >= 0)
    let channel = Channel(descriptor: descriptor)
    guard frame.withUnsafeBytes({ Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }) == frame.count else {
      return false
    }
    // A console is asked of AWS itself, which does not answer here.
    while let message = try? channel.receive(within: 2_000) {
      if message.kind == .done { return true }
      if message.kind == .failure || message.kind == .prompt { return false }
    }
    return false
  }

  @Test(
    "no sequence of messages by a process of a tree unlocks, approves, changes or widens anything",
    arguments: [UInt64.random(in: 1...1_000_000)])
  func messages(seed: UInt64) async throws {
    let stage = try await AgentStage()
    var me = AgentStage.me
    // This process is a member. The root itself may say that its run has ended.
    me.pid = getppid()
    let run = AutomationRun(name: "fuzzed", run: Identifier.make("run"), rootPid: me.pid)
    let tree = try await stage.trees.begin(run, scope: .none, cgroup: nil, adopter: 1, by: me)
    let settings = try await stage.plan("app").delivered?.fingerprint
    try await RequestHandlerTests.serving(stage) { path in
      var random = SeededGenerator(seed: seed)
      for phase in ["unlocked", "locked"] {
        var answered: [MessageKind: Int] = [:]
        for number in 0..<1_000 {
          // Most forged ones are refused; some are as a program sends them.
          let isPlain = Int.random(in: 0..<8, using: &random) == 0
          let kind = isPlain ? .credential : try #require(Self.kinds.randomElement(using: &random))
          let fields = isPlain ? IssueRequest { $0.profile = "app" } : try Self.fields(&random, stage.folder)
          let buffer = try Forged(kind, fields).frame(
            from: Self.context(&random), version: Int.random(in: 0..<10, using: &random) == 0 ? 2 : protocolVersion)
          var frame = buffer.withBytes { Array($0) }
          if Int.random(in: 0..<5, using: &random) == 0 {
            for _ in 0..<Int.random(in: 1...4, using: &random) {
              frame[Int.random(in: 4..<frame.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
          }
          let sent = frame
          let actual = MessageKind(rawValue: UInt16(sent[6]) | UInt16(sent[7]) << 8)
          if try await onOwnThread({ try Self.converse(path, sent) }), let actual { answered[actual, default: 0] += 1 }
          #expect(await stage.store.isUnlocked == (phase == "unlocked"), "seed \(seed), message \(number): \(kind)")
        }
        for kind in answered.keys { #expect(kind.isOpenToTrees && kind != .automationEnd, "seed \(seed): \(kind) was answered") }
        if phase == "locked" { #expect(answered.keys.allSatisfy { $0 == .status }, "seed \(seed): \(answered)") }
        #expect(stage.trees.all == [tree], "seed \(seed)")
        if phase == "unlocked" {
          #expect((answered[.credential] ?? 0) > 0, "seed \(seed): no credentials at all")
          #expect(try await stage.plan("app").delivered?.fingerprint == settings, "seed \(seed)")
          try await stage.masterKeys.lock(requester: AgentStage.me, trigger: .manual)
        }
      }
    }
    let calls = stage.aws.asked.map(\.body)
    #expect(calls.contains { $0.contains("Action=AssumeRole") })
    for call in calls where call.contains("Action=AssumeRole") {
      #expect(
        call.contains("PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess"), "seed \(seed): \(call)")
      #expect(!call.contains("alice%40laptop"), "seed \(seed): \(call)")
    }
    let allowed: Set<AuditAction> = [
      .automationStarted, .assumeRole, .deliver, .requestRefused, .guardRefused, .getSigninToken, .getFederationToken,
      .sessionReplaced, .sessionExpired, .getSessionToken, .decodeAuthorizationMessage, .getRequestAuthorizationDetails,
    ]
    let before = Set(
      try await stage.store.auditRows(after: 0, maximum: 10_000).filter { $0.event.requester.automation == nil }.map(
        \.event.action))
    let done = Set(
      try await stage.store.auditRows(after: 0, maximum: 10_000).filter { $0.event.requester.automation != nil }.map(
        \.event.action))
    #expect(done.isSubset(of: allowed), "seed \(seed): \(done.subtracting(allowed)), others: \(before)")
  }
}
