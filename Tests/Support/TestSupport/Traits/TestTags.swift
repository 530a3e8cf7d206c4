import Glibc
import Testing

extension Tag {
  /// It takes longer than ten seconds.
  @Tag public static var slow: Self
  /// It kills, cuts off or fills up what the programs need, again and again. `VAULT_TORTURE` makes it long.
  @Tag public static var torture: Self
  /// It measures memory or time, which a sanitizer changes.
  @Tag public static var measures: Self
}

/// Runs or skips a test by its tags, as `VAULT_TEST_TAGS` says; the toolchain's `swift test` cannot filter by them.
///
/// The variable has tags separated by spaces: of `slow torture` a test must have one; one of `-slow` it must not have.
public struct TagSelection: SuiteTrait, TestTrait {
  private let wanted, unwanted: [Substring]

  /// - Parameter words: the value of `VAULT_TEST_TAGS`.
  public init(_ words: String = getenv("VAULT_TEST_TAGS").map { String(cString: $0) } ?? "") {
    let words = words.split(separator: " ")
    wanted = words.filter { !$0.hasPrefix("-") }
    unwanted = words.filter { $0.hasPrefix("-") }.map { $0.dropFirst() }
  }

  /// A suite's tests inherit it, as they inherit the suite's tags.
  public var isRecursive: Bool { true }

  /// Whether a test with these tags runs.
  public func includes(_ tags: Set<Tag>) -> Bool {
    // A tag is described as the source has it: `.slow`.
    let names = Set(tags.map { String(describing: $0).split(separator: ".").last ?? "" })
    return (wanted.isEmpty || !names.isDisjoint(with: wanted)) && names.isDisjoint(with: unwanted)
  }

  public func prepare(for test: Test) async throws {
    // The tests of a suite may have tags of their own.
    if !test.isSuite, !includes(test.tags) { try Test.cancel("VAULT_TEST_TAGS leaves it out") }
  }
}

extension Trait where Self == TagSelection {
  /// `VAULT_TEST_TAGS` says whether the test runs.
  public static var selectedByTag: Self { Self() }
}
