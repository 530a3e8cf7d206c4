import VaultConcurrency
import VaultSecrets
import VaultWire

/// All who wait for the same work share one prompt.
extension SingleFlight: Prompter where Waiter == any Prompter {
  /// Whether any waiter can be asked.
  var isInteractive: Bool { waiters.contains { $0.isInteractive } }

  /// - Throws: the error of the last waiter that was asked; `AgentError.unanswered` after ten minutes.
  func ask(_ question: Question) async throws -> SecretBytes {
    try await ask(unanswered: AgentError.unanswered(question: question.text)) { try await $0.ask(question) }
  }

  func notice(_ text: String) { waiters.first?.notice(text) }
  func progress(_ text: String) { for waiter in waiters { waiter.progress(text) } }
  func show(_ page: Page) { tell { $0.show(page) } }
}

extension SingleFlightGroup where Waiter == any Prompter {
  /// The result of `work`, which runs once for all requests for `key` before it ends.
  ///
  /// - Parameter endsAlone: whether the work is cancelled when all waiters have left.
  func share(
    _ key: String, for prompter: any Prompter, endsAlone: Bool = false,
    _ work: @escaping @Sendable (any Prompter) async throws -> Value
  ) async throws -> Value {
    try await share(key, by: prompter, endsAlone: endsAlone, on: AgentExecutor.current) { singleFlight in
      try await CurrentPrompter.$value.withValue(singleFlight) { try await work(singleFlight) }
    }
  }
}
