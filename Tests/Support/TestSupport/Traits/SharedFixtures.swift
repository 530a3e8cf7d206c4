import Testing

/// What the tests of one suite share because they only read it: made for the first test that asks for it, released at the suite's end.
public protocol SharedFixture: Sendable {
  /// What no test of the suite may change. It is compared at the suite's end, so that a test that writes fails its suite.
  func state() async throws -> String
}

extension SharedFixture {
  /// The suite's fixture of this type and name. The suite has the trait `.sharesFixtures`.
  public static func shared(_ name: String = "", make: @escaping @Sendable () async throws -> Self) async throws -> Self {
    guard let fixtures = SharedFixtures.current,
      let value = try await fixtures.value("\(Self.self) \(name)", make: make)
    else { throw NotShared() }
    return value
  }
}

/// The suite lacks the trait `.sharesFixtures`.
public struct NotShared: Error {}

/// Keeps what the tests of a suite share while the suite runs.
public struct SharesFixtures: SuiteTrait, TestScoping {
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let fixtures = SharedFixtures()
    try await SharedFixtures.$current.withValue(fixtures) { try await function() }
    try await fixtures.expectUnchanged()
  }
}

extension Trait where Self == SharesFixtures {
  /// The suite's tests share what they read.
  public static var sharesFixtures: Self { Self() }
}

private actor SharedFixtures {
  @TaskLocal static var current: SharedFixtures?
  private struct Made {
    let value: any SharedFixture
    let state: String
  }
  private var made: [String: Task<Made, any Error>] = [:]

  func value<Value: SharedFixture>(_ key: String, make: @escaping @Sendable () async throws -> Value) async throws -> Value? {
    let task =
      made[key]
      ?? Task {
        let value = try await make()
        return Made(value: value, state: try await value.state())
      }
    made[key] = task
    return try await task.value.value as? Value
  }

  func expectUnchanged() async throws {
    for (key, task) in made {
      guard let made = try? await task.value else { continue }
      let state = try await made.value.state()
      #expect(state == made.state, "a test changed what its suite shares: \(key)")
    }
  }
}
