import Synchronization
import VaultConcurrency

/// Ends the agent with the last program that got credentials from it (`VAULT_AGENT_LIFE=programs`): for CI, where nothing may be
/// left running.
final class ExitWithLastProgram: Sendable {
  private let loop: EventLoop
  private let events: AgentEvents
  private let running = Mutex(0)

  init(loop: EventLoop, events: AgentEvents) {
    self.loop = loop
    self.events = events
  }

  /// A program has got credentials. It is the process that asked, since that process becomes the program.
  func began(_ pid: Int32) {
    running.withLock { $0 += 1 }
    loop.onExit(of: pid) { [self] in
      let isLast = running.withLock { running in
        running -= 1
        return running == 0
      }
      if isLast { events.report(.stopRequested(by: nil)) }
    }
  }
}
