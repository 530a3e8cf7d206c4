import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

struct IAMTests {
  private static func newKey(_ key: String) -> ScriptedTransport.Step {
    .answer(
      status: 200,
      body: """
        <CreateAccessKeyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateAccessKeyResult><AccessKey>\(key)</AccessKey>
        </CreateAccessKeyResult><ResponseMetadata><RequestId>req-iam</RequestId></ResponseMetadata></CreateAccessKeyResponse>
        """)
  }

  private static let key: ScriptedTransport.Step = newKey(
    """
    <UserName>ann</UserName><AccessKeyId>AKIAEXAMPLEEXAMPLE01</AccessKeyId><Status>Active</Status>
    <SecretAccessKey>secretsecretsecretsecret/+=</SecretAccessKey><CreateDate>2026-11-23T12:00:00Z</CreateDate>
    """)

  private func create(_ service: ScriptedService) async throws -> NewAccessKey {
    try await service.iam.createAccessKey(signedBy: service.credential, at: ScriptedService.endpoint(.iam), via: service.route)
  }

  private func list(_ service: ScriptedService) async throws -> [AccessKeyInfo] {
    try await service.iam.listAccessKeys(signedBy: service.credential, at: ScriptedService.endpoint(.iam), via: service.route)
  }

  private func delete(_ service: ScriptedService) async throws {
    try await service.iam.deleteAccessKey(
      "AKIAEXAMPLEEXAMPLE01", signedBy: service.credential, at: ScriptedService.endpoint(.iam), via: service.route)
  }

  private static func page(_ members: [String], marker: String? = nil) -> ScriptedTransport.Step {
    let list = members.map { "<member>\($0)</member>" }.joined()
    let more = marker.map { "<IsTruncated>true</IsTruncated><Marker>\($0)</Marker>" } ?? "<IsTruncated>false</IsTruncated>"
    return .answer(
      status: 200,
      body: """
        <ListAccessKeysResponse><ListAccessKeysResult>\(more)<AccessKeyMetadata>\(list)</AccessKeyMetadata></ListAccessKeysResult>
        </ListAccessKeysResponse>
        """)
  }

  private static func member(_ id: String, _ status: String = "Active") -> String {
    "<AccessKeyId>\(id)</AccessKeyId><Status>\(status)</Status><CreateDate>2026-11-23T12:00:00Z</CreateDate><UserName>ann</UserName>"
  }

  @Test("a new key is read, and the call was signed for IAM's one region")
  func created() async throws {
    let service = ScriptedService([Self.key])
    let key = try await create(service)
    #expect(key.credential.accessKeyId == "AKIAEXAMPLEEXAMPLE01" && key.userName == "ann" && key.requestId == "req-iam")
    #expect(key.credential.secretAccessKey.revealed == "secretsecretsecretsecret/+=")
    #expect(key.credential.sessionToken == nil && key.credential.expiresAt == nil)
    #expect(key.createdAt?.iso8601 == "2026-11-23T12:00:00Z")
    #expect(service.header("Authorization")?.contains("/20261123/us-east-1/iam/aws4_request") == true)
    #expect(service.header("X-Amz-Security-Token") == "the+token")
    #expect(!"\(key)".contains("secretsecret"))
  }

  @Test(
    "a key is not made again where the first may have been made",
    arguments: [
      ScriptedTransport.Step.failure(.timedOut(host: "h")), .failure(.cut(host: "h", why: "")),
      .error("ServiceFailure", status: 500),
      .answer(status: 503, body: ""), .answer(status: 200, body: "<html>"),
    ])
  func once(_ step: ScriptedTransport.Step) async {
    let service = ScriptedService([step, Self.key])
    #expect(await failure(AWSError.self) { _ = try await create(service) }?.attempts == 1)
    #expect(service.transport.requests.count == 1)
  }

  @Test(
    "a key that was surely not made is asked for again",
    arguments: [
      ScriptedTransport.Step.failure(.connect(host: "h")), .failure(.resolve(host: "h")), .error("Throttling", status: 400),
      .answer(status: 429, body: ""),
    ])
  func again(_ step: ScriptedTransport.Step) async throws {
    #expect(try await create(ScriptedService([step, Self.key])).userName == "ann")
  }

  @Test(
    "a key that cannot be is believed from no one",
    arguments: [
      newKey(""), newKey("<AccessKeyId>AKIAEXAMPLEEXAMPLE01</AccessKeyId><UserName>ann</UserName>"),
      newKey("<AccessKeyId>x</AccessKeyId><SecretAccessKey>secretsecretsecretsecret</SecretAccessKey><UserName>ann</UserName>"),
      newKey("<AccessKeyId>AKIAEXAMPLEEXAMPLE01</AccessKeyId><SecretAccessKey>secretsecretsecretsecret</SecretAccessKey>"),
    ])
  func malformedResponse(_ step: ScriptedTransport.Step) async {
    #expect(await failure(AWSError.self) { _ = try await create(ScriptedService([step])) } != nil)
  }

  @Test(
    "a refusal says what to do",
    arguments: [
      ("LimitExceeded", 409, "two access keys"), ("NoSuchEntity", 404, "already deleted"),
      ("AccessDenied", 403, "CreateAccessKey"),
    ])
  func refused(_ code: String, _ status: Int, _ hint: String) async {
    let error = await failure(AWSError.self) { _ = try await create(ScriptedService([.error(code, status: status)])) }
    #expect(error?.code == code && error?.hint?.contains(hint) == true && error?.exitStatus == .refused)
    #expect(error?.requestId == "req-error")
  }

  @Test("a key that is gone was deleted, but only by a call that was tried before")
  func deleted() async throws {
    let gone = ScriptedTransport.Step.error("NoSuchEntity", status: 404)
    try await delete(ScriptedService([.failure(.timedOut(host: "h")), gone]))
    #expect(await failure(AWSError.self) { try await delete(ScriptedService([gone])) }?.code == "NoSuchEntity")
    try await delete(ScriptedService([.answer(status: 200, body: "<DeleteAccessKeyResponse><R/></DeleteAccessKeyResponse>")]))
  }

  @Test("a key is made inactive, and active again")
  func updated() async throws {
    let answer = ScriptedTransport.Step.answer(status: 200, body: "<UpdateAccessKeyResponse/>")
    let service = ScriptedService([answer, answer])
    for isActive in [false, true] {
      try await service.iam.updateAccessKey(
        "AKIAEXAMPLEEXAMPLE01", isActive: isActive, signedBy: service.credential, at: ScriptedService.endpoint(.iam),
        via: service.route)
    }
    #expect(
      service.transport.requests.map { $0.body.revealed.split(separator: "&").last } == ["Status=Inactive", "Status=Active"])
  }

  @Test("keys are listed over all pages, each with its own status")
  func listed() async throws {
    let service = ScriptedService([
      Self.page([Self.member("AKIAEXAMPLEEXAMPLE01"), Self.member("AKIAEXAMPLEEXAMPLE02", "Inactive")], marker: "m/1"),
      Self.page([Self.member("AKIAEXAMPLEEXAMPLE03", "Expired")]),
    ])
    let keys = try await list(service)
    #expect(keys.map(\.accessKeyId) == ["AKIAEXAMPLEEXAMPLE01", "AKIAEXAMPLEEXAMPLE02", "AKIAEXAMPLEEXAMPLE03"])
    #expect(keys.map(\.status) == [.active, .inactive, .expired])
    #expect(service.transport.requests[1].body.revealed == "Action=ListAccessKeys&Version=2010-05-08&Marker=m%2F1")
    #expect(try await list(ScriptedService([Self.page([])])).isEmpty)
  }

  @Test("a list that cannot be is believed from no one, and pages come to an end")
  func badList() async {
    for member in ["<Status>Active</Status>", Self.member("x"), Self.member("AKIAEXAMPLEEXAMPLE01", "Sleeping")] {
      #expect(await failure(AWSError.self) { _ = try await list(ScriptedService([Self.page([member])])) } != nil)
    }
    let endless = ScriptedService((0..<20).map { Self.page([], marker: "\($0)") })
    #expect(await failure(AWSError.self) { _ = try await list(endless) } != nil)
    #expect(endless.transport.requests.count == IAMClient.maxPages)
    let same = ScriptedService(Array(repeating: Self.page([], marker: "same"), count: 5))
    #expect(await failure(AWSError.self) { _ = try await list(same) } != nil)
    #expect(same.transport.requests.count == 2)
  }
}
