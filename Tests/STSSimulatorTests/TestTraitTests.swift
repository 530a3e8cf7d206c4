import Synchronization
import TestSupport
import Testing

/// The traits that the other suites have.
@Suite struct TestTraitTests {
  private actor Counts {
    var running = 0
    var most = 0
    var ended = 0

    func begin() {
      running += 1
      most = max(most, running)
    }

    func end() {
      running -= 1
      ended += 1
    }
  }

  @Test("no more run at one time than there are places for, and all run")
  func places() async {
    let counts = Counts()
    let places = Places(3)
    await withTaskGroup { group in
      for _ in 0..<50 {
        group.addTask {
          await places.run {
            await counts.begin()
            for _ in 0..<10 { await Task.yield() }
            await counts.end()
          }
        }
      }
    }
    #expect(await counts.ended == 50)
    #expect(await counts.most == 3)
  }

  @Test("tags choose the tests that run: one of those that are named, and none of those with a dash")
  func tags() {
    #expect(TagSelection("").includes([]) && TagSelection("").includes([.torture]))
    #expect(TagSelection("torture").includes([.torture, .slow]) && !TagSelection("torture").includes([.slow]))
    #expect(TagSelection("-torture -slow").includes([.measures]) && !TagSelection("-torture -slow").includes([.slow]))
    #expect(!TagSelection("slow -torture").includes([.slow, .torture]))
  }

  private struct Counter: SharedFixture {
    static let made = Atomic(0)
    func state() async throws -> String { "" }
  }

  @Test("a suite's tests that ask for the same at one time get one, and the next suite another")
  func shared() async throws {
    let test = try #require(Test.current)
    for round in 1...2 {
      try await SharesFixtures.sharesFixtures.provideScope(for: test, testCase: nil) {
        try await withThrowingTaskGroup { group in
          for _ in 0..<10 {
            group.addTask {
              _ = try await Counter.shared {
                Counter.made.add(1, ordering: .relaxed)
                return Counter()
              }
            }
          }
          try await group.waitForAll()
        }
      }
      #expect(Counter.made.load(ordering: .relaxed) == round)
    }
  }

  private final class Changing: SharedFixture, Sendable {
    let value = Atomic(0)
    func state() async throws -> String { String(value.load(ordering: .relaxed)) }
  }

  @Test("a test that changes what its suite shares fails the suite")
  func changed() async throws {
    let test = try #require(Test.current)
    await withKnownIssue {
      try await SharesFixtures.sharesFixtures.provideScope(for: test, testCase: nil) {
        try await Changing.shared { Changing() }.value.store(1, ordering: .relaxed)
      }
    }
  }
}
