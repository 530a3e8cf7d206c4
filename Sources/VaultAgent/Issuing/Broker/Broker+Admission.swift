import VaultModel

// What a request gets of what it asks for.
extension Broker {
  /// The request and the plan to which a requester is admitted, before any session is looked up or made for it.
  ///
  /// - Parameters:
  ///   - handsOut: whether a program gets the credentials.
  ///   - asking: whether a person may be asked to agree.
  /// - Throws: for a request that is refused.
  func admit(
    _ request: CredentialRequest, requester: Requester, prompter: any Prompter, handsOut: Bool = true, asking: Gatekeeper.Asking
  ) async throws -> (request: CredentialRequest, plan: CredentialPlan) {
    let plan = try await catalog.plan(for: request, prompter: prompter, requester: requester)
    guard
      let admission = try await gatekeeper.admit(
        request, plan: plan, requester: requester, prompter: prompter, handsOut: handsOut, asking: asking)
    else { return (request, plan) }
    let narrowed: CredentialPlan
    do {
      narrowed =
        admission.isChanged ? try await catalog.plan(for: admission.request, prompter: prompter, requester: requester) : plan
    } catch {
      throw try await gatekeeper.refusal(of: admission, after: error, asking)
    }
    try await gatekeeper.confirm(admission, plan: narrowed, asking)
    return (admission.request, narrowed)
  }
}
