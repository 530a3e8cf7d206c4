import VaultModel

/// Tells the person at the desktop what only they can do: once for each profile and cause, until it has been done.
struct Notifier: Sendable {
  private let isThere: Bool

  /// - Parameter environment: the agent's; without a display there is nobody to tell.
  init(environment: [String: String]) {
    isThere = environment["DISPLAY"]?.isEmpty == false || environment["WAYLAND_DISPLAY"]?.isEmpty == false
  }

  func announce(_ profile: String, _ attention: SessionState, _ failure: Failure) async {
    AgentLog.write("\(profile) \(attention.rawValue): \(failure.message)")
    guard isThere else { return }
    let title = "vault: \(profile) \(attention == .failing ? "cannot be renewed" : "needs you")"
    let text = safeText(failure.message + (failure.hint.map { "\n" + $0 } ?? ""))
    // The freedesktop notification service, by its own client; where it is missing, the list still says so.
    _ = try? await ProgramRunner(limit: 5).run(
      words: ["notify-send", "--app-name=vault", "--", safeText(title), text], setting: "notify-send"
    ) { _ in }
  }
}
