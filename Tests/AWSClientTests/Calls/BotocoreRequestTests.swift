import Foundation
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// The very requests that botocore sends for the same calls (`Fixtures/botocore-requests.jsonl`).
struct BotocoreRequestTests {
  struct Row: Decodable {
    let name: String
    let method: String
    let url: String
    let headers: [String: String]
    let signed: Bool
    let body: String
  }

  static let rows: [String: Row] = {
    let lines = (try? Fixture.text("botocore-requests.jsonl"))?.split(separator: "\n") ?? []
    let rows = lines.compactMap { try? JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
    return Dictionary(uniqueKeysWithValues: rows.map { ($0.name, $0) })
  }()

  static let calls = [
    "RegisterClient", "RegisterClient device", "StartDeviceAuthorization", "CreateToken device", "CreateToken code",
    "CreateToken refresh", "GetRoleCredentials", "ListAccounts", "ListAccountRoles", "Logout", "CreateAccessKey",
    "CreateAccessKey own", "DeleteAccessKey", "UpdateAccessKey", "ListAccessKeys", "AssumeRoleWithWebIdentity",
    "AssumeRoleWithSAML",
  ]

  @Test("a request is the one that botocore sends", arguments: calls)
  func same(_ name: String) async throws {
    let row = try #require(Self.rows[name])
    let service = ScriptedService([
      // The first page, for the call that is to ask for the second.
      .json(#"{"accountList":[],"nextToken":"a b+/=&é"}"#), .failure(.tls(host: "h", why: "the end")),
    ])
    _ = await failure(AWSError.self) { try await Self.make(name, service) }
    try Self.expect(
      try #require(name == "ListAccounts" ? service.transport.requests.last : service.transport.requests.first), like: row)
  }

  static func expect(_ request: HTTPRequest, like row: Row) throws {
    #expect(request.method == row.method)
    #expect(pairs(request.wholeURL) == pairs(row.url))
    #expect(request.wholeURL.prefix { $0 != "?" } == row.url.prefix { $0 != "?" })
    for (header, value) in row.headers {
      #expect(request.headers.first { $0.name.lowercased() == header }?.value == value, "\(header)")
    }
    #expect(request.headers.contains { $0.name == "Authorization" } == row.signed)
    if row.body.hasPrefix("{") {
      let mine = try JSONSerialization.jsonObject(with: Data(request.body.revealed.utf8)) as? NSDictionary
      #expect(mine == (try JSONSerialization.jsonObject(with: Data(row.body.utf8)) as? NSDictionary))
    } else {
      #expect(pairs("?" + request.body.revealed) == pairs("?" + row.body.replacingOccurrences(of: "+", with: "%20")))
    }
  }

  /// What stands behind `?`, decoded, in order of names.
  private static func pairs(_ url: String) -> [String] {
    guard let question = url.firstIndex(of: "?") else { return [] }
    return url[url.index(after: question)...].split(separator: "&").map { $0.removingPercentEncoding ?? "broken" }.sorted()
  }

  private static func make(_ name: String, _ service: ScriptedService) async throws {
    switch name {
    case "RegisterClient", "RegisterClient device", "StartDeviceAuthorization", "CreateToken device", "CreateToken code",
      "CreateToken refresh":
      try await signIn(name, service)
    case "GetRoleCredentials", "ListAccounts", "ListAccountRoles", "Logout": try await portal(name, service)
    case "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML": try await federated(name, service)
    default: try await keys(name, service)
    }
  }

  private static func signIn(_ name: String, _ service: ScriptedService) async throws {
    let endpoint = try ScriptedService.endpoint(.oidc)
    let start = "https://example.awsapps.com/start"
    let registration = SSOClientRegistration(
      clientId: "client-1", clientSecret: SecretBytes(#"client "secret""#), expiresAt: Timestamp(seconds: 0))
    func token(_ grant: SSOGrant) async throws {
      _ = try await service.oidc.createToken(grant, for: registration, at: endpoint, via: service.route)
    }
    switch name {
    case "RegisterClient":
      _ = try await service.oidc.registerClient(
        name: "vault", scopes: ["sso:account:access"], grantTypes: [.authorizationCode, .refreshToken],
        redirectURIs: ["http://127.0.0.1/oauth/callback"], issuerURL: start, at: endpoint, via: service.route)
    case "RegisterClient device":
      _ = try await service.oidc.registerClient(name: "vault", scopes: [], at: endpoint, via: service.route)
    case "StartDeviceAuthorization":
      _ = try await service.oidc.startDeviceAuthorization(registration, startURL: start, at: endpoint, via: service.route)
    case "CreateToken device": try await token(.deviceCode(SecretBytes("device-1")))
    case "CreateToken code":
      let redirect = "http://127.0.0.1:4711/oauth/callback"
      try await token(
        .authorizationCode(SecretBytes("code-1"), verifier: SecretBytes("verifier-1"), redirectURI: redirect))
    default: try await token(.refreshToken(SecretBytes("refresh-1")))
    }
  }

  private static func portal(_ name: String, _ service: ScriptedService) async throws {
    let endpoint = try ScriptedService.endpoint(.portal)
    let token = SecretBytes("access-1")
    let account = "123456789012"
    switch name {
    case "GetRoleCredentials":
      _ = try await service.portal.getRoleCredentials(
        account: account, role: "Read+Only,1", token: token, at: endpoint, via: service.route)
    case "ListAccounts": _ = try await service.portal.listAccounts(token: token, at: endpoint, via: service.route)
    case "ListAccountRoles":
      _ = try await service.portal.listAccountRoles(account: account, token: token, at: endpoint, via: service.route)
    default: try await service.portal.logout(token: token, at: endpoint, via: service.route)
    }
  }

  private static func keys(_ name: String, _ service: ScriptedService) async throws {
    let endpoint = try ScriptedService.endpoint(.iam)
    let (credential, route) = (service.credential, service.route)
    let key = "AKIAEXAMPLEEXAMPLE01"
    switch name {
    case "CreateAccessKey", "CreateAccessKey own":
      let user = name == "CreateAccessKey" ? "ann+1@x" : nil
      _ = try await service.iam.createAccessKey(user: user, signedBy: credential, at: endpoint, via: route)
    case "DeleteAccessKey":
      try await service.iam.deleteAccessKey(key, user: "ann", signedBy: credential, at: endpoint, via: route)
    case "UpdateAccessKey":
      try await service.iam.updateAccessKey(key, isActive: false, user: "ann", signedBy: credential, at: endpoint, via: route)
    default: _ = try await service.iam.listAccessKeys(user: "ann", signedBy: credential, at: endpoint, via: route)
    }
  }

  private static func federated(_ name: String, _ service: ScriptedService) async throws {
    let endpoint = try STSEndpoint(region: "eu-west-1", settings: EndpointSettings())
    let arn = try #require(RoleARN("arn:aws:iam::123456789012:role/dev"))
    guard name == "AssumeRoleWithSAML" else {
      let request = FederatedRoleRequest(
        roleARN: arn, duration: SessionDuration(seconds: 900), policy: #"{"Version": "2012-10-17"}"#,
        policyARNs: ["arn:aws:iam::aws:policy/ReadOnlyAccess"])
      _ = try await service.sts.assumeRoleWithWebIdentity(
        request, sessionName: RoleSessionName(cleaning: "ann@desk"), token: SecretBytes("header.pay-load.sig_1"), at: endpoint,
        via: service.route)
      return
    }
    let assertion = try SAMLAssertion(SAMLSample.encoded(roles: ["\(arn.text),arn:aws:iam::123456789012:saml-provider/corp"]))
    _ = try await service.sts.assumeRoleWithSAML(
      FederatedRoleRequest(roleARN: arn, duration: .default), principalARN: assertion.roles[0].principalARN,
      assertion: assertion,
      at: endpoint, via: service.route)
  }
}
