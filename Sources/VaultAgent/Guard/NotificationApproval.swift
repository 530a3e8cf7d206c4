import VaultConcurrency
import VaultKeys
import VaultModel

/// Asks by a notification with two buttons, on the person's desktop.
struct NotificationApproval: ApprovalChannel {
  let name = "notification"
  /// Seconds after which a service is asked again whether it is there.
  private static let interval: Int64 = 2
  let place: ApprovalDesktop
  let clock: any WallClock
  /// Whether a process acts by itself, and answers for no person.
  let isAutomation: @Sendable (Int32) -> Bool
  private let desktop = DesktopNotifications()

  init(place: ApprovalDesktop, clock: any WallClock, isAutomation: @escaping @Sendable (Int32) -> Bool) {
    (self.place, self.clock, self.isAutomation) = (place, clock, isAutomation)
  }

  var hasPlace: Bool { place.bus != nil }

  func ask(_ ask: ApprovalAsk, until end: Timestamp) async -> Bool? {
    guard let address = place.bus else { return nil }
    let (answers, answered) = AsyncStream.makeStream(of: Bool?.self, bufferingPolicy: .bufferingOldest(1))
    let buttons = [
      DesktopNotifications.Button("Allow") { answered.yield(true) },
      DesktopNotifications.Button("Deny") { answered.yield(false) },
    ]
    let question = await BlockingPool.shared.run { [desktop, isAutomation] in
      desktop.ask(ask.title, text: ask.text, buttons: buttons, on: address) { !isAutomation($0) }
    }
    guard let question else { return nil }
    defer { desktop.close(question) }
    let watch = Task(executorPreference: AgentExecutor.current) { [clock, desktop] in
      while true {
        do { try await clock.sleep(until: clock.now().adding(seconds: Self.interval)) } catch { return }
        if await !BlockingPool.shared.run({ desktop.isShowing(question) }) {
          answered.yield(nil)
          return
        }
      }
    }
    defer { watch.cancel() }
    // Ends without an answer if the task is cancelled.
    for await answer in answers { return answer }
    return nil
  }
}
