import Synchronization
import VaultBytes
import VaultModel

/// Notifies the person at the desktop of things that only they can do: once for each cause, until it is resolved. Fifty roles that
/// depend on one expired sign-in are one cause.
final class Notifier: Sendable {
  /// Seconds after which an unresolved cause is reported again.
  private static let delay: Int64 = 8 * 3_600
  private let session: PersonSession
  private let clock: any WallClock
  private let told = Mutex<[String: Timestamp]>([:])

  /// - Parameter session: without a display in it, nobody can be notified.
  init(session: PersonSession, clock: any WallClock) {
    self.session = session
    self.clock = clock
  }

  /// The person has acted: any problem after that is new.
  func forget() { told.withLock { $0.removeAll() } }

  func announce(_ profile: String, pendingAction: SessionState, failure: Failure) async {
    AgentLog.write("\(profile) \(pendingAction.rawValue): \(failure.message)")
    guard let desktop = session.desktop, isNews(failure.message) else { return }
    let title = "vault: \(profile) \(pendingAction == .failing ? "cannot be renewed" : "needs you")"
    let text = safeText(failure.message + (failure.hint.map { "\n" + $0 } ?? ""))
    // Uses the client of the freedesktop notification service. If it is missing, the list still shows the cause.
    _ = try? await ProgramRunner(limit: 5).run(
      words: ["notify-send", "--app-name=vault", "--", safeText(title), text], setting: "notify-send",
      in: desktop
    ) { _ in }
  }

  private func isNews(_ cause: String) -> Bool {
    let now = clock.now()
    return told.withLock { told in
      told = told.filter { (0..<Self.delay * 1_000).contains(now.since($0.value)) }
      guard told[cause] == nil, told.count < 1_000 else { return false }
      told[cause] = now
      return true
    }
  }
}
