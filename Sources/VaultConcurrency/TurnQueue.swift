/// Runs one operation at a time, in the order of their arrival. It belongs to one actor, whose isolation protects it.
package final class TurnQueue {
  private var isBusy = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  package init() {}

  /// Runs `body` in its turn.
  package func inTurn<Result>(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result) async rethrows
    -> Result
  {
    if isBusy { await withCheckedContinuation { waiting.append($0) } } else { isBusy = true }
    defer { if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() } }
    return try await body()
  }
}
