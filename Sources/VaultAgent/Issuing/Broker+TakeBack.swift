import VaultModel
import VaultStore

// Sessions that were forgotten, signed out of, or whose profile was removed: nothing that is served or lies in a file outlives them here.
extension Broker {
  /// Takes back what was forgotten since the last time. A program that asks again gets a new session where there is one to be had; a
  /// credentials file has the next one that somebody asks for.
  func takeBack() async {
    let keys = Set(await store.takeForgotten().map { Scheduler.Key(profile: $0.profile, fingerprint: $0.fingerprint) })
    guard !keys.isEmpty else { return }
    for lease in await scheduler?.takeBack(keys) ?? [] { await retract(lease) }
  }

  /// What was on its way to a lease may have been forgotten before it was there.
  func retract(_ lease: String, ifForgotten session: SessionRecord) async {
    // A database that cannot be asked has just answered for the session itself; nothing is served beside a doubt.
    if (try? await store.isForgotten(session)) != false { await retract(lease) }
  }

  private func retract(_ lease: String) async {
    if await files.has(lease) { await files.empty(lease) } else { endpoint.sleep([lease]) }
  }
}
