import VaultModel
import VaultSecrets

/// An access key without its secret.
public struct AccessKeyInfo: Sendable, Hashable {
  public enum Status: String, Sendable, Hashable {
    case active = "Active"
    case inactive = "Inactive"
    case expired = "Expired"
  }

  public let accessKeyId: String
  public let status: Status
  public let createdAt: Timestamp?
}

/// An access key that IAM has just created; its secret is shown only this once.
public struct NewAccessKey: Sendable {
  public let credential: Credential
  public let userName: String
  public let createdAt: Timestamp?
  public let requestId: String?
}

/// A client for IAM's access keys (version 2010-05-08). Retries as described at ``AWSCaller``.
public final class IAMClient: Sendable {
  static let version = "2010-05-08"
  /// A user has at most two keys; a page has a hundred.
  static let maxPages = 8

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// Creates a key.
  ///
  /// Not retried if the key may have been created without a response: one of the two keys that a user may have would be lost.
  ///
  /// - Parameter user: nil for the user whose key signs.
  public func createAccessKey(
    user: String? = nil, signedBy credential: Credential, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> NewAccessKey {
    var form = FormBody(action: "CreateAccessKey", version: Self.version)
    form.add("UserName", user)
    let query = query(form.finish(), signedBy: credential, at: endpoint, via: route)
    let call = AWSCall(action: "CreateAccessKey", host: endpoint.host, retries: .unlessDone, request: query.request(at:))
    let answer = try await caller.call(call, .xml)
    return try answer.read { elements throws(MalformedResponse) in
      let key = "CreateAccessKeyResult/AccessKey/"
      let (id, secret) = try CredentialParser.keys(
        id: elements.text(key + "AccessKeyId"), secret: elements.secret(key + "SecretAccessKey"))
      guard let userName = elements.text(key + "UserName") else { throw MalformedResponse(what: "no user") }
      return NewAccessKey(
        credential: Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: nil, expiresAt: nil), userName: userName,
        createdAt: elements.text(key + "CreateDate").flatMap { Timestamp(iso8601: $0) }, requestId: answer.requestId)
    }
  }

  /// Deletes a key. If the key is gone on a retry, the first attempt deleted it.
  public func deleteAccessKey(
    _ accessKeyId: String, user: String? = nil, signedBy credential: Credential, at endpoint: ServiceEndpoint,
    via route: NetworkSettings
  ) async throws {
    var form = FormBody(action: "DeleteAccessKey", version: Self.version)
    form.add("UserName", user)
    form.add("AccessKeyId", accessKeyId)
    do {
      _ = try await call("DeleteAccessKey", form.finish(), signedBy: credential, at: endpoint, via: route)
    } catch let error as AWSError where error.code == "NoSuchEntity" && error.attempts > 1 {}
  }

  /// Activates or deactivates a key.
  public func updateAccessKey(
    _ accessKeyId: String, isActive: Bool, user: String? = nil, signedBy credential: Credential, at endpoint: ServiceEndpoint,
    via route: NetworkSettings
  ) async throws {
    var form = FormBody(action: "UpdateAccessKey", version: Self.version)
    form.add("UserName", user)
    form.add("AccessKeyId", accessKeyId)
    form.add("Status", (isActive ? AccessKeyInfo.Status.active : .inactive).rawValue)
    _ = try await call("UpdateAccessKey", form.finish(), signedBy: credential, at: endpoint, via: route)
  }

  /// A user's keys.
  public func listAccessKeys(
    user: String? = nil, signedBy credential: Credential, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> [AccessKeyInfo] {
    var keys: [AccessKeyInfo] = []
    var marker: String?
    for _ in 0..<Self.maxPages {
      var form = FormBody(action: "ListAccessKeys", version: Self.version)
      form.add("UserName", user)
      form.add("Marker", marker)
      let answer = try await call("ListAccessKeys", form.finish(), signedBy: credential, at: endpoint, via: route)
      marker = try answer.read { elements throws(MalformedResponse) in
        for member in elements.members("AccessKeyMetadata") { keys.append(try Self.info(member)) }
        return try Self.next(elements, of: "ListAccessKeys", after: marker)
      }
      if marker == nil { return keys }
    }
    throw AWSError(.malformedResponse("more than \(Self.maxPages) pages"), action: "ListAccessKeys", host: endpoint.host)
  }

  /// AWS's time, as IAM's latest response had it.
  public var serverTime: Timestamp { caller.serverTime() }

  /// Writes an inline policy of a role, in place of one of this name.
  ///
  /// - Returns: the ID of the request.
  public func putRolePolicy(_ document: String, name: String, role: String, at place: SignedEndpoint) async throws -> String? {
    var form = FormBody(action: "PutRolePolicy", version: Self.version)
    form.add("RoleName", role)
    form.add("PolicyName", name)
    form.add("PolicyDocument", document)
    return try await caller.call(place.call("PutRolePolicy", form.finish(), service: "iam"), .xml).requestId
  }

  /// The marker of the next page; nil if there is none.
  static func next(_ elements: XMLElements, of action: String, after marker: String?) throws(MalformedResponse) -> String? {
    guard elements.text(action + "Result/IsTruncated") == "true" else { return nil }
    guard let next = elements.text(action + "Result/Marker"), (1...2_048).contains(next.utf8.count), next != marker else {
      throw MalformedResponse(what: "an invalid pagination marker")
    }
    return next
  }

  /// Reads roles, users and their policies.
  public func reader(_ place: SignedEndpoint) -> IAMReader { IAMReader(caller: caller, place: place) }

  private static func info(_ member: [String: String]) throws(MalformedResponse) -> AccessKeyInfo {
    guard let id = member["AccessKeyId"], AccessKeyForm.isId(id.utf8) else { throw MalformedResponse(what: "no access key id") }
    guard let status = member["Status"].flatMap({ AccessKeyInfo.Status(rawValue: $0) }) else {
      throw MalformedResponse(what: "no key status")
    }
    return AccessKeyInfo(accessKeyId: id, status: status, createdAt: member["CreateDate"].flatMap { Timestamp(iso8601: $0) })
  }

  private func query(
    _ form: SecretBytes, signedBy credential: Credential, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) -> QueryRequest {
    QueryRequest(
      form: form, address: endpoint.address,
      signer: QueryRequest.Signer(credential: credential, region: endpoint.signingRegion, service: "iam"), route: route)
  }

  private func call(
    _ action: String, _ form: SecretBytes, signedBy credential: Credential, at endpoint: ServiceEndpoint,
    via route: NetworkSettings
  ) async throws -> AWSResponse<XMLElements> {
    let query = query(form, signedBy: credential, at: endpoint, via: route)
    return try await caller.call(AWSCall(action: action, host: endpoint.host, request: query.request(at:)), .xml)
  }
}
