import Synchronization
import VaultBytes
import VaultConcurrency
import VaultKeys
import VaultModel
import VaultSecrets

/// Notifies the person at the desktop of things that only they can do: once for each cause, until it is resolved. Fifty roles that
/// depend on one expired sign-in are one cause.
final class Notifier: Sendable {
  /// Seconds after which an unresolved cause is reported again, in place of its notification.
  private static let delay: Int64 = 8 * 3_600
  /// Seconds for a sign-in in the browser.
  private static let signInLimit = 15.0 * 60
  private let session: PersonSession
  private let clock: any WallClock
  private let client: String
  private let programs: ProgramRunner
  private let desktop = DesktopNotifications()
  private let told = Mutex<[String: (at: Timestamp, number: UInt32)]>([:])
  private let (presses, pressed) = AsyncStream.makeStream(of: CredentialRequest.self, bufferingPolicy: .bufferingNewest(16))

  /// - Parameters:
  ///   - session: without a display in it, nobody can be notified.
  ///   - client: the program that signs in.
  init(session: PersonSession, clock: any WallClock, client: String, programs: ProgramRunner = ProgramRunner()) {
    self.programs = programs
    self.session = session
    self.clock = clock
    self.client = client
  }

  /// The person has acted: any problem after that is new.
  func forget() {
    let numbers = told.withLock { told in
      defer { told.removeAll() }
      return told.values.map(\.number).filter { $0 != 0 }
    }
    desktop.close(numbers)
  }

  func announce(_ request: CredentialRequest, pendingAction: SessionState, failure: Failure) async {
    let profile = request.profile
    AgentLog.write("\(profile) \(pendingAction.rawValue): \(failure.message)")
    guard session.desktop != nil, let bus = session.buses.first, let replaced = claim(failure.message) else { return }
    let title = safeText("vault: \(profile) \(pendingAction == .failing ? "cannot be renewed" : "needs you")")
    let text = safeText(failure.message) + (failure.hint.map { "\n" + safeText($0) } ?? "")
    let button = DesktopNotifications.Button("Sign in") { [pressed] in pressed.yield(request) }
    let number = await BlockingPool.shared.run { [desktop] in
      desktop.show(title, text: text, button: pendingAction == .needsLogin ? button : nil, replacing: replaced, on: bus)
    }
    // Without a service, the list still shows the cause.
    guard let number else { return }
    let isOver = told.withLock { told in
      told[failure.message]?.number = number
      return told[failure.message] == nil
    }
    if isOver { desktop.close([number]) }
  }

  /// Begins a sign-in for each press of a button, until the task is cancelled.
  ///
  /// It is the client that signs in, as if the person had typed `vault login PROFILE` at their desktop: it opens the browser, and it
  /// is the requester in the audit log.
  func signIn() async {
    await withDiscardingTaskGroup { group in
      for await request in presses { group.addTask { await self.signIn(request) } }
    }
  }

  private func signIn(_ request: CredentialRequest) async {
    guard let desktop = session.desktop else { return }
    var environment = ByteBuffer(isWiped: true)
    desktop.withBytes { environment.append($0) }
    for (name, value) in request.environment { environment.append(string: "\(name)=\(value)\0") }
    do {
      _ = try await programs.run(
        words: [client, "login", "--", request.profile], setting: "Sign in", in: environment.secret, limit: Self.signInLimit
      ) { AgentLog.write($0) }
    } catch {
      AgentLog.write("the sign-in for \(request.profile) that a notification began: \(Failure(error).message)")
    }
  }

  /// - Returns: the number of the notification to replace, 0 for none; nil if the cause was reported already.
  private func claim(_ cause: String) -> UInt32? {
    let now = clock.now()
    return told.withLock { told in
      let old = told[cause]
      if let old, (0..<Self.delay * 1_000).contains(now.since(old.at)) { return nil }
      guard old != nil || told.count < 1_000 else { return nil }
      told[cause] = (now, old?.number ?? 0)
      return old?.number ?? 0
    }
  }
}
