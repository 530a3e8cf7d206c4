import AWSClient
import VaultModel
import VaultSecrets
import VaultStore

/// Gives a user a new access key in place of the one that the vault holds.
///
/// The order leaves a working key in the vault wherever it ends: the new key is made, proven to work, kept in place of the old one, and
/// only then is the old one deleted. Where the last step did not happen, the next rotation makes up for it.
struct KeyRotation: Sendable {
  /// Seconds until a new key is believed not to work: IAM's changes take a while to be known everywhere.
  static let patience: Int64 = 60

  let store: VaultStore
  let clients: Clients
  let clock: any WallClock

  /// What the calls need to know.
  struct Place: Sendable {
    let iam: EndpointSettings
    let sts: EndpointSettings
    let region: String?
  }

  /// - Returns: the ids of the old and the new key.
  func rotate(_ name: String, at place: Place, _ call: Call) async throws -> (old: String, new: String) {
    guard let old = try await store.openAccessKey(name: name) else { throw AgentError.unknownKey(name: name, suggestion: nil) }
    let iam = try ServiceEndpoint(.iam, region: place.region ?? "us-east-1", settings: place.iam)
    let route = call.route(place.iam)
    let signer = try await signer(name, old, place, call)
    if let left = try await store.setting(Self.leftOver(name)) {
      try await delete(left, of: name, signedBy: signer, iam, route, call)
    }
    let others = try await clients.iam.listAccessKeys(signedBy: signer, at: iam, via: route).filter {
      $0.accessKeyId != old.accessKeyId
    }
    if let other = others.first { throw KeyRotationError.otherKey(name: name, id: other.accessKeyId) }
    let new = try await create(name, signer, iam, route, call)
    do {
      call.prompter.progress("waiting until the new key is known everywhere …")
      try await prove(new, place, call)
      try await store.replaceAccessKey(
        name: name, credential: new, leftOver: (Self.leftOver(name), old.accessKeyId), requester: call.requester)
    } catch {
      // Nobody has it: it goes, so that the user is left with one key and can try again.
      try? await clients.iam.deleteAccessKey(new.accessKeyId, signedBy: signer, at: iam, via: route)
      throw error
    }
    // A device's code is good once: the session that it opened serves to the end.
    try await delete(old.accessKeyId, of: name, signedBy: signer.sessionToken == nil ? new : signer, iam, route, call)
    return (old.accessKeyId, new.accessKeyId)
  }

  /// The setting that names a key which is still to be deleted.
  private static func leftOver(_ name: String) -> String { "access-key.\(name).left-over" }

  /// The key itself; where it has an MFA device, a session of it, since policies often want that for IAM.
  private func signer(_ name: String, _ key: Credential, _ place: Place, _ call: Call) async throws -> Credential {
    guard let serial = try await store.accessKeys().first(where: { $0.name == name })?.mfaSerial else { return key }
    let code = try await call.code(Plan.Device(serial: serial, process: nil))
    let endpoint = try STSEndpoint(region: place.region, settings: place.sts)
    var event = call.event(.getSessionToken, profile: name)
    event.mfa = true
    event.sourceAccessKeyId = key.accessKeyId
    event.endpoint = endpoint.host
    let intent = try await store.begin(event)
    do {
      let result = try await clients.sts.getSessionToken(
        duration: SessionDuration(seconds: 900), mfa: (serial, code), signedBy: key, at: endpoint, via: call.route(place.sts))
      event.outcome = .success
      event.requestId = result.requestId
      event.accessKeyId = result.credential.accessKeyId
      event.expiresAt = result.credential.expiresAt
      try await store.conclude(intent, event: event)
      return result.credential
    } catch {
      try await conclude(intent, event, failure: error)
      throw error
    }
  }

  private func create(_ name: String, _ signer: Credential, _ iam: ServiceEndpoint, _ route: Route, _ call: Call) async throws
    -> Credential
  {
    var event = call.event(.createAccessKey, profile: name)
    event.sourceAccessKeyId = signer.accessKeyId
    event.endpoint = iam.host
    let intent = try await store.begin(event)
    do {
      let made = try await clients.iam.createAccessKey(signedBy: signer, at: iam, via: route)
      event.outcome = .success
      event.accessKeyId = made.credential.accessKeyId
      event.requestId = made.requestId
      try await store.conclude(intent, event: event)
      return made.credential
    } catch {
      try await conclude(intent, event, failure: error)
      throw error
    }
  }

  private func prove(_ key: Credential, _ place: Place, _ call: Call) async throws {
    let endpoint = try STSEndpoint(region: place.region, settings: place.sts)
    let deadline = clock.now().adding(seconds: Self.patience)
    while true {
      do {
        _ = try await clients.sts.getCallerIdentity(signedBy: key, at: endpoint, via: call.route(place.sts))
        return
      } catch let error as AWSError where error.code == "InvalidClientTokenId" && clock.now() < deadline {
        try await clock.sleep(until: clock.now().adding(seconds: 2))
      }
    }
  }

  private func delete(
    _ id: String, of name: String, signedBy signer: Credential, _ iam: ServiceEndpoint, _ route: Route, _ call: Call
  ) async throws {
    var event = call.event(.deleteAccessKey, profile: name)
    event.sourceAccessKeyId = signer.accessKeyId
    event.accessKeyId = id
    event.endpoint = iam.host
    let intent = try await store.begin(event)
    do {
      try await clients.iam.deleteAccessKey(id, signedBy: signer, at: iam, via: route)
      event.outcome = .success
      try await store.conclude(intent, event: event)
    } catch let error as AWSError where error.code == "NoSuchEntity" {
      event.outcome = .success
      try await store.conclude(intent, event: event)
    } catch {
      try await conclude(intent, event, failure: error)
      throw error
    }
    try await store.setSetting(Self.leftOver(name), nil, requester: call.requester)
  }

  private func conclude(_ intent: String, _ event: AuditEvent, failure error: any Error) async throws {
    var event = event
    let failure = Failure(error)
    event.outcome = failure.exitStatus == .refused ? .refused : .failure
    event.error = failure.message
    event.requestId = (error as? AWSError)?.requestId
    try await store.fail(intent, event: event)
  }
}

/// What stands in the way of a new access key.
enum KeyRotationError: ReportableError, Hashable {
  case otherKey(name: String, id: String)
  /// The vault follows a file that still says the old key.
  case inFile(name: String, file: String)

  var message: String {
    switch self {
    case .inFile(let name, let file): "the key \(name) still stands in \(file), which the vault follows"
    case .otherKey(let name, let id):
      "the user of \(name) has another access key, \(id); IAM allows two, and a new one needs the place"
    }
  }

  var hint: String? {
    switch self {
    case .inFile: "take aws_access_key_id and aws_secret_access_key out of that file: the vault holds the key"
    case .otherKey(_, let id): "where nothing uses it: aws iam delete-access-key --access-key-id \(id)"
    }
  }

  var exitStatus: ExitStatus { if case .inFile = self { .configuration } else { .cannotCreate } }
}
