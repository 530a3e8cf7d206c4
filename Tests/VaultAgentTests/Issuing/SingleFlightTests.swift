import Synchronization
import TestSupport
import Testing
import VaultConcurrency
import VaultModel
import VaultSecrets
import VaultWire

@testable import VaultAgent

/// A person with one answer, or none.
private final class Person: Prompter {
  private let answer: String?
  private let state = Mutex<[String]>([])
  var asked: [String] { state.withLock { $0 } }

  init(_ answer: String?) { self.answer = answer }

  func ask(_ question: Question) async throws -> SecretBytes {
    state.withLock { $0.append(question.text) }
    guard let answer else { throw AgentError.nobodyToAsk(question: question.text) }
    return SecretBytes(answer)
  }

  func notice(_ text: String) {}
  func progress(_ text: String) {}
  func show(_ page: Page) {}
}

/// Somebody who has left the terminal without a word.
private final class Absent: Prompter {
  private let state = Mutex(false)
  var isAsked: Bool { state.withLock { $0 } }

  func ask(_ question: Question) async throws -> SecretBytes {
    state.withLock { $0 = true }
    for await _ in AsyncStream<Void>.makeStream().stream {}
    throw CancellationError()
  }

  func notice(_ text: String) {}
  func progress(_ text: String) {}
  func show(_ page: Page) {}
}

/// Counts from several tasks.
private final class Counter: Sendable {
  private let count = Mutex(0)

  func next() -> Int {
    count.withLock {
      $0 += 1
      return $0
    }
  }
}

@Suite struct FlightTests {
  private let question = Question.mfaCode(serial: "arn:aws:iam::123456789012:mfa/alice", profile: "app-dev")

  @Test("work is done once for all who want it before it ends, and again for who comes later")
  func once() async throws {
    let singleFlights = SingleFlightGroup<any Prompter, Int>(clock: FakeClock())
    let runs = Counter()
    let (listener, open) = AsyncStream.makeStream(of: Void.self)
    let results = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<50 {
        group.addTask {
          try await singleFlights.share("key", for: Person(nil)) { _ in
            for await _ in listener { break }
            return runs.next()
          }
        }
      }
      group.addTask {
        while await singleFlights.waiting("key") < 50 { await Task.yield() }
        open.finish()
        return 1
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results == Array(repeating: 1, count: 51))
    #expect(try await singleFlights.share("key", for: Person(nil)) { _ in 7 } == 7)
  }

  @Test("a failure is everybody's, and the next asker's work starts anew")
  func failure() async throws {
    let singleFlights = SingleFlightGroup<any Prompter, Int>(clock: FakeClock())
    await #expect(throws: AgentError.self) {
      try await singleFlights.share("key", for: Person(nil)) { _ in throw AgentError.locked }
    }
    #expect(try await singleFlights.share("key", for: Person(nil)) { _ in 1 } == 1)
  }

  @Test("a question goes to the next waiter where one leaves or cannot answer, and fails where none can")
  func prompts() async throws {
    let (left, there) = (Person(nil), Person("123456"))
    let singleFlight = SingleFlight<any Prompter, String>(left, clock: FakeClock())
    let (joined, go) = AsyncStream.makeStream(of: Void.self)
    singleFlight.start { singleFlight in
      for await _ in joined { break }
      return try await singleFlight.ask(question).withBytes { String(decoding: $0, as: UTF8.self) }
    }
    async let first = singleFlight.value()
    #expect(singleFlight.join(there) == 1)
    async let second = singleFlight.value()
    go.finish()
    #expect(try await first == "123456")
    #expect(try await second == "123456")
    #expect(there.asked.count == 1)
  }

  @Test("who joins when all who were there have been asked in vain is asked in a flight of its own")
  func tooLate() async throws {
    let singleFlights = SingleFlightGroup<any Prompter, String>(clock: FakeClock())
    let there = Person("123456")
    let question = question
    let (refused, tell) = AsyncStream.makeStream(of: Void.self)
    let (joined, go) = AsyncStream.makeStream(of: Void.self)
    let first = Task {
      try await singleFlights.share("key", for: Person(nil)) { prompter in
        do { return try await prompter.ask(question).withBytes { String(decoding: $0, as: UTF8.self) } } catch {
          // The moment in which the other one comes.
          tell.finish()
          for await _ in joined {}
          throw error
        }
      }
    }
    for await _ in refused {}
    let second = Task {
      try await singleFlights.share("key", for: there) { prompter in
        try await prompter.ask(question).withBytes { String(decoding: $0, as: UTF8.self) }
      }
    }
    while await singleFlights.waiting("key") < 2 { await Task.yield() }
    go.finish()
    await #expect(throws: AgentError.self) { try await first.value }
    #expect(try await second.value == "123456")
    #expect(there.asked.count == 1)
  }

  @Test("a waiter who leaves a question unanswered does not hold up the next: that one is asked as well, and its answer counts")
  func silent() async throws {
    let clock = FakeClock()
    let (silent, there) = (Absent(), Person("123456"))
    let singleFlight = SingleFlight<any Prompter, String>(silent, clock: clock)
    singleFlight.start { singleFlight in try await singleFlight.ask(question).withBytes { String(decoding: $0, as: UTF8.self) } }
    async let first = singleFlight.value()
    while !silent.isAsked || clock.sleeping == 0 { await Task.yield() }
    #expect(singleFlight.join(there) == 1)
    async let second = singleFlight.value()
    #expect(there.asked.isEmpty)
    clock.advance(seconds: SingleFlight<any Prompter, String>.timeouts)
    #expect(try await first == "123456")
    #expect(try await second == "123456")
  }

  @Test("a question that nobody answers is given up after ten minutes")
  func unanswered() async throws {
    let clock = FakeClock()
    let silent = Absent()
    let singleFlight = SingleFlight<any Prompter, String>(silent, clock: clock)
    singleFlight.start { singleFlight in try await singleFlight.ask(question).withBytes { String(decoding: $0, as: UTF8.self) } }
    let end = Task { try await singleFlight.value() }
    for turn in 1...SingleFlight<any Prompter, String>.turns {
      while clock.sleeping == 0 { await Task.yield() }
      #expect(turn < SingleFlight<any Prompter, String>.turns || silent.isAsked)
      clock.advance(seconds: SingleFlight<any Prompter, String>.timeouts)
    }
    await #expect { _ = try await end.value } throws: { error in
      if case AgentError.unanswered = error { true } else { false }
    }
    #expect(SingleFlight<any Prompter, String>.timeouts * Int64(SingleFlight<any Prompter, String>.turns) == 600)
  }

  @Test("work that is a person's alone ends with the last who waits for it, and who comes then begins anew")
  func abandoned() async throws {
    let singleFlights = SingleFlightGroup<any Prompter, Int>(clock: FakeClock())
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    let waiters = (0..<2).map { _ in
      Task {
        try await singleFlights.share("key", for: Person(nil), endsAlone: true) { _ in
          defer { end.finish() }
          for await _ in AsyncStream<Void>.makeStream().stream {}
          throw CancellationError()
        }
      }
    }
    while await singleFlights.waiting("key") < 2 { await Task.yield() }
    waiters[0].cancel()
    #expect(await singleFlights.waiting("key") == 2)
    waiters[1].cancel()
    // Whether or not the one that was left has come to its end.
    #expect(try await singleFlights.share("key", for: Person(nil), endsAlone: true) { _ in 7 } == 7)
    for await _ in ended {}
    for waiter in waiters { await #expect(throws: CancellationError.self) { try await waiter.value } }
  }
}

@Suite struct PlanTests {
  private let name = RoleSessionName(cleaning: "alice@laptop")

  private func link(_ profile: String, duration: SessionDuration? = nil, mfaSerial: String? = nil) throws -> RoleLink {
    let role = try #require(RoleARN("arn:aws:iam::123456789012:role/my-application-dev-role"))
    return RoleLink(profile: profile, roleARN: role, mfaSerial: mfaSerial, duration: duration)
  }

  private func plan(_ roles: [RoleLink], duration: SessionDuration? = nil, serial: String? = nil) -> CredentialPlan {
    CredentialPlan(
      CredentialChain(
        profile: "app", identity: .keys(name: "alice", accessKeyId: "AKIA", mfaSerial: serial), roles: roles, region: nil,
        endpoint: EndpointSettings()),
      duration: duration, sessionName: nil, defaultSessionName: name)
  }

  @Test("the first role over a key may live long, the next ones an hour")
  func chained() throws {
    let long = SessionDuration(seconds: 7_200)
    let plan = plan([
      try link("a", duration: long), try link("b", duration: long),
    ])
    #expect(plan.steps.map(\.duration.seconds) == [7_200, 3_600])
    #expect(plan.steps.map(\.cutFrom?.seconds) == [nil, 7_200])
    #expect(plan.own == nil)
  }

  @Test("what is asked differently is another session: each parameter changes the fingerprint")
  func fingerprints() throws {
    let base = try link("a")
    var links = [base]
    func add(_ change: (inout RoleLink) -> Void) {
      var link = base
      change(&link)
      links.append(link)
    }
    add { $0.externalId = "x1" }
    add { $0.sourceIdentity = "x1" }
    add { $0.policy = "x1" }
    add { $0.policyARNs = ["x1"] }
    add { $0.tags = [SessionTag(key: "x", value: "1")] }
    add { $0.tags = [SessionTag(key: "x1", value: "")] }
    add { $0.transitiveTagKeys = ["x1"] }
    add { $0.roleSessionName = RoleSessionName("other") }
    add { $0.duration = SessionDuration(seconds: 900) }
    add { $0.endpoint.url = "https://example.org" }
    add { $0.mfaSerial = "arn:aws:iam::123456789012:mfa/alice" }
    #expect(Set(links.compactMap { plan([$0]).delivered?.fingerprint }).count == links.count)
    #expect(plan([base]).delivered?.fingerprint == plan([base]).delivered?.fingerprint)
  }

  @Test("keys are handed out as a session of theirs, and a role's MFA device is asked in theirs")
  func tokens() throws {
    #expect(plan([]).own?.duration == .workingDay)
    let serial = "arn:aws:iam::123456789012:mfa/alice"
    #expect(plan([try link("a", mfaSerial: serial)]).own?.mfa?.serial == serial)
  }
}
