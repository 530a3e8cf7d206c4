import Synchronization
import VaultConcurrency
import VaultKeys
import VaultModel

/// Asks by a notification with two buttons, on each desktop of the person.
final class NotificationApproval: ApprovalChannel {
  let name = "notification"
  /// Seconds after which a service is asked again whether it is there.
  private static let interval: Int64 = 2
  private let session: PersonSession
  private let clock: any WallClock
  private let desktops = Mutex<[String: DesktopNotifications]>([:])

  init(session: PersonSession, clock: any WallClock) {
    self.session = session
    self.clock = clock
  }

  func ask(_ ask: ApprovalAsk, until end: Timestamp) async -> Bool? {
    await withTaskGroup(of: Bool?.self) { group in
      for address in addresses { group.addTask { await self.ask(ask, on: address) } }
      for await answer in group {
        guard let answer else { continue }
        // The other desktops' are taken away.
        group.cancelAll()
        return answer
      }
      return nil
    }
  }

  /// Those of the session's buses, one bus once.
  private var addresses: [String] {
    session.buses.reduce(into: []) { known, address in
      func place(_ address: String) -> Substring { address.prefix { $0 != "," } }
      if !known.contains(where: { place($0) == place(address) }) { known.append(address) }
    }
  }

  private func ask(_ ask: ApprovalAsk, on address: String) async -> Bool? {
    let desktop = desktops.withLock { desktops in
      if let known = desktops[address] { return known }
      // Buses come and go with logins.
      if desktops.count >= 8 { desktops = [:] }
      let new = DesktopNotifications()
      desktops[address] = new
      return new
    }
    let (answers, answered) = AsyncStream.makeStream(of: Bool?.self, bufferingPolicy: .bufferingOldest(1))
    let buttons = [
      DesktopNotifications.Button("Allow") { answered.yield(true) },
      DesktopNotifications.Button("Deny") { answered.yield(false) },
    ]
    let question = await BlockingPool.shared.run { desktop.ask(ask.title, text: ask.text, buttons: buttons, on: address) }
    guard let question else { return nil }
    defer { desktop.close(question) }
    let watch = Task(executorPreference: AgentExecutor.current) { [clock] in
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
