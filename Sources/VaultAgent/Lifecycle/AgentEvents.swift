import VaultModel
import VaultStore

/// A report of one part of the agent that others act on.
enum AgentEvent: Sendable {
  case store(StoreEvent)
  /// The key was fetched: programs and files can be served again.
  case unlocked
  /// A request at the credential endpoint found its session due or missing.
  case sessionDue(lease: String)
  case programEnded(lease: String)
  /// Profiles or keys were added, changed or removed.
  case profilesChanged
  /// The guard rules of the settings files have changed; these are the ones of before.
  case rulesChanged(GuardRules)
  /// Requests on loopback were refused; the text is for the audit log.
  case requestsRefused(String)
  /// A process of an automation run asked at the credential endpoint with another program's token.
  case tokenRefused(AutomationRun, pid: Int32)
  /// A client finds no socket (SIGUSR1).
  case socketLost
  /// The requester is nil for a signal, and for the agent itself.
  case stopRequested(by: Requester?)
}

/// The one stream of events: parts report to it and do not know who acts, so that no part needs another that is made later.
final class AgentEvents: Sendable {
  /// In the order in which they were reported. Only one task can read them; they wait until it does.
  let all: AsyncStream<AgentEvent>
  private let continuation: AsyncStream<AgentEvent>.Continuation

  init() { (all, continuation) = AsyncStream.makeStream() }

  /// Any thread may call it.
  func report(_ event: AgentEvent) { continuation.yield(event) }
}
