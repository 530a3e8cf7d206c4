import VaultModel

// Deliveries that are asked for at the same moment share a transaction: its locks and its pages are what most of one costs.

/// What a program is to be given, and the row that says so.
struct DeliveryRequest {
  let profile: String
  let fingerprint: String
  let freshness: Freshness
  let event: AuditEvent
}

/// Deliveries that wait for the transaction that they share.
struct WaitingDeliveries {
  typealias Answer = CheckedContinuation<Delivery?, any Error>
  private var waiting: [(request: DeliveryRequest, answer: Answer)] = []

  var isEmpty: Bool { waiting.isEmpty }

  mutating func add(_ request: DeliveryRequest, _ answer: Answer) { waiting.append((request, answer)) }

  mutating func take() -> [(request: DeliveryRequest, answer: Answer)] {
    defer { waiting.removeAll() }
    return waiting
  }
}

extension VaultStore {
  /// Waits for the requests that are in the lane's queue already, and is answered once the transaction has committed that holds the rows
  /// of all of them.
  func deliverTogether(_ request: DeliveryRequest) async throws -> Delivery? {
    try await withCheckedThrowingContinuation { answer in
      let isFirst = deliveries.isEmpty
      deliveries.add(request, answer)
      // At the queue's end, after those who came meanwhile.
      if isFirst { Task { self.commitDeliveries() } }
    }
  }

  private func commitDeliveries() {
    let waiting = deliveries.take()
    var outcomes: [Result<Delivery?, any Error>] = []
    do {
      try change(.process) { store in
        for (request, _) in waiting {
          let found: Delivery?
          do { found = try store.openSession(for: request) } catch {
            // Nothing was written for it, and the others need not suffer.
            outcomes.append(.failure(error))
            continue
          }
          if let found { try store.log(found, request) }
          outcomes.append(.success(found))
        }
      }
    } catch {
      // None of the rows is there. Each by itself: whoever fails then knows why.
      outcomes = waiting.map { waiting in Result { try deliverAlone(waiting.request) } }
    }
    for ((_, answer), outcome) in zip(waiting, outcomes) { answer.resume(with: outcome) }
  }
}
