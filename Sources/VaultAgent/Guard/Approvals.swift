import CSystem
import VaultBytes
import VaultModel

/// A person's agreement to requests for guarded profiles, which the program that asks cannot give itself.
///
/// All that wait for the same thing share one question: the same process tree, and the same credentials. It is put in several ways at
/// the same time, and the first answer counts. What was agreed to is kept in memory only, for that tree and time.
actor Approvals {
  /// What one agreement is for.
  private struct Key: Hashable {
    let tree: AskingTree
    let profile: String
    let roleARN: String?
    let scope: SessionScope
    let credentials: ApprovalAsk.Credentials
    let identity: [String?]
    let sessionName: String?

    init(_ tree: AskingTree, _ ask: ApprovalAsk) {
      (self.tree, profile, roleARN, scope) = (tree, ask.profile, ask.roleARN, ask.scope)
      (credentials, identity, sessionName) = (ask.credentials, ask.identity, ask.sessionName)
    }
  }

  /// An agreement that is remembered.
  private struct Grant {
    let at: Timestamp
    let duration: SessionDuration?
    let seconds: Int
  }

  /// An answer for requests that did not wait for it.
  private struct Held {
    let until: Timestamp
    /// Nil for an agreement, which serves each of these once.
    let refusal: ApprovalError?
    var askers: Set<Int32> = []
  }

  private struct Waiter {
    let asker: Asker
    let answer: CheckedContinuation<Void, any Error>
  }

  /// The process that asks; ``key`` is nil where the kernel does not show it, and its connection alone tells that it is there.
  private struct Asker: Hashable {
    let pid: Int32
    let key: ProcessKey?

    var isRunning: Bool { key?.isRunning ?? true }
  }

  /// A question that waits for its answer.
  private struct Question {
    let id: String
    let key: Key
    let ask: ApprovalAsk
    /// Nil for a run that acts by itself, whose processes are known, and where the kernel does not show the requester.
    let origin: RequestOrigin?
    let asked: Timestamp
    let end: Timestamp
    var waiters: [Int: Waiter] = [:]
    /// Those who come back for the answer.
    var callers: Set<Asker> = []
    /// How many requests have joined.
    var requests = 0
    /// It is answered, and the answer is being logged.
    var isAnswered = false
    var work: [Task<Void, Never>] = []

    var hasAsker: Bool { waiters.values.contains { $0.asker.isRunning } || callers.contains { $0.isRunning } }
  }

  /// How a question ends.
  private enum Answer {
    case allowed(way: String)
    case denied(way: String)
    case unanswered
    case askerEnded
    case revoked

    func refusal(of ask: ApprovalAsk, limit: Int) -> ApprovalError? {
      switch self {
      case .allowed: nil
      case .denied(let way): .denied(profile: ask.profile, way: way)
      case .unanswered: .unanswered(profile: ask.profile, seconds: limit)
      case .askerEnded: .askerEnded
      case .revoked: .revoked
      }
    }
  }

  /// Seconds for an answer.
  static let limit = 60
  /// Seconds for which an answer is kept for those who come back for it: an SDK asks an endpoint again within a minute or two.
  private static let heldFor: Int64 = 300
  /// Seconds without a question after one that nobody answered, for those who do not wait.
  private static let pause: Int64 = 60
  private static let maxQuestions = 100
  /// Of one tree, so that others find room.
  private static let maxQuestionsOfTree = 8
  private static let maxGrants = 10_000

  private let channels: [any ApprovalChannel]
  private let clock: any WallClock
  private let limit: Int
  private let onExit: @Sendable (Int32, @escaping @Sendable () -> Void) -> Void
  private let record: @Sendable (AuditEvent) async throws -> Void
  private var grants: [Key: Grant] = [:]
  private var held: [Key: Held] = [:]
  private var questions: [String: Question] = [:]
  private var lastNumber = 0

  /// - Parameters:
  ///   - channels: the ways to ask, each tried if those before it cannot.
  ///   - limit: seconds for an answer.
  ///   - onExit: calls back once a process has ended.
  ///   - record: logs an answer.
  init(
    channels: [any ApprovalChannel], clock: any WallClock, limit: Int = Approvals.limit,
    onExit: @escaping @Sendable (Int32, @escaping @Sendable () -> Void) -> Void,
    record: @escaping @Sendable (AuditEvent) async throws -> Void
  ) {
    self.channels = channels
    self.clock = clock
    self.limit = limit
    self.onExit = onExit
    self.record = record
  }

  // MARK: asking

  /// Returns once a person agrees, or has agreed before.
  ///
  /// - Parameters:
  ///   - prompter: the requester, who is told what it waits for.
  ///   - wait: false for one that cannot wait: the question is put, and its next request finds the answer.
  /// - Throws: ``ApprovalError`` if a person refuses, or nobody answers in time; without `wait`, an error that says to ask again.
  func confirm(_ ask: ApprovalAsk, for prompter: any Prompter, wait: Bool) async throws {
    let tree = AskingTree(of: ask.requester, number: nextNumber())
    let key = Key(tree, ask)
    if isGranted(key, ask) { return }
    // Its next request could not be told from another's.
    guard wait || tree.isKnown else { throw ApprovalError.unknownAsker }
    if !wait, try takeHeld(key, ask.requester.pid) { return }
    let asker = Asker(pid: ask.requester.pid, key: ProcessKey(ask.requester.pid))
    // One that the kernel has shown and shows no more has ended.
    guard asker.key != nil || ask.requester.pid <= 0 else { throw ApprovalError.askerEnded }
    let id = try question(key, ask)
    questions[id]?.requests += 1
    guard wait else {
      if questions[id]?.callers.insert(asker).inserted == true {
        onExit(asker.pid) { Task(executorPreference: AgentExecutor.current) { await self.leave(id, caller: asker) } }
      }
      throw ApprovalError.waiting(profile: ask.profile, id: id)
    }
    let isAsked = channels.contains { $0.hasPlace }
    prompter.progress(
      "waits for a confirmation of \(safeText(ask.profile)): \(isAsked ? "see the notification, or " : "")"
        + "run `vault approve \(id)` in another terminal" + (isAsked ? "" : " (the agent knows of no desktop)"))
    try await self.wait(id, asker)
  }

  /// Forgets what was agreed to: all of it, or what was for one profile.
  func forget(profile: String? = nil) {
    grants = grants.filter { profile != nil && $0.key.profile != profile }
    held = held.filter { profile != nil && $0.key.profile != profile }
  }

  /// Takes away what waits for something that is revoked.
  ///
  /// - Parameter isMeant: whether a process's request is.
  func withdraw(_ isMeant: (_ ask: ApprovalAsk, _ asker: Int32) -> Bool) async {
    for (id, question) in questions {
      let askers = question.waiters.values.map(\.asker) + question.callers
      if askers.allSatisfy({ isMeant(question.ask, $0.pid) }) {
        await end(id, .revoked)
        continue
      }
      questions[id]?.callers = question.callers.filter { !isMeant(question.ask, $0.pid) }
      for (number, waiter) in question.waiters where isMeant(question.ask, waiter.asker.pid) {
        questions[id]?.waiters[number] = nil
        waiter.answer.resume(throwing: ApprovalError.revoked)
      }
    }
  }

  private func isGranted(_ key: Key, _ ask: ApprovalAsk) -> Bool {
    guard let seconds = ask.remembered, let grant = grants[key], Self.covers(grant.duration, ask.duration) else { return false }
    let age = clock.now().since(grant.at)
    // A rule may have become stricter since; and a clock that is set back makes nothing last longer.
    return age >= 0 && age < Int64(min(seconds, grant.seconds)) * 1_000
  }

  private func takeHeld(_ key: Key, _ pid: Int32) throws -> Bool {
    guard let answer = held[key] else { return false }
    guard clock.now() < answer.until else {
      held[key] = nil
      return false
    }
    if let refusal = answer.refusal { throw refusal }
    return held[key]?.askers.remove(pid) != nil
  }

  /// Whether an agreement to a session of one duration covers another.
  private static func covers(_ agreed: SessionDuration?, _ asked: SessionDuration?) -> Bool {
    guard let agreed, let asked else { return agreed == asked }
    return asked.seconds <= agreed.seconds
  }

  /// - Returns: the question that covers the request, a new one if there is none.
  private func question(_ key: Key, _ ask: ApprovalAsk) throws -> String {
    if let open = questions.values.first(where: { $0.key == key && Self.covers($0.ask.duration, ask.duration) }) {
      return open.id
    }
    let ofTree = questions.values.count { $0.key.tree.shares(room: key.tree) }
    guard ofTree < Self.maxQuestionsOfTree else { throw ApprovalError.tooManyOfTree(count: ofTree) }
    guard questions.count < Self.maxQuestions else { throw ApprovalError.tooMany }
    var id = ""
    repeat { id = String(Identifier.make("").suffix(6)) } while questions[id] != nil
    let now = clock.now()
    let end = now.adding(seconds: Int64(limit))
    let origin: RequestOrigin? = if case .root(let root) = key.tree { RequestOrigin(of: ask.requester, root: root) } else { nil }
    questions[id] = Question(id: id, key: key, ask: ask, origin: origin, asked: now, end: end)
    let lane = AgentExecutor.current
    questions[id]?.work = [
      Task(executorPreference: lane) { [clock] in
        do { try await clock.sleep(until: end) } catch { return }
        await self.end(id, .unanswered)
      },
      Task(executorPreference: lane) { [channels] in
        for channel in channels where !Task.isCancelled {
          guard let isAllowed = await channel.ask(ask, until: end) else { continue }
          await self.end(id, isAllowed ? .allowed(way: channel.name) : .denied(way: channel.name))
          return
        }
      },
    ]
    return id
  }

  private func wait(_ id: String, _ asker: Asker) async throws {
    let number = nextNumber()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (answer: CheckedContinuation<Void, any Error>) in
        // A cancellation from before finds nobody to take away.
        guard !Task.isCancelled, questions[id] != nil else { return answer.resume(throwing: CancellationError()) }
        questions[id]?.waiters[number] = Waiter(asker: asker, answer: answer)
      }
    } onCancel: {
      Task(executorPreference: AgentExecutor.current) { await self.leave(id, waiter: number) }
    }
  }

  private func leave(_ id: String, waiter number: Int) async {
    questions[id]?.waiters.removeValue(forKey: number)?.answer.resume(throwing: CancellationError())
    await endIfAlone(id)
  }

  private func leave(_ id: String, caller asker: Asker) async {
    questions[id]?.callers.remove(asker)
    await endIfAlone(id)
  }

  /// Takes a question away for which nobody waits any more.
  private func endIfAlone(_ id: String) async {
    guard let question = questions[id], question.waiters.isEmpty, question.callers.isEmpty else { return }
    await end(id, .askerEnded)
  }

  private func nextNumber() -> Int {
    lastNumber += 1
    return lastNumber
  }

  // MARK: answering

  /// The first answer counts.
  ///
  /// - Returns: whether this was it.
  @discardableResult
  private func end(_ id: String, _ answer: Answer) async -> Bool {
    guard let question = questions[id], !question.isAnswered else { return false }
    questions[id]?.isAnswered = true
    for task in question.work { task.cancel() }
    let answer = question.hasAsker ? answer : .askerEnded
    let outcome: Result<Void, any Error>
    do {
      try await record(Self.event(question, answer, limit: limit))
      outcome = answer.refusal(of: question.ask, limit: limit).map { .failure($0) } ?? .success(())
    } catch {
      // What cannot be logged is not given.
      outcome = .failure(error)
    }
    // With those that came meanwhile, without those that left.
    guard let question = questions.removeValue(forKey: id) else { return true }
    if question.hasAsker { keep(answer, outcome, for: question) }
    for waiter in question.waiters.values { waiter.answer.resume(with: outcome) }
    return true
  }

  private func keep(_ answer: Answer, _ outcome: Result<Void, any Error>, for question: Question) {
    let now = clock.now()
    held = held.filter { now < $0.value.until }
    guard case .success = outcome else {
      if case .revoked = answer { return }
      if let refusal = answer.refusal(of: question.ask, limit: limit), !question.callers.isEmpty {
        let seconds = if case .denied = answer { Self.heldFor } else { Self.pause }
        held[question.key] = Held(until: now.adding(seconds: seconds), refusal: refusal)
      }
      return
    }
    if let seconds = question.ask.remembered, question.key.tree.isKnown {
      grants = grants.filter { (0..<Int64($0.value.seconds) * 1_000).contains(now.since($0.value.at)) }
      guard grants.count < Self.maxGrants else { return }
      grants[question.key] = Grant(at: now, duration: question.ask.duration, seconds: seconds)
    } else if !question.callers.isEmpty {
      held[question.key] = Held(
        until: now.adding(seconds: Self.heldFor), refusal: nil, askers: Set(question.callers.map(\.pid)))
    }
  }

  private static func event(_ question: Question, _ answer: Answer, limit: Int) -> AuditEvent {
    let count = question.requests == 1 ? "" : "; \(question.requests) requests"
    let what = question.ask.credentials.words.map { "; \($0)" } ?? ""
    let detail =
      switch answer {
      case .allowed(let way), .denied(let way): "by \(way)"
      case .unanswered: "no answer within \(limit) s"
      case .askerEnded: "the program that asked ended first"
      case .revoked: "revoked before there was an answer"
      }
    let isAllowed = if case .allowed = answer { true } else { false }
    return question.ask.event(
      isAllowed ? .confirmed : .confirmationRefused, isAllowed ? .success : .refused, detail: detail + what + count)
  }
}

// `vault approve`.
extension Approvals {
  /// A question as `vault approve` shows it.
  struct Waiting: Sendable {
    let id: String
    let ask: ApprovalAsk
    let requests: Int
    let asked: Timestamp
    let end: Timestamp
  }

  /// What waits, the oldest first.
  var waiting: [Waiting] {
    questions.values.filter { !$0.isAnswered }.sorted { ($0.asked, $0.id) < ($1.asked, $1.id) }.map {
      Waiting(id: $0.id, ask: $0.ask, requests: $0.requests, asked: $0.asked, end: $0.end)
    }
  }

  /// Answers a question for a person at a terminal.
  ///
  /// - Parameters:
  ///   - approver: the process at that terminal.
  ///   - terminal: its controlling terminal.
  /// - Throws: for a process that may not, or a question that does not wait.
  func answer(
    _ id: String, isAllowed: Bool, by approver: Requester, ancestry: Ancestry, terminal: AnsweringTerminal
  ) async throws -> Waiting {
    guard let question = questions[id], !question.isAnswered else { throw ApprovalError.notWaiting(id: id) }
    guard approver.automation == nil else { throw ApprovalError.automation }
    guard ancestry.pid > 0, ancestry.isComplete else { throw ApprovalError.unknownApprover }
    guard let name = terminal.name else { throw ApprovalError.noTerminal }
    guard !question.key.tree.contains(approver, ancestry) else { throw ApprovalError.ownTree }
    // Anybody else may refuse.
    if isAllowed, let fault = question.origin?.fault(of: terminal) { throw fault }
    let shown = Waiting(id: id, ask: question.ask, requests: question.requests, asked: question.asked, end: question.end)
    let way = "vault approve on \(name), process \(approver.pid)"
    guard question.hasAsker || !isAllowed else {
      await end(id, .askerEnded)
      throw ApprovalError.askerEnded
    }
    guard await end(id, isAllowed ? .allowed(way: way) : .denied(way: way)) else { throw ApprovalError.notWaiting(id: id) }
    return shown
  }
}
