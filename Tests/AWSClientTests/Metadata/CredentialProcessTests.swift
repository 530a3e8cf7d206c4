import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

struct CredentialProcessTests {
  private static let now = Timestamp(seconds: 1_795_435_200)

  private func read(_ text: String) throws(CredentialProcessError) -> CredentialProcessAnswer {
    try CredentialProcessAnswer(SecretBytes(text), now: Self.now)
  }

  private func failure(_ text: String) -> CredentialProcessError? {
    do throws(CredentialProcessError) {
      _ = try read(text)
      return nil
    } catch {
      return error
    }
  }

  /// A whole answer, but for what `fields` says of it.
  private static func answer(_ fields: String) -> String {
    #"{"Version":1,"AccessKeyId":"AKIA1","SecretAccessKey":"s/+=1"\#(fields)}"#
  }

  @Test("a whole answer is read")
  func whole() throws {
    let answer = try read(
      Self.answer(#","SessionToken":"t/+=1","Expiration":"2026-11-23T13:00:00+01:00","AccountId":"123456789012","Else":[]"#)
        .replacing("13:00:00+01:00", with: "14:30:00.5+01:00") + "\n")
    #expect(answer.credential.accessKeyId == "AKIA1" && answer.credential.secretAccessKey.revealed == "s/+=1")
    #expect(answer.credential.sessionToken?.revealed == "t/+=1" && answer.credential.accountId == "123456789012")
    #expect(answer.credential.expiresAt == Timestamp(milliseconds: (1_795_435_200 + 5_400) * 1_000 + 500))
  }

  @Test("an end that is further off than any session's is believed for 36 hours")
  func farEnd() throws {
    let far = try read(Self.answer(#","Expiration":"2099-01-01T00:00:00Z""#)).credential.expiresAt
    #expect(far == Self.now.adding(seconds: 36 * 3_600))
  }

  @Test(
    "what may be left out may be null or empty too",
    arguments: [
      "", #","SessionToken":null,"Expiration":null,"AccountId":null"#, #","SessionToken":"","AccountId":"""#,
    ])
  func least(_ fields: String) throws {
    let answer = try read(Self.answer(fields))
    #expect(answer.credential.sessionToken == nil && answer.credential.expiresAt == nil && answer.credential.accountId == nil)
  }

  @Test(
    "what cannot be used is refused, and the error says why",
    arguments: [
      ("", CredentialProcessError.notJSON), ("Password: ", .notJSON), ("[]", .notJSON), (answer("") + answer(""), .notJSON),
      (answer("") + "x", .notJSON), ("{" + answer(""), .notJSON), (answer(#","AccessKeyId":"AKIA2""#), .notJSON),
      (#"{"AccessKeyId":"A","SecretAccessKey":"s"}"#, .version(nil)), (#"{"Version":"1","AccessKeyId":"A"}"#, .version(nil)),
      (#"{"Version":1.0,"AccessKeyId":"A"}"#, .version(nil)), (#"{"Version":true}"#, .version(nil)),
      (#"{"Version":2}"#, .version(2)),
      (#"{"Version":0}"#, .version(0)), (#"{"Version":1}"#, .missing("AccessKeyId")),
      (#"{"Version":1,"AccessKeyId":null}"#, .missing("AccessKeyId")),
      (#"{"Version":1,"AccessKeyId":"A"}"#, .missing("SecretAccessKey")),
      (#"{"Version":1,"accessKeyId":"A"}"#, .missing("AccessKeyId")),
      (#"{"Version":1,"AccessKeyId":"","SecretAccessKey":"s"}"#, .malformed("AccessKeyId")),
      (#"{"Version":1,"AccessKeyId":7,"SecretAccessKey":"s"}"#, .malformed("AccessKeyId")),
      (#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":""}"#, .malformed("SecretAccessKey")),
      (#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s\n"}"#, .malformed("SecretAccessKey")),
      (answer(#","SessionToken":{}"#), .malformed("SessionToken")),
      (answer(#","SessionToken":"a\u001bb""#), .malformed("SessionToken")),
      (answer(#","Expiration":"""#), .malformed("Expiration")),
      (answer(#","Expiration":1795442400"#), .malformed("Expiration")),
      (answer(#","Expiration":"tomorrow""#), .malformed("Expiration")),
      (answer(#","Expiration":"2026-11-23T12:00:00Z""#), .expired(now)),
      (answer(#","Expiration":"2026-11-23 12:00:00""#), .malformed("Expiration")),
      (answer(#","AccountId":123456789012"#), .malformed("AccountId")),
      (answer(#","AccountId":"12345678901""#), .malformed("AccountId")),
      (answer(#","AccountId":"12345678901\u0661""#), .malformed("AccountId")),
    ])
  func refused(_ text: String, _ expected: CredentialProcessError) {
    let error = failure(text)
    #expect(error == expected)
    #expect(error?.message.isEmpty == false && error?.hint?.isEmpty == false)
  }

  @Test("a flood, a well of brackets and bytes that are no text end at once")
  func hostile() {
    #expect(failure(String(repeating: "x", count: 3 << 20)) == .notJSON)
    #expect(failure(Self.answer(",\"x\":" + String(repeating: "[", count: 100_000))) == .notJSON)
    let bytes = Array(Self.answer(",\"x\":\"").utf8) + [0xFF, 0x22, 0x7D]
    #expect(throws: CredentialProcessError.notJSON) {
      try CredentialProcessAnswer(bytes.withUnsafeBytes { SecretBytes(copying: $0) }, now: Self.now)
    }
  }

  @Test("each error ends with its own status")
  func statuses() {
    #expect(CredentialProcessError.expired(Self.now).exitStatus == .refused)
    #expect(CredentialProcessError.notJSON.exitStatus == .badData)
    #expect(CredentialProcessError.expired(Self.now).message.contains("2026-11-23T12:00:00Z"))
  }
}
