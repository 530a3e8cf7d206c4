import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// The clock of these tests stands at 2026-11-23T12:00:00Z.
struct SSOPortalTests {
  private static let token = SecretBytes("access-1")
  private static let account = "123456789012"

  private func credentials(_ service: ScriptedService) async throws -> IssuedCredential {
    try await service.portal.getRoleCredentials(
      account: Self.account, role: "Admin", token: Self.token, at: ScriptedService.endpoint(.portal), via: service.route)
  }

  private func accounts(_ service: ScriptedService) async throws -> [SSOAccount] {
    try await service.portal.listAccounts(token: Self.token, at: ScriptedService.endpoint(.portal), via: service.route)
  }

  private func roles(_ service: ScriptedService) async throws -> [String] {
    try await service.portal.listAccountRoles(
      account: Self.account, token: Self.token, at: ScriptedService.endpoint(.portal), via: service.route)
  }

  private static func keys(_ expiration: String, id: String = "ASIAEXAMPLEEXAMPLE00") -> String {
    """
    {"roleCredentials":{"accessKeyId":"\(id)","secretAccessKey":"secretsecretsecretsecret/+=",
    "sessionToken":"tokentokentokentoken/+=","expiration":\(expiration)}}
    """
  }

  @Test("a role's credentials are read, whose end is told in milliseconds")
  func read() async throws {
    let step = ScriptedTransport.Step.answer(
      status: 200, body: Self.keys("1795442400999"), headers: [("x-amzn-requestid", "req-1")])
    let issued = try await credentials(ScriptedService([step]))
    #expect(issued.credential.accessKeyId == "ASIAEXAMPLEEXAMPLE00")
    #expect(issued.credential.secretAccessKey.revealed == "secretsecretsecretsecret/+=")
    #expect(issued.credential.sessionToken?.revealed == "tokentokentokentoken/+=")
    #expect(issued.credential.expiresAt?.iso8601 == "2026-11-23T14:00:00Z")
    #expect(issued.requestId == "req-1" && issued.attempts == 1)
  }

  @Test(
    "credentials that cannot be are believed from no one",
    arguments: [
      "{}", #"{"roleCredentials":[]}"#, keys("1795435199000"), keys("1795600000000"), keys("1795442400"),
      keys("\"2026-11-23T14:00:00Z\""),
      keys("9223372036854775807"), keys("-1"), keys("null"), keys("1795442400000", id: "x"), keys("1795442400000", id: "AS IA"),
      keys("1795442400000").replacingOccurrences("secretsecretsecretsecret/+=", "short"),
      keys("1795442400000").replacingOccurrences("tokentokentokentoken/+=", "token\\r\\nwith a line break"),
    ])
  func malformedResponse(_ body: String) async {
    let error = await failure(AWSError.self) { _ = try await credentials(ScriptedService([.json(body)])) }
    guard case .malformedResponse = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(
    "a token that is over asks for a new sign-in, a role that is not assigned does not",
    arguments: [
      (ScriptedTransport.Step.exception("UnauthorizedException", status: 401, text: "Session token not found or invalid"), true),
      (.answer(status: 401, body: ""), true), (.exception("ForbiddenException", status: 403, text: "No access"), false),
      (.answer(status: 403, body: "<html>"), false),
    ])
  func refused(_ step: ScriptedTransport.Step, _ isOver: Bool) async {
    let service = ScriptedService([step, .json("{}")])
    let error = await failure(SSOPortalError.self) { _ = try await credentials(service) }
    #expect(error?.reason == (isOver ? .signInAgain : .notAssigned))
    #expect(error?.hint?.contains(isOver ? "vault login" : "sso_role_name") == true && error?.exitStatus == .refused)
    if !isOver {
      #expect(error?.message == "GetRoleCredentials: you are not assigned Admin in 123456789012 in IAM Identity Center")
    }
    #expect(service.transport.requests.count == 1)
  }

  @Test("a throttle is waited out as AWS asks, three times at most")
  func throttled() async throws {
    let busy = ScriptedTransport.Step.answer(
      status: 429, body: #"{"message":"HTTP 429 Unknown Code"}"#, headers: [("retry-after", "3")])
    let service = ScriptedService([busy, busy, .json(Self.keys("1795442400000"))])
    #expect(try await credentials(service).attempts == 3)
    #expect(service.clock.slept == [3_000, 3_000])
    let error = await failure(AWSError.self) { _ = try await credentials(ScriptedService([busy, busy, busy, busy])) }
    #expect(error?.exitStatus == .temporary && error?.attempts == 3)
  }

  @Test("what is not found is AWS's own error")
  func notFound() async {
    let step = ScriptedTransport.Step.exception("ResourceNotFoundException", status: 404)
    let error = await failure(AWSError.self) { _ = try await credentials(ScriptedService([step])) }
    #expect(error?.code == "ResourceNotFoundException" && error?.exitStatus == .refused)
  }

  @Test("accounts are read over all pages, in order")
  func pages() async throws {
    let service = ScriptedService([
      .json(
        #"{"nextToken":"p&2","accountList":[{"accountId":"111111111111","accountName":"Dev é","emailAddress":"a@b"},{"accountId":"222222222222"}]}"#
      ),
      .json(#"{"nextToken":null,"accountList":[{"accountId":"333333333333","accountName":null}]}"#),
    ])
    let accounts = try await accounts(service)
    #expect(accounts.map(\.id) == ["111111111111", "222222222222", "333333333333"])
    #expect(accounts[0] == SSOAccount(id: "111111111111", name: "Dev é", email: "a@b") && accounts[2].name == nil)
    #expect(service.transport.requests[0].query?.revealed == "max_result=100")
    #expect(service.transport.requests[1].query?.revealed == "next_token=p%262&max_result=100")
  }

  @Test("roles are read over all pages")
  func roleNames() async throws {
    let service = ScriptedService([
      .json(#"{"nextToken":"2","roleList":[{"roleName":"Admin","accountId":"123456789012"}]}"#),
      .json(#"{"roleList":[{"roleName":"Read+Only,1","accountId":"123456789012"}]}"#),
    ])
    #expect(try await roles(service) == ["Admin", "Read+Only,1"])
    #expect(service.transport.requests[1].query?.revealed == "next_token=2&max_result=100&account_id=123456789012")
  }

  @Test(
    "a list that is none is believed from no one",
    arguments: [
      "{}", #"{"accountList":{}}"#, #"{"accountList":[1]}"#, #"{"accountList":[{}]}"#, #"{"accountList":[{"accountId":"12"}]}"#,
      #"{"accountList":[{"accountId":"12345678901\u0661"}]}"#, #"{"accountList":[{"accountId":123456789012}]}"#,
    ])
  func badList(_ body: String) async {
    #expect(await failure(AWSError.self) { _ = try await accounts(ScriptedService([.json(body)])) } != nil)
  }

  @Test("a role whose name could be more than one is refused", arguments: ["", "a b", "a/b", "a\\nb", "a\\u001b"])
  func badRole(_ name: String) async {
    let step = ScriptedTransport.Step.json(#"{"roleList":[{"roleName":"\#(name)"}]}"#)
    #expect(await failure(AWSError.self) { _ = try await roles(ScriptedService([step])) } != nil)
  }

  @Test("pages without end come to an end")
  func endless() async {
    let same = ScriptedService(Array(repeating: .json(#"{"accountList":[],"nextToken":"same"}"#), count: 9))
    #expect(await failure(AWSError.self) { _ = try await accounts(same) } != nil)
    #expect(same.transport.requests.count == 2)
    let others = ScriptedService((0..<300).map { .json(#"{"accountList":[],"nextToken":"\#($0)"}"#) })
    #expect(await failure(AWSError.self) { _ = try await accounts(others) } != nil)
    #expect(others.transport.requests.count == SSOPortalClient.maxPages)
  }

  @Test("signing out needs no answer, and says when the token was over already")
  func logout() async throws {
    let service = ScriptedService([.answer(status: 200, body: ""), .exception("UnauthorizedException", status: 401)])
    let endpoint = try ScriptedService.endpoint(.portal)
    try await service.portal.logout(token: Self.token, at: endpoint, via: service.route)
    let error = await failure(SSOPortalError.self) {
      try await service.portal.logout(token: Self.token, at: endpoint, via: service.route)
    }
    #expect(error?.reason == .signInAgain && error?.action == "Logout")
  }
}

extension String {
  fileprivate func replacingOccurrences(_ part: String, _ other: String) -> String {
    split(separator: part).joined(separator: other)
  }
}
