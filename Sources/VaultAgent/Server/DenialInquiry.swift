import AWSClient
import AWSPolicy
import VaultModel
import VaultStore
import VaultWire

/// Asks AWS for what it knows more of a refusal, with a profile's credentials; each question is logged.
struct DenialInquiry {
  let handler: RequestHandler
  let request: CredentialRequest
  let context: RequestContext
  let issued: IssuedCredentials

  /// That AWS refuses to tell is an answer too.
  func answer(_ asked: DenialRequest) async throws -> DenialReply {
    do {
      let found =
        if let message = asked.encodedMessage { try await decode(message) } else {
          try await details(asked.authorizationId ?? "")
        }
      guard let found else { return DenialReply { $0.fault = "AWS's details of the request tell of no refusal" } }
      return DenialReply {
        ($0.principal, $0.action, $0.resource) = (found.principal, found.action, found.resource)
        ($0.policyType, $0.isExplicit) = (found.policyType?.rawValue, found.isExplicit)
        ($0.policyARN, $0.sid) = (found.policyARN, found.sid)
      }
    } catch let error as AWSError {
      guard let code = error.code else { throw error }
      return DenialReply {
        $0.fault = error.message
        guard code.hasPrefix("AccessDenied") else { return }
        $0.missingPermission =
          asked.encodedMessage == nil ? "iam:GetRequestAuthorizationDetails" : "sts:DecodeAuthorizationMessage"
      }
    }
  }

  private func decode(_ message: String) async throws -> Denial? {
    let settings = try await handler.catalog.endpoint(of: request.profile, .sts, environment: request.environment)
    let endpoint = try STSEndpoint(region: issued.region, settings: settings)
    let route = try await route(to: endpoint, settings)
    let intent = event(.decodeAuthorizationMessage, to: endpoint, by: route)
    let text = try await audited(intent, in: handler.store) { event in
      let answer = try await handler.clients.sts.decodeAuthorizationMessage(
        message, signedBy: issued.credential, at: endpoint, via: route)
      event.requestId = answer.requestId
      return answer.text
    }
    return (try? JSONText(Array(text.utf8)).value).flatMap { Denial(details: [$0]) }
  }

  private func details(_ id: String) async throws -> Denial? {
    let settings = try await handler.catalog.endpoint(of: request.profile, .iamToolbox, environment: request.environment)
    let endpoint = try ServiceEndpoint(.iamToolbox, region: issued.region ?? "us-east-1", settings: settings)
    let route = try await route(to: endpoint, settings)
    let intent = event(.getRequestAuthorizationDetails, to: endpoint, by: route)
    let pages = try await audited(intent, in: handler.store) { event in
      let answer = try await handler.clients.iamToolbox.getRequestAuthorizationDetails(
        id, at: SignedEndpoint(endpoint, signedBy: issued.credential, via: route))
      event.requestId = answer.requestId
      return answer.pages
    }
    return Denial(details: pages)
  }

  private func route(to place: some NetworkPlace, _ settings: EndpointSettings) async throws -> NetworkSettings {
    try await handler.clients.trust.route(
      to: place, settings, sending: "calls signed with the session, and the details of a refusal",
      for: NetworkTrust.Context(
        requester: context.requester, trigger: request.trigger, environment: request.environment, prompter: context.prompter))
  }

  private func event(_ action: AuditAction, to place: some NetworkPlace, by route: NetworkSettings) -> AuditEvent {
    var event = AuditEvent(
      action: action, outcome: .intent, trigger: request.trigger, profile: request.profile, requester: context.requester)
    event.sourceAccessKeyId = issued.credential.accessKeyId
    event.sessionId = issued.session?.record.id
    event.go(to: place, by: route)
    return event
  }
}

extension RequestHandler {
  func denial(_ asked: DenialRequest, _ context: RequestContext) async throws -> DenialReply {
    guard (asked.encodedMessage == nil) != (asked.authorizationId == nil) else {
      throw AgentError.badRequest("expected either an encoded message or an authorization id")
    }
    let request = try CredentialRequest(asked.credentials, context)
    let issued = try await broker.issue(request, to: context.requester, prompter: context.prompter)
    return try await DenialInquiry(handler: self, request: request, context: context, issued: issued).answer(asked)
  }
}
