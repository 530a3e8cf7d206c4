import TestSupport

/// `vault` at a terminal, whose questions are answered one after another.
enum TypedDialogue {
  /// - Parameters:
  ///   - steps: a text that is waited for, and what is then typed.
  ///   - without: variables that the person has not set.
  static func run(
    _ vault: TestVault, _ words: [String], _ steps: [(shown: String, typed: String)], environment: [String: String] = [:],
    without: Set<String> = []
  ) async throws -> PseudoTerminal.Result {
    let all = vault.environment.merging(["TERM": "xterm"]) { $1 }.merging(environment) { $1 }.filter { !without.contains($0.key) }
    return try await PseudoTerminal.run(
      [try Programs.vault] + words, steps.flatMap { [.wait($0.shown), .type($0.typed)] }, columns: 200, environment: all)
  }
}
