import Synchronization
import TestSupport
import Testing
import VaultModel
import VaultStore
import VaultWire

@testable import VaultAgent

/// What the guard rules make of a request, and of the agent's own work. The clock stands at Monday, 12:00 UTC.
@Suite struct GatekeeperTests {
  private func stage(_ rules: String) async throws -> AgentStage {
    let stage = try await AgentStage()
    stage.folder.write(rules + "\n", to: "config")
    return stage
  }

  private func admit(
    _ stage: AgentStage, _ request: CredentialRequest = CredentialRequest(rotating: "app"),
    by requester: Requester = AgentStage.me,
    handsOut: Bool = true, asking: Gatekeeper.Asking = .later
  ) async throws -> CredentialRequest {
    try await stage.broker.admit(
      request, requester: requester, prompter: NonInteractivePrompter(), handsOut: handsOut, asking: asking
    ).request
  }

  private func refusal(_ body: () async throws -> Void) async -> String? {
    do {
      try await body()
      return nil
    } catch { return (error as? GuardRefusal)?.message ?? "\(error)" }
  }

  @Test("a refusal names the section, the file and the line, and its row says the same; AWS is not asked")
  func named() async throws {
    let stage = try await stage("[guard app]\nreason = required\nhours = tue 08:00-18:00")
    let text = "app: it is outside its hours, tue 08:00-18:00 ([guard app] at \(stage.folder.file("config")):3)"
    #expect(await refusal { _ = try await stage.issue() } == text)
    let rows = try await stage.rows(.guardRefused)
    #expect(rows.map(\.event.error) == [text] && rows[0].event.outcome == .refused && stage.aws.asked.isEmpty)
  }

  @Test("only the strictest of what fits counts, in each setting")
  func strictest() async throws {
    let stage = try await stage(
      "[guard *]\nmax_duration = 45m\n[guard \(AgentStage.role)]\nmax_duration = 30m\n[guard other]\nmax_duration = 15m")
    #expect(try await admit(stage).duration?.seconds == 1_800)
    _ = try await stage.issue()
    #expect(stage.aws.asked.last?.body.contains("DurationSeconds=1800") == true)
  }

  @Test("a session that was made before a rule is not handed out under it")
  func narrower() async throws {
    let stage = try await stage("")
    let first = try await stage.issue().accessKeyId
    stage.folder.write("[guard app]\nmax_duration = 30m\n", to: "config")
    let second = try await stage.issue().accessKeyId
    #expect(first != second)
    #expect(try await stage.issue().accessKeyId == second)
  }

  @Test("the schedule asks nobody: it renews nothing that a person has to agree to, and logs no refusal of its own")
  func schedule() async throws {
    let stage = try await stage("[guard app]\nconfirm = always")
    let work = stage.broker.scheduledWork(AgentStage.me, Notifier(session: PersonSession(), clock: stage.clock, client: ""))
    let text = await refusal { _ = try await work.renew(CredentialRequest(rotating: "app")) }
    #expect(text?.contains("somebody has to agree to a new session, and nobody has asked for one") == true, "\(text ?? "")")
    #expect(stage.aws.asked.isEmpty)
  }

  @Test("a refused renewal is neither announced nor tried again, until the next request")
  func quiet() async throws {
    let announced = Mutex(0)
    let renewed = Mutex(0)
    let clock = FakeClock()
    let scheduler = Scheduler(
      clock: clock,
      work: Scheduler.Work(
        renew: { _ in
          renewed.withLock { $0 += 1 }
          throw GuardRefusal("no", hint: nil)
        }, deliver: { _, _, _ in }, announce: { _, _, _ in announced.withLock { $0 += 1 } }))
    let now = clock.now()
    let session = SessionRecord(
      id: "ses_1", profile: "app", kind: .role, fingerprint: "f", roleARN: nil, roleSessionName: nil, sourceIdentity: nil,
      accessKeyId: "ASIAIOSFODNN7EXAMPLE", issuedAt: now, expiresAt: now.adding(seconds: 3_600))
    await scheduler.open(
      "lease", key: Scheduler.Key(profile: "app", fingerprint: "f"), request: CredentialRequest(rotating: "app"),
      session: session,
      requester: AgentStage.me, at: "sts")
    for _ in 0..<240 {
      clock.advance(seconds: 60)
      for _ in 0..<100 { await Task.yield() }
    }
    #expect(renewed.withLock { $0 } == 1 && announced.withLock { $0 } == 0)
  }

  @Test("who polls is refused each time, and logged once a minute")
  func polling() async throws {
    let stage = try await stage("[guard app]\nhours = tue 08:00-18:00")
    for _ in 0..<50 { #expect(await refusal { _ = try await admit(stage) } != nil) }
    #expect(try await stage.rows(.guardRefused).count == 1)
    stage.clock.advance(seconds: 61)
    #expect(await refusal { _ = try await admit(stage) } != nil)
    #expect(try await stage.rows(.guardRefused).count == 2)
  }

  @Test("a program that the kernel does not vouch for is none of the commands")
  func unproven() async throws {
    let stage = try await stage("[guard app]\ncommands = true")
    var who = AgentStage.me
    who.program = "/usr/bin/true"
    #expect(try await admit(stage, by: who).profile == "app")
    who.executable = ""
    #expect(await refusal { _ = try await admit(stage, by: who) }?.contains("the program that asks cannot be proven") == true)
    // What runs `vault env` has the credentials, not the vault.
    who = AgentStage.me
    (who.program, who.parent) = (who.executable, "/usr/bin/true")
    #expect(try await admit(stage, by: who).profile == "app")
    who.parent = "/bin/sh"
    #expect(await refusal { _ = try await admit(stage, by: who) }?.contains("is not one of its commands") == true)
    who.parent = ""
    #expect(await refusal { _ = try await admit(stage, by: who) }?.contains("cannot be proven") == true)
    // Nothing is handed out by a renewal.
    #expect(try await admit(stage, by: who, handsOut: false).profile == "app")
  }

  @Test("a rule for a profile's name holds for every other profile of its role, whatever the case of the ARN's letters")
  func otherNames() async throws {
    let stage = try await stage("[guard prod-*]\nhours = tue 08:00-18:00")
    #expect(await refusal { _ = try await admit(stage) } == nil)
    try await stage.put("prod-app", ["role_arn=\(AgentStage.role.replacing("dev", with: "Dev"))", "source_profile=base"])
    let text = await refusal { _ = try await admit(stage) }
    #expect(text?.contains("it is outside its hours, tue 08:00-18:00 ([guard prod-*] at") == true, "\(text ?? "")")
    #expect(await refusal { _ = try await admit(stage, CredentialRequest(rotating: "base")) } == nil)
    // The same index again, until a profile changes.
    let known = try await stage.catalog.profilesByRole()
    _ = await refusal { _ = try await admit(stage) }
    #expect(try await stage.catalog.profilesByRole() === known)
    try await stage.catalog.remove("prod-app", requester: AgentStage.me)
    #expect(try await stage.catalog.profilesByRole() !== known)
    #expect(await refusal { _ = try await admit(stage) } == nil)
  }

  @Test("only a rule for names, which does not apply already, asks for the other names of a role")
  func namesNeeded() {
    func isNeeded(_ globs: String..., roleARNs: [String] = [AgentStage.role]) -> Bool {
      GuardRules(globs.map { GuardRule(section: $0, origin: SettingOrigin(file: "f", line: 1), glob: GuardGlob($0)!) })
        .dependsOnNames(profile: "app", roleARNs: roleARNs)
    }
    #expect(isNeeded("prod") && isNeeded("*prod*") && isNeeded("app", "prod"))
    #expect(!isNeeded() && !isNeeded("*", "app", "a*") && !isNeeded("arn:aws:iam::*", "ARN:x") && !isNeeded("*/dev"))
    #expect(!isNeeded("prod", roleARNs: []))
  }

  @Test(
    "a reason has a letter or a digit",
    arguments: [
      ("\u{200B}", false), ("-", false), (" \u{2060}\u{FEFF}.,;", false), ("x", true), ("42", true), ("é", true), ("修", true),
    ])
  func reason(_ text: String, isOne: Bool) async throws {
    let stage = try await stage("[guard app]\nreason = required")
    let refusal = await refusal { _ = try await admit(stage, CredentialRequest(rotating: "app").because(text)) }
    #expect((refusal == nil) == isOne, "\(refusal ?? "")")
  }

  @Test("every kind of request that a process that acts by itself cannot send is named in its refusal")
  func words() {
    // `answer` only follows a prompt.
    let kinds = (1...100).compactMap { MessageKind(rawValue: $0) }.filter { $0 != .answer }
    #expect(kinds.count >= 40)
    for kind in kinds { #expect((kind.words != nil) == !kind.isOpenToTrees, "\(kind)") }
  }

  @Test("without rules nothing is done, and with rules for others nothing is changed")
  func unguarded() async throws {
    let stage = try await stage("[guard other*]\nconfirm = always\nscope = read-only")
    let plan = try await stage.plan("app")
    let admission = try await stage.broker.gatekeeper.admit(
      CredentialRequest(rotating: "app"), plan: plan, requester: AgentStage.me, prompter: NonInteractivePrompter(),
      handsOut: true,
      asking: .wait)
    #expect(admission == nil)
  }

  @Test("a policy is read for each request, compact; one that cannot be read refuses")
  func policy() async throws {
    let stage = try await stage("[guard app]\nscope = policy ")
    let path = stage.folder.write("{\n \"Version\": \"2012-10-17\",\n \"Statement\": []\n}\n", to: "policy.json")
    stage.folder.write("[guard app]\nscope = policy \(path)\n", to: "config")
    #expect(try await admit(stage).scope.policy == #"{"Version":"2012-10-17","Statement":[]}"#)
    stage.folder.write("{\"Statement\": ", to: "policy.json")
    #expect(await refusal { _ = try await admit(stage) }?.contains("policy.json is not JSON") == true)
    stage.folder.write(String(repeating: " ", count: 70_000), to: "policy.json")
    #expect(await refusal { _ = try await admit(stage) }?.contains("is longer than 64 KiB") == true)
  }

  @Test("two rules whose scopes one call cannot express refuse, instead of uniting them")
  func scopes() async throws {
    let stage = try await stage("[guard app]\nscope = read-only\n[guard a*]\nscope = arn:aws:iam::aws:policy/AmazonS3FullAccess")
    let text = await refusal { _ = try await admit(stage) }
    #expect(text?.contains("AWS would allow what either allows ([guard a*] at") == true, "\(text ?? "")")
  }

  @Test("the same request comes out of the gate a second time as it came out of it the first")
  func again() async throws {
    let stage = try await stage("[guard app]\nscope = read-only\nmax_duration = 30m\nreason = tagged")
    let request = CredentialRequest(rotating: "app").because("ticket 42, \u{1F525} now!")
    let once = try await admit(stage, request)
    let twice = try await admit(stage, once)
    #expect(once.scope == twice.scope && once.duration == twice.duration && once.scope.isReadOnly)
    #expect(once.scope.tags.map(\.key) == ["vault:reason"] && once.scope.tags[0].value == "ticket 42    now ")
  }
}
