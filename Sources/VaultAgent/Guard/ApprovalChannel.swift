import VaultModel

/// A way to ask a person who is not where the asking program is.
protocol ApprovalChannel: Sendable {
  /// Its name in the audit log.
  var name: String { get }
  /// Whether it knows of a place where a person may be.
  var hasPlace: Bool { get }

  /// Asks, and waits for the answer. If the task is cancelled, the question is taken away.
  ///
  /// - Parameter end: when the answer no longer counts.
  /// - Returns: nil if nobody can be asked this way, or no longer.
  func ask(_ ask: ApprovalAsk, until end: Timestamp) async -> Bool?
}

extension ApprovalChannel {
  var hasPlace: Bool { true }
}
