import Foundation

/// Runs something that blocks on a thread of its own, so that it takes none of the few that async code runs on.
public func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
  try await withCheckedThrowingContinuation { done in
    Thread.detachNewThread { done.resume(with: Swift.Result { try body() }) }
  }
}
