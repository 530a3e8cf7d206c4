import VaultModel

// Deliveries requested at the same time share a transaction: its locks and pages are most of the cost of one.

/// A requested delivery, and its audit row.
struct DeliveryRequest {
  let profile: String
  let fingerprint: String
  let freshness: Freshness
  let event: AuditEvent
}

/// Deliveries that wait for their shared transaction.
struct WaitingDeliveries {
  typealias Answer = CheckedContinuation<Delivery?, any Error>
  private var waiting: [(request: DeliveryRequest, answer: Answer)] = []

  var isEmpty: Bool { waiting.isEmpty }

  mutating func add(_ request: DeliveryRequest, _ answer: Answer) { waiting.append((request, answer)) }

  mutating func consume() -> [(request: DeliveryRequest, answer: Answer)] {
    defer { waiting.removeAll() }
    return waiting
  }
}

extension VaultStore {
  /// Waits for the requests that are already in the executor's queue, and returns once the transaction with the rows of all of them
  /// has been committed.
  func deliverTogether(_ request: DeliveryRequest) async throws -> Delivery? {
    try await withCheckedThrowingContinuation { answer in
      let isFirst = deliveries.isEmpty
      deliveries.add(request, answer)
      // At the end of the queue, after requests that arrived meanwhile.
      if isFirst { Task { self.commitDeliveries() } }
    }
  }

  private func commitDeliveries() {
    let waiting = deliveries.consume()
    var outcomes: [Result<Delivery?, any Error>] = []
    do {
      try change(.process) { store in
        for (request, _) in waiting {
          let found: Delivery?
          do { found = try store.openSession(for: request) } catch {
            // Nothing was written for it, and the others are unaffected.
            outcomes.append(.failure(error))
            continue
          }
          if let found { try store.log(found, request) }
          outcomes.append(.success(found))
        }
      }
    } catch {
      // None of the rows was written. Each is retried alone, so that every failure gets its own error.
      outcomes = waiting.map { waiting in Result { try deliverAlone(waiting.request) } }
    }
    for ((_, answer), outcome) in zip(waiting, outcomes) { answer.resume(with: outcome) }
  }
}
