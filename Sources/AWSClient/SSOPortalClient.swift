import VaultModel
import VaultSecrets

/// An AWS account that a sign-in leads to.
public struct SSOAccount: Sendable, Hashable {
  public let id: String
  public let name: String
  public let email: String
}

/// IAM Identity Center's portal (botocore, `sso/2019-06-10`): what a sign-in leads to, and the credentials of it.
public final class SSOPortalClient: Sendable {
  /// Pages that one list may have; 100 entries each.
  static let mostPages = 200
  private let caller: AWSCaller

  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// - Returns: the credentials of a permission set in an account, and the call's id.
  public func roleCredentials(
    account: String, role: String, token: SecretBytes, at endpoint: AWSEndpoint, via route: Route
  ) async throws -> (credential: Credential, requestId: String?) {
    let answer = try await get(
      "GetRoleCredentials", "/federation/credentials", [("role_name", role), ("account_id", account)], token, endpoint, route)
    guard let keys = answer.value["roleCredentials"], let end = keys.number("expiration"), end > 0 else {
      throw AWSError(.garbled("no credentials"), action: "GetRoleCredentials", host: endpoint.host)
    }
    do {
      let credential = try IssuedCredentials.check(
        id: keys.text("accessKeyId"), secret: keys.secret("secretAccessKey"), token: keys.secret("sessionToken"),
        expiresAt: Timestamp(milliseconds: end), now: caller.now())
      return (credential, answer.requestId)
    } catch {
      throw AWSError(.garbled(error.what), action: "GetRoleCredentials", requestId: answer.requestId, host: endpoint.host)
    }
  }

  /// Every account of the sign-in.
  public func accounts(token: SecretBytes, at endpoint: AWSEndpoint, via route: Route) async throws -> [SSOAccount] {
    try await list("ListAccounts", "/assignment/accounts", [], "accountList", token, endpoint, route) { entry in
      guard let id = entry.text("accountId"), Self.isAccount(id) else { return nil }
      return SSOAccount(id: id, name: entry.text("accountName") ?? "", email: entry.text("emailAddress") ?? "")
    }
  }

  /// The permission sets that the sign-in has in an account.
  public func roles(account: String, token: SecretBytes, at endpoint: AWSEndpoint, via route: Route) async throws -> [String] {
    try await list(
      "ListAccountRoles", "/assignment/roles", [("account_id", account)], "roleList", token, endpoint, route
    ) { entry in
      entry.text("roleName").flatMap { (1...64).contains($0.utf8.count) ? $0 : nil }
    }
  }

  /// Ends the sign-in on the server.
  public func logout(token: SecretBytes, at endpoint: AWSEndpoint, via route: Route) async throws {
    let request = self.request("POST", "/logout", [], token, endpoint, route)
    _ = try await caller.call("Logout", at: endpoint.host) { _ in
      request
    } read: { response in
      if (200..<300).contains(response.status) { return .value(()) }
      guard let json = JSONValue(response.body) else { return .garbled("status \(response.status)") }
      if case .refusal(let code, let text, _) = SSOOIDCClient.refusal(json, response) { return .refusal(code: code, text: text) }
      return .garbled("status \(response.status)")
    }
  }

  private func list<Entry>(
    _ action: String, _ path: String, _ query: [(String, String)], _ key: String, _ token: SecretBytes, _ endpoint: AWSEndpoint,
    _ route: Route, _ read: (JSONValue) -> Entry?
  ) async throws -> [Entry] {
    var entries: [Entry] = []
    var next: String?
    for _ in 0..<Self.mostPages {
      let page = try await get(
        action, path, query + [("max_result", "100")] + (next.map { [("next_token", $0)] } ?? []), token, endpoint, route
      ).value
      guard let found = page.array(key) else { throw AWSError(.garbled("no \(key)"), action: action, host: endpoint.host) }
      entries += found.compactMap(read)
      next = page.text("nextToken").flatMap { $0.isEmpty ? nil : $0 }
      if next == nil { return entries }
    }
    throw AWSError(.garbled("more than \(Self.mostPages) pages"), action: action, host: endpoint.host)
  }

  private func get(
    _ action: String, _ path: String, _ query: [(String, String)], _ token: SecretBytes, _ endpoint: AWSEndpoint, _ route: Route
  ) async throws -> AWSCaller.Answer<JSONValue> {
    let request = self.request("GET", path, query, token, endpoint, route)
    return try await caller.call(action, at: endpoint.host) { _ in
      request
    } read: { response in
      guard let json = JSONValue(response.body) else { return .garbled("status \(response.status), and no JSON") }
      return (200..<300).contains(response.status) ? .value(json) : SSOOIDCClient.refusal(json, response)
    }
  }

  private func request(
    _ method: String, _ path: String, _ query: [(String, String)], _ token: SecretBytes, _ endpoint: AWSEndpoint, _ route: Route
  ) -> HTTPRequest {
    let text = query.map { "\($0.0)=\(SigV4.encoded($0.1))" }.joined(separator: "&")
    return HTTPRequest(
      method: method, url: endpoint.url(path) + (text.isEmpty ? "" : "?" + text),
      headers: [
        ("Host", endpoint.host), ("Accept", "application/json"),
        ("x-amz-sso_bearer_token", token.withBytes { String(decoding: $0, as: UTF8.self) }),
      ], body: SecretBytes(""), caBundle: route.caBundle, proxy: route.proxies.proxy(for: endpoint.address))
  }

  private static func isAccount(_ text: String) -> Bool {
    text.utf8.count == 12 && text.utf8.allSatisfy { (48...57).contains($0) }
  }
}
