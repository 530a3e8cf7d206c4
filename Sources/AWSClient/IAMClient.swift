import VaultModel
import VaultSecrets

/// IAM's calls for a user's own access keys (IAM API, version 2010-05-08).
public final class IAMClient: Sendable {
  private let caller: AWSCaller

  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// A user's access key, without its secret.
  public struct AccessKey: Sendable, Hashable {
    public let id: String
    public let isActive: Bool
  }

  /// A new key of the user who signs. A user has two at most.
  public func createAccessKey(signedBy credential: Credential, at endpoint: AWSEndpoint, via route: Route) async throws -> (
    credential: Credential, requestId: String?
  ) {
    let answer = try await call("CreateAccessKey", [], credential, endpoint, route)
    let path = "CreateAccessKeyResult/AccessKey/"
    guard let id = answer.value.text(path + "AccessKeyId"), IssuedCredentials.isAccessKeyId(id),
      let secret = answer.value.secret(path + "SecretAccessKey"), (16...256).contains(secret.count)
    else {
      throw AWSError(.garbled("no access key"), action: "CreateAccessKey", requestId: answer.requestId, host: endpoint.host)
    }
    return (Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: nil, expiresAt: nil), answer.requestId)
  }

  public func deleteAccessKey(_ id: String, signedBy credential: Credential, at endpoint: AWSEndpoint, via route: Route)
    async throws -> String?
  {
    try await call("DeleteAccessKey", [("AccessKeyId", id)], credential, endpoint, route).requestId
  }

  /// The keys of the user who signs.
  public func accessKeys(signedBy credential: Credential, at endpoint: AWSEndpoint, via route: Route) async throws -> [AccessKey]
  {
    let answer = try await call("ListAccessKeys", [], credential, endpoint, route)
    let path = "ListAccessKeysResult/AccessKeyMetadata/member/"
    return zip(answer.value.texts(path + "AccessKeyId"), answer.value.texts(path + "Status")).map {
      AccessKey(id: $0, isActive: $1 == "Active")
    }
  }

  private func call(
    _ action: String, _ parameters: [(String, String)], _ credential: Credential, _ endpoint: AWSEndpoint, _ route: Route
  ) async throws -> AWSCaller.Answer<XMLElements> {
    var form = FormBody(action: action, version: "2010-05-08")
    for (name, value) in parameters { form.add(name, value) }
    // Another key than one that is lost would take the user's last place.
    return try await QueryCall(
      action: action, service: "iam", body: form.finish(), credential: credential, mayRepeat: action != "CreateAccessKey"
    ).make(
      by: caller, at: endpoint, via: route)
  }
}
