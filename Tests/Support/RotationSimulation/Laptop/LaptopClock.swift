import VaultModel

/// A laptop's clock: its alarms go off when the laptop wakes up, where their moment has passed in its sleep.
///
/// `@unchecked Sendable`: see ``World``.
final class LaptopClock: WallClock, @unchecked Sendable {
  private let world: World
  private var sleepers: [Int: CheckedContinuation<Void, any Error>] = [:]
  private var cancelled: Set<Int> = []
  /// Those whose moment came while the laptop slept.
  private var overdue: [Int] = []
  private var last = 0
  private var isAwake = false

  init(_ world: World) { self.world = world }

  func now() -> Timestamp { world.now }

  func suspend() { isAwake = false }

  func wake() {
    isAwake = true
    let due = overdue
    overdue.removeAll()
    for id in due { sleepers.removeValue(forKey: id)?.resume() }
  }

  func sleep(until moment: Timestamp) async throws {
    last += 1
    let id = last
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (sleeper: CheckedContinuation<Void, any Error>) in
        if cancelled.remove(id) != nil { return sleeper.resume(throwing: CancellationError()) }
        sleepers[id] = sleeper
        world.at(moment) { [self] in ring(id) }
      }
    } onCancel: {
      guard let sleeper = sleepers.removeValue(forKey: id) else {
        cancelled.insert(id)
        return
      }
      sleeper.resume(throwing: CancellationError())
    }
  }

  private func ring(_ id: Int) {
    guard isAwake else {
      if sleepers[id] != nil { overdue.append(id) }
      return
    }
    sleepers.removeValue(forKey: id)?.resume()
  }
}
