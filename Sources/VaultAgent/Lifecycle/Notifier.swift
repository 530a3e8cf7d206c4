import Synchronization
import VaultBytes
import VaultModel

/// Tells the person at the desktop what only they can do: once for each cause, until it has been done. Fifty roles behind one sign-in that
/// has ended are one cause.
final class Notifier: Sendable {
  /// Seconds after which a cause that is still there is told again.
  private static let pause: Int64 = 8 * 3_600
  private let session: PersonSession
  private let clock: any WallClock
  private let told = Mutex<[String: Timestamp]>([:])

  /// - Parameter session: without a display in it there is nobody to tell.
  init(session: PersonSession, clock: any WallClock) {
    self.session = session
    self.clock = clock
  }

  /// The person has acted: what is the matter after that is news.
  func forget() { told.withLock { $0.removeAll() } }

  func announce(_ profile: String, _ attention: SessionState, _ failure: Failure) async {
    AgentLog.write("\(profile) \(attention.rawValue): \(failure.message)")
    guard let desktop = session.desktop, isNews(failure.message) else { return }
    let title = "vault: \(profile) \(attention == .failing ? "cannot be renewed" : "needs you")"
    let text = safeText(failure.message + (failure.hint.map { "\n" + $0 } ?? ""))
    // The freedesktop notification service, by its own client; where it is missing, the list still says so.
    _ = try? await ProgramRunner(limit: 5).run(
      words: ["notify-send", "--app-name=vault", "--", safeText(title), text], setting: "notify-send",
      in: desktop
    ) { _ in }
  }

  private func isNews(_ cause: String) -> Bool {
    let now = clock.now()
    return told.withLock { told in
      told = told.filter { (0..<Self.pause * 1_000).contains(now.since($0.value)) }
      guard told[cause] == nil, told.count < 1_000 else { return false }
      told[cause] = now
      return true
    }
  }
}
