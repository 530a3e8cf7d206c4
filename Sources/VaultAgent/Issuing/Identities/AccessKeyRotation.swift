import AWSClient
import VaultBytes
import VaultModel
import VaultSecrets
import VaultStore

/// Creates a new access key for a user, in place of the one that the vault holds.
///
/// The order leaves a working key in the vault wherever it stops: the new key is created, proven to work, and stored in place of
/// the old one; only then is the old one deleted. If the last step fails, the next rotation makes up for it.
struct AccessKeyRotation: Sendable {
  /// Seconds after which a new key counts as not working: IAM's changes take a while to be known everywhere.
  static let timeouts: Int64 = 60

  let store: VaultStore
  let clients: Clients
  let clock: any WallClock

  /// The parameters of the calls.
  struct Place: Sendable {
    let iam: EndpointSettings
    let sts: EndpointSettings
    let region: String?
  }

  /// - Returns: the IDs of the old and the new key.
  func rotate(_ name: String, at place: Place, _ call: IssueContext) async throws -> (old: String, new: String) {
    guard let old = try await store.openAccessKey(name: name) else { throw AgentError.unknownKey(name: name, suggestion: nil) }
    let iam = try await IAM(place, call)
    let sts = try await call.sts(region: place.region, place.sts, sending: Self.sent)
    let signer = try await signer(name, key: old, sts: sts, call)
    if let left = try await store.setting(Self.leftOver(name)) {
      try await delete(left, of: name, signedBy: signer, iam: iam, sts: sts, call)
    }
    let others = try await clients.iam.listAccessKeys(signedBy: signer, at: iam.endpoint, via: iam.route).filter {
      $0.accessKeyId != old.accessKeyId
    }
    if let other = others.first { throw KeyRotationError.otherKey(name: name, id: other.accessKeyId) }
    let owner = try await clients.sts.getCallerIdentity(signedBy: old, at: sts.0, via: sts.1)
    let new = try await create(name, signedBy: signer, iam: iam, call)
    do {
      call.prompter.progress("waiting until AWS accepts the new key everywhere …")
      try await prove(new, belongsTo: owner, name: name, sts: sts)
      try await store.replaceAccessKey(
        name: name, credential: new, keepingOldAs: Self.replaced(name), leftOver: (Self.leftOver(name), old.accessKeyId),
        requester: call.requester)
    } catch {
      // Nobody has the new key: it is deleted, so that the user keeps one key and can try again.
      try? await clients.iam.deleteAccessKey(new.accessKeyId, signedBy: signer, at: iam.endpoint, via: iam.route)
      throw error
    }
    // A device's code is valid once, so the session that it opened is used to the end.
    try await delete(old.accessKeyId, of: name, signedBy: signer.sessionToken == nil ? new : signer, iam: iam, sts: sts, call)
    return (old.accessKeyId, new.accessKeyId)
  }

  /// IAM's endpoint and the route to it.
  private struct IAM {
    let endpoint: ServiceEndpoint
    let route: NetworkSettings

    init(_ place: Place, _ call: IssueContext) async throws {
      endpoint = try ServiceEndpoint(.iam, region: place.region ?? "us-east-1", settings: place.iam)
      route = try await call.route(to: endpoint, place.iam, sending: AccessKeyRotation.sent)
    }
  }

  /// The description in a person's prompt for an endpoint that is not AWS's own.
  private static let sent = "calls signed with an access key, and the result of testing a new key"

  /// The setting that names a key which must still be deleted.
  private static func leftOver(_ name: String) -> String { "access-key.\(name).left-over" }
  /// The name under which the old key is kept until AWS refuses it.
  static func replaced(_ name: String) -> String { name + ".replaced" }

  /// The key itself. If it has an MFA device, a session of it, since policies often require that for IAM.
  private func signer(_ name: String, key: Credential, sts: (STSEndpoint, NetworkSettings), _ call: IssueContext) async throws
    -> Credential
  {
    guard let serial = try await store.accessKeys().first(where: { $0.name == name })?.mfaSerial else { return key }
    let code = try await call.code(CredentialPlan.Device(serial: serial, process: nil, owner: name))
    var event = call.event(.getSessionToken, profile: name)
    event.mfa = true
    event.sourceAccessKeyId = key.accessKeyId
    event.go(to: sts.0, by: sts.1)
    return try await audited(event, in: store) { event in
      let result = try await clients.sts.getSessionToken(
        duration: SessionDuration(seconds: 900), mfa: (serial, code), signedBy: key, at: sts.0, via: sts.1)
      event.requestId = result.requestId
      event.accessKeyId = result.credential.accessKeyId
      event.expiresAt = result.credential.expiresAt
      return result.credential
    }
  }

  private func create(_ name: String, signedBy signer: Credential, iam: IAM, _ call: IssueContext) async throws -> Credential {
    var event = call.event(.createAccessKey, profile: name)
    event.sourceAccessKeyId = signer.accessKeyId
    event.go(to: iam.endpoint, by: iam.route)
    return try await audited(event, in: store) { event in
      let made = try await clients.iam.createAccessKey(signedBy: signer, at: iam.endpoint, via: iam.route)
      event.accessKeyId = made.credential.accessKeyId
      event.requestId = made.requestId
      return made.credential
    }
  }

  /// Waits until STS knows the new key, and confirms that it belongs to the old one's user.
  private func prove(_ key: Credential, belongsTo owner: CallerIdentity, name: String, sts: (STSEndpoint, NetworkSettings))
    async throws
  {
    let deadline = clock.now().adding(seconds: Self.timeouts)
    while true {
      do {
        let found = try await clients.sts.getCallerIdentity(signedBy: key, at: sts.0, via: sts.1)
        guard found == owner else { throw KeyRotationError.foreignKey(name: name, owner: owner.arn, found: found.arn) }
        return
      } catch let error as AWSError where error.code == "InvalidClientTokenId" && clock.now() < deadline {
        try await clock.sleep(until: clock.now().adding(seconds: 2))
      }
    }
  }

  /// Deletes an old key, and removes it here once AWS itself refuses it: a response that says it is gone is not enough.
  private func delete(
    _ id: String, of name: String, signedBy signer: Credential, iam: IAM, sts: (STSEndpoint, NetworkSettings),
    _ call: IssueContext
  ) async throws {
    var event = call.event(.deleteAccessKey, profile: name)
    event.sourceAccessKeyId = signer.accessKeyId
    event.accessKeyId = id
    event.go(to: iam.endpoint, by: iam.route)
    try await audited(event, in: store) { _ in
      do { try await clients.iam.deleteAccessKey(id, signedBy: signer, at: iam.endpoint, via: iam.route) } catch let error
        as AWSError
        where error.code == "NoSuchEntity"
      {}
    }
    if let kept = try await store.openAccessKey(name: Self.replaced(name)), kept.accessKeyId == id {
      call.prompter.progress("waiting until AWS refuses the old key …")
      guard try await isRefused(kept, sts) else {
        return call.prompter.notice(
          "AWS still accepts the old key \(id): it stays in the vault as \(Self.replaced(name)) until the next rotation")
      }
      try await store.removeAccessKey(name: Self.replaced(name), requester: call.requester)
    }
    try await store.setSetting(Self.leftOver(name), nil, requester: call.requester)
  }

  private func isRefused(_ key: Credential, _ sts: (STSEndpoint, NetworkSettings)) async throws -> Bool {
    let deadline = clock.now().adding(seconds: Self.timeouts)
    while true {
      do {
        _ = try await clients.sts.getCallerIdentity(signedBy: key, at: sts.0, via: sts.1)
      } catch let error as AWSError where error.code == "InvalidClientTokenId" {
        return true
      }
      guard clock.now() < deadline else { return false }
      try await clock.sleep(until: clock.now().adding(seconds: 2))
    }
  }
}

/// Errors that prevent a new access key.
enum KeyRotationError: ReportableError, Hashable {
  case otherKey(name: String, id: String)
  /// The new key belongs to another user.
  case foreignKey(name: String, owner: String, found: String)
  /// The vault follows a file that still has the old key.
  case inFile(name: String, file: String)

  var message: String {
    switch self {
    case .foreignKey(let name, let owner, let found):
      "the new key for \(name) belongs to \(found), not to \(owner); the old key stays in use"
    case .inFile(let name, let file): "the key \(name) is still in \(file), which the vault watches"
    case .otherKey(let name, let id):
      "the user of \(name) already has two access keys, the IAM limit; the other is \(id)"
    }
  }

  var hint: String? {
    switch self {
    case .foreignKey: "is the IAM endpoint an AWS endpoint? `vault config trusted_endpoints` shows the others that you trust"
    case .inFile: "remove aws_access_key_id and aws_secret_access_key from that file: the vault has the key"
    case .otherKey(_, let id): "if nothing uses it: aws iam delete-access-key --access-key-id \(ShellText.word(id))"
    }
  }

  var exitStatus: ExitStatus {
    switch self {
    case .inFile: .configuration
    case .otherKey: .cannotCreate
    case .foreignKey: .refused
    }
  }
}
