import Foundation
import Testing

/// For suites that start agents: limits how many of their tests run at one time, and lets `VAULT_TEST_TAGS` choose among them.
///
/// An agent derives its key in 256 MiB, and on a machine with too much to do real timeouts pass, such as the 3 seconds of a keyring.
/// Each case of a test with arguments counts as one.
public struct EndToEndTrait: SuiteTrait, TestTrait, TestScoping {
  /// Twice the machine's cores, at most 16, unless `VAULT_TEST_WIDTH` says otherwise.
  public static let width: Int = {
    let given = ProcessInfo.processInfo.environment["VAULT_TEST_WIDTH"].flatMap { Int($0) }
    return max(1, given ?? min(16, 2 * ProcessInfo.processInfo.activeProcessorCount))
  }()
  private static let places = Places(width)

  /// A suite's tests inherit it.
  public var isRecursive: Bool { true }

  public func prepare(for test: Test) async throws { try await TagSelection().prepare(for: test) }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await Self.places.run(function)
  }
}

extension Trait where Self == EndToEndTrait {
  /// The suite starts agents.
  public static var endToEnd: Self { Self() }
}

/// An asynchronous semaphore: lets so many run at one time, first come, first served.
public actor Places {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  public init(_ count: Int) { free = count }

  /// Runs `body` once there is a place for it.
  public func run(_ body: @Sendable () async throws -> Void) async rethrows {
    if free > 0 { free -= 1 } else { await withCheckedContinuation { waiting.append($0) } }
    // The place goes to the first who waits, so that nobody who comes later takes it.
    defer { if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() } }
    try await body()
  }
}
