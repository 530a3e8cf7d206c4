import VaultModel
import VaultSecrets

/// An account that the user can access through Identity Center.
public struct SSOAccount: Sendable, Hashable {
  public let id: String
  public let name: String?
  public let email: String?
}

/// A client for IAM Identity Center's portal (`sso`, version 2019-06-10). Retries as described at ``AWSCaller``.
///
/// 401 and 403 are thrown as `SSOPortalError`, all other errors as `AWSError`.
public final class SSOPortalClient: Sendable {
  /// The maximum page size, 100.
  static let pageLength = "100"
  static let maxPages = 200

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// Credentials of a permission set's role in an account.
  public func getRoleCredentials(
    account: String, role: String, token: SecretBytes, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> IssuedCredential {
    var query = FormBody()
    query.add("role_name", role)
    query.add("account_id", account)
    let portal = Portal(token: token, endpoint: endpoint, route: route)
    let answer = try await call(
      "GetRoleCredentials", portal.get("/federation/credentials", query.finish()), at: portal, as: .json,
      subject: "\(role) in \(account)"
    )
    return try answer.read { json throws(MalformedResponse) in
      guard let keys = json.object("roleCredentials") else { throw MalformedResponse(what: "no credentials") }
      // Milliseconds.
      let expiresAt = Timestamp(foreignSeconds: keys.int("expiration").map { $0 / 1_000 })
      let credential = try CredentialParser.temporary(
        id: keys.text("accessKeyId"), secret: keys.secret("secretAccessKey"), token: keys.secret("sessionToken"),
        expiresAt: caller.local(expiresAt), now: caller.now())
      return IssuedCredential(credential: credential, requestId: answer.requestId, attempts: answer.attempts)
    }
  }

  /// Every account in which the user has a role.
  public func listAccounts(token: SecretBytes, at endpoint: ServiceEndpoint, via route: NetworkSettings) async throws
    -> [SSOAccount]
  {
    let portal = Portal(token: token, endpoint: endpoint, route: route)
    return try await pages("ListAccounts", path: "/assignment/accounts", list: "accountList", account: nil, at: portal) {
      json throws(MalformedResponse) in
      guard let id = json.text("accountId"), Self.isAccount(id) else {
        throw MalformedResponse(what: "an account without a number")
      }
      return SSOAccount(id: id, name: json.text("accountName"), email: json.text("emailAddress"))
    }
  }

  /// The names of the user's roles in an account.
  public func listAccountRoles(
    account: String, token: SecretBytes, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> [String] {
    let portal = Portal(token: token, endpoint: endpoint, route: route)
    return try await pages("ListAccountRoles", path: "/assignment/roles", list: "roleList", account: account, at: portal) {
      json throws(MalformedResponse) in
      guard let name = json.text("roleName"), Self.isRole(name) else { throw MalformedResponse(what: "a role without a name") }
      return name
    }
  }

  /// Ends the sign-in on the server: the token, and the portal sessions made with it.
  public func logout(token: SecretBytes, at endpoint: ServiceEndpoint, via route: NetworkSettings) async throws {
    let portal = Portal(token: token, endpoint: endpoint, route: route)
    _ = try await call("Logout", portal.request("POST", "/logout", query: nil), at: portal, as: .text, subject: nil)
  }

  // MARK: calls

  /// The caller, the endpoint and the route.
  private struct Portal {
    let token: SecretBytes
    let endpoint: ServiceEndpoint
    let route: NetworkSettings

    func get(_ path: String, _ query: SecretBytes) -> HTTPRequest { request("GET", path, query: query) }

    func request(_ method: String, _ path: String, query: SecretBytes?) -> HTTPRequest {
      let bearer = token.withBytes { String(decoding: $0, as: UTF8.self) }
      return JSONRequest(
        method: method, address: endpoint.address(path), query: query, headers: [("x-amz-sso_bearer_token", bearer)], route: route
      ).request
    }
  }

  private func call<Document>(
    _ action: String, _ request: HTTPRequest, at portal: Portal, as form: ResponseDecoder<Document>, subject: String?
  ) async throws -> AWSResponse<Document> {
    do {
      return try await caller.call(AWSCall(action: action, host: portal.endpoint.host, request: { _ in request }), form)
    } catch let error as AWSError {
      if let refusal = SSOPortalError(error, subject: subject) { throw refusal }
      throw error
    }
  }

  private func pages<Item>(
    _ action: String, path: String, list: String, account: String?, at portal: Portal,
    read: (JSONDocument) throws(MalformedResponse) -> Item
  ) async throws -> [Item] {
    var items: [Item] = []
    var next: String?
    for _ in 0..<Self.maxPages {
      var query = FormBody()
      query.add("next_token", next)
      query.add("max_result", Self.pageLength)
      query.add("account_id", account)
      let answer = try await call(action, portal.get(path, query.finish()), at: portal, as: .json, subject: account)
      let last = next
      next = try answer.read { json throws(MalformedResponse) in
        guard let objects = json.objects(list) else { throw MalformedResponse(what: "no \(list)") }
        for object in objects { items.append(try read(object)) }
        guard let token = json.text("nextToken"), !token.isEmpty else { return nil }
        guard token != last, token.utf8.count <= 16_384 else { throw MalformedResponse(what: "an invalid pagination token") }
        return token
      }
      if next == nil { return items }
    }
    throw AWSError(.malformedResponse("more than \(Self.maxPages) pages"), action: action, host: portal.endpoint.host)
  }

  private static func isAccount(_ text: String) -> Bool {
    text.utf8.count == 12 && text.utf8.allSatisfy { (48...57).contains($0) }
  }

  /// A permission set's name (IAM Identity Center API, `PermissionSetName`), with room to grow.
  private static func isRole(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
      && text.utf8.allSatisfy { (97...122).contains($0 | 0x20) || (48...57).contains($0) || "+=,.@-_".utf8.contains($0) }
  }
}
