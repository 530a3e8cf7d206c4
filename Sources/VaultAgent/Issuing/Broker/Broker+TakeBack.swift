import VaultModel
import VaultStore

// Sessions that were forgotten or signed out of, or whose profile was removed: no served program or file keeps them.
extension Broker {
  /// Takes back the sessions that were forgotten since the last time. A program that asks again gets a new session if there is one;
  /// a credentials file gets the next one that somebody requests.
  func withdraw() async {
    let keys = Set(await store.consumeForgotten().map { Scheduler.Key(profile: $0.profile, fingerprint: $0.fingerprint) })
    guard !keys.isEmpty else { return }
    for lease in await scheduler?.withdraw(keys) ?? [] { await retract(lease) }
  }

  /// A session on its way to a lease may have been forgotten before it arrived.
  func retract(_ lease: String, ifForgotten session: SessionRecord) async {
    // The database has just answered for the session itself, so an error here is a doubt, and in doubt nothing is served.
    if (try? await store.isForgotten(session)) != false { await retract(lease) }
  }

  private func retract(_ lease: String) async {
    if await files.has(lease) { await files.empty(lease) } else { endpoint.sleep([lease]) }
  }
}
