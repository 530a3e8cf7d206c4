import Foundation
import SimulatorModel
import Synchronization
import VaultModel

/// What becomes of a call on the wire.
struct Reply: Sendable {
  var response: HTTPResponse?
  var fault: STSFault?
  /// What the `Date` header says.
  var date: Timestamp
  var keepAlive: Bool
}

/// The simulator: STS behind a lock, its faults, and its log. All connections share one.
final class Simulator: Sendable {
  private struct State {
    var service: Service
    var center = IdentityCenter()
    var settings: STSSettings
    var faults: [STSFault] = []
    var log: RequestLog
    var working = 0
  }
  private let state: Mutex<State>
  private let clock = SystemClock()

  init(world: STSWorld, log: RequestLog) {
    state = Mutex(State(service: Service(world: world), settings: world.settings, log: log))
  }

  /// Carries out one call and writes it down, latency included.
  func answer(_ request: HTTPRequest, connection: Int) -> Reply {
    let began = clock.now()
    let start = ContinuousClock.now
    var entry = STSRequest(
      number: 0, time: began.milliseconds, connection: connection, method: request.method,
      target: String(request.target.prefix { $0 != "?" }), requestId: Identity.requestId())
    entry.host = request["host"] ?? ""
    entry.userAgent = request["user-agent"] ?? ""
    entry.hasSessionToken = request["x-amz-security-token"] != nil
    let parameters = Result { () throws(AWSError) in try CallParameters(request) }
    let operation = Self.operation(request)
    if let operation { entry.action = operation }
    if operation == nil, case .success(let parameters) = parameters {
      entry.action = parameters["Action"] ?? ""
      entry.parameters = parameters.withoutSecrets
    }

    let (fault, settings, overloaded) = state.withLock { state in
      state.working += 1
      state.log.sawConcurrency(state.working)
      let limit = state.settings.maxConcurrent ?? 0
      return (Self.takeFault(&state.faults, action: entry.action), state.settings, limit > 0 && state.working > limit)
    }
    Thread.sleep(forTimeInterval: Double(settings.latencyMs ?? 0) / 1_000)
    entry.fault = fault?.kind
    let offset = Int64(settings.clockOffsetSeconds ?? 0) + Int64(fault?.kind == .skew ? fault?.seconds ?? 600 : 0)
    let now = clock.now().adding(seconds: offset)
    var reply = Reply(fault: fault, date: now, keepAlive: settings.keepAlive ?? true)
    do throws(AWSError) {
      if overloaded { throw .throttling(retryAfter: nil) }
      if let error = fault?.error { throw error }
      if fault?.preventsCall != true {
        reply.response =
          if let operation {
            try rest(operation, request, now: now, entry: &entry)
          } else {
            try carryOut(request, parameters.get(), now: now, entry: &entry)
          }
      }
    } catch {
      entry.outcome = .error
      entry.errorCode = error.code
      entry.errorMessage = error.message
      if case .success(let parameters) = parameters, let code = parameters["TokenCode"], !code.isEmpty {
        entry.errorMessage = error.message.replacing(code, with: "‹secret›")
      }
      reply.response =
        operation == nil
        ? XMLAnswer.failure(error, requestId: entry.requestId) : Self.restFailure(error, requestId: entry.requestId)
    }
    if let fault {
      entry.outcome = .fault
      reply.response = fault.changed(reply.response)
    }
    let answered = fault?.hidesAnswer == true ? nil : reply.response
    entry.status = answered?.status
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    entry.microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    state.withLock { state in
      state.working -= 1
      state.log.append(entry)
    }
    return reply
  }

  /// Who asks, what they ask for, and the answer.
  private func carryOut(
    _ request: HTTPRequest, _ parameters: CallParameters, now: Timestamp, entry: inout STSRequest
  ) throws(AWSError) -> HTTPResponse {
    if let action = parameters["Action"], ["AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"].contains(action) {
      return try federated(action, parameters, now: now, entry: &entry)
    }
    let signature = try SignatureV4(request)
    entry.accessKeyId = signature.accessKeyId
    entry.region = signature.region
    // Told apart by what is asked, since both have one host here.
    let isIAM = ["ListAccessKeys", "CreateAccessKey", "DeleteAccessKey"].contains(parameters["Action"])
    let isRead = Self.iamReads.contains(parameters["Action"] ?? "")
    let caller = try locked { service throws(AWSError) in
      try service.identify(signature, request, service: isIAM || isRead ? "iam" : "sts", now: now)
    }
    entry.callerARN = caller.arn
    guard let action = parameters["Action"], !action.isEmpty else { throw .missingAction }
    if isIAM { return try iam(action, parameters, caller, &entry) }
    if isRead { return try iamRead(action, parameters, caller, &entry) }
    guard request.path == "/", let version = parameters["Version"], version == "2011-06-15" else {
      throw .unknownOperation(action, version: parameters["Version"] ?? "")
    }
    switch action {
    case "GetCallerIdentity":
      try parameters.requireOnly([])
      let result = [("UserId", caller.userId), ("Account", caller.account), ("Arn", caller.arn)]
      return XMLAnswer.success(action, XMLElement("", result.map { XMLElement($0, text: $1) }), requestId: entry.requestId)
    case "DecodeAuthorizationMessage":
      let text = try locked { service throws(AWSError) in try service.decoded(parameters, caller: caller) }
      return XMLAnswer.success(
        action, XMLElement("", [XMLElement("DecodedMessage", text: text)]), requestId: entry.requestId)
    case "GetSessionToken":
      let session = try locked { service throws(AWSError) in try service.sessionToken(parameters, caller: caller, now: now) }
      entry.note(session)
      return XMLAnswer.success(action, XMLElement("", [XMLAnswer.credentials(session)]), requestId: entry.requestId)
    case "GetFederationToken":
      let session = try locked { service throws(AWSError) in try service.federationToken(parameters, caller: caller, now: now) }
      entry.note(session)
      let name = parameters["Name"] ?? ""
      let user = XMLElement(
        "FederatedUser",
        [
          XMLElement("FederatedUserId", text: "\(caller.account):\(name)"),
          XMLElement("Arn", text: Identity.federatedARN(name, account: caller.account)),
        ])
      return XMLAnswer.success(action, XMLElement("", [XMLAnswer.credentials(session), user]), requestId: entry.requestId)
    case "AssumeRole":
      let asked = try AssumeRoleParameters(parameters)
      let (session, percent) = try locked { service throws(AWSError) in try service.assumeRole(asked, caller: caller, now: now) }
      entry.note(session)
      var result = [
        XMLElement(
          "AssumedRoleUser",
          [
            XMLElement("AssumedRoleId", text: "\(Identity.roleId(asked.role.text)):\(asked.sessionName)"),
            XMLElement("Arn", text: Identity.sessionARN(asked.role, asked.sessionName)),
          ]),
        XMLAnswer.credentials(session),
      ]
      if let percent { result.append(XMLElement("PackedPolicySize", text: "\(percent)")) }
      if let identity = session.sourceIdentity { result.append(XMLElement("SourceIdentity", text: identity)) }
      return XMLAnswer.success(action, XMLElement("", result), requestId: entry.requestId)
    default:
      throw .unknownOperation(action, version: version)
    }
  }

  private func locked<Value: Sendable>(
    _ body: (inout Service) throws(AWSError) -> Value
  ) throws(AWSError) -> Value {
    let result = state.withLock { state in Result { () throws(AWSError) in try body(&state.service) } }
    return try result.get()
  }

  /// The first fault that fits, one time of it used up.
  private static func takeFault(_ faults: inout [STSFault], action: String) -> STSFault? {
    guard let index = faults.firstIndex(where: { $0.action == nil || $0.action == action }) else { return nil }
    let fault = faults[index]
    faults[index].count -= 1
    if faults[index].count <= 0 { faults.remove(at: index) }
    return fault
  }
}

// What the services beside STS need of it.
extension Simulator {
  var identityWorld: STSWorld.IdentityCenter? { state.withLock { $0.service.world.identityCenter } }
  var webIdentities: [STSWorld.WebIdentity] { state.withLock { $0.service.world.webIdentities } }
  var samlProviders: [String] { state.withLock { $0.service.world.samlProviders } }
  var machineWorld: STSWorld.Machine? { state.withLock { $0.service.world.machine } }

  func withCenter<Value: Sendable, Failure: Error>(_ body: (inout IdentityCenter) throws(Failure) -> Value) throws(Failure)
    -> Value
  {
    let result = state.withLock { state in Result { () throws(Failure) in try body(&state.center) } }
    return try result.get()
  }

  func withService<Value: Sendable>(_ body: (inout Service) throws(AWSError) -> Value) throws(AWSError) -> Value {
    try locked(body)
  }

  func issue(_ role: RoleARN, as name: String, seconds: Int, now: Timestamp) -> IssuedSession {
    state.withLock { $0.service.issue(to: .role(role, sessionName: name), seconds: seconds, now: now) }
  }

  func issued(_ accessKeyId: String) -> IssuedSession? { state.withLock { $0.service.session(accessKeyId) } }

  func role(_ arn: String) -> STSWorld.Role? { state.withLock { $0.service.world[role: arn] } }
}

// What the control interface does.
extension Simulator {
  func queue(_ faults: [STSFault]) { state.withLock { $0.faults += faults } }

  func change(_ settings: STSSettings) {
    state.withLock { state in
      state.settings = state.settings.changed(by: settings)
      state.service.set(state.settings)
    }
  }

  func act(_ control: SignInControl) { state.withLock { $0.center.act(control) } }

  func change(_ identity: IdentityChange) {
    state.withLock { state in
      if let center = identity.identityCenter { state.service.world.identityCenter = center }
      if let tokens = identity.webIdentities { state.service.world.webIdentities = tokens }
      if let machine = identity.machine { state.service.world.machine = machine }
    }
  }

  func change(to world: STSWorld) {
    state.withLock { $0.service.world = world }
    change(world.settings)
  }

  func revoke(_ revocation: STSRevocation) {
    state.withLock { state in
      if let key = revocation.accessKeyId { state.service.revoke(key: key) }
      if let role = revocation.role {
        let offset = Int64(state.settings.clockOffsetSeconds ?? 0)
        state.service.revoke(role: role, at: clock.now().adding(seconds: offset))
      }
    }
  }

  func reset() {
    state.withLock { state in
      state.service = Service(world: state.service.world)
      state.settings = state.service.world.settings
      state.faults = []
      state.log.clear()
    }
  }

  var report: STSReport { state.withLock { $0.log.report(faults: $0.faults) } }
}

extension STSRequest {
  fileprivate mutating func note(_ session: IssuedSession) {
    issuedAccessKeyId = session.accessKeyId
    expiresAt = session.expiresAt.milliseconds
  }
}
