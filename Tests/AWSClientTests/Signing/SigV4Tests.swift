import Testing
import VaultBytes
import VaultModel
import VaultSecrets

@testable import AWSClient

/// AWS's published signing test suite, as botocore carries it (Apache License 2.0, beside the files).
struct SigV4Tests {
  /// What the suite signs with.
  let credential = Credential(
    accessKeyId: "AKIDEXAMPLE", secretAccessKey: SecretBytes("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), sessionToken: nil,
    expiresAt: nil)
  let moment = Timestamp(seconds: 1_440_938_160)

  @Test("the whole suite is there")
  func suite() {
    #expect(Fixture.signingCases.count == 34)
  }

  @Test("a published request is signed as published", arguments: Fixture.signingCases)
  func vector(_ name: String) throws {
    var raw = try RawRequest(Fixture.text(name + ".req"))
    // The one case whose token is the signer's to add: the suite keeps it with the credential, not in the request.
    if name.hasSuffix("get-vanilla-with-session-token") {
      raw.request.headers.append(("X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"))
    }
    let payloadHash = hex(sha256(raw.request.body))
    let canonical = SigV4.canonicalRequest(raw.request, payloadHash: payloadHash)
    #expect(try canonical == Fixture.text(name + ".creq"))
    let scope = SigV4.scope(moment, region: "us-east-1", service: "service")
    #expect(try SigV4.stringToSign(canonical, at: moment, scope: scope) == Fixture.text(name + ".sts"))
    let header = SigV4.authorization(
      raw.request, payloadHash: payloadHash, credential: credential, region: "us-east-1", service: "service", at: moment)
    #expect(try header == Fixture.text(name + ".authz"))
  }
}

/// A request of the suite: a request line, headers of which some are folded, and perhaps a body.
private struct RawRequest {
  struct Malformed: Error {}
  var request: SignableRequest

  init(_ text: String) throws {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
    guard let line = lines.popFirst(), let methodEnd = line.firstIndex(of: " "), line.hasSuffix(" HTTP/1.1") else {
      throw Malformed()
    }
    let target = line[line.index(after: methodEnd)...].dropLast(" HTTP/1.1".count)
    let mark = target.firstIndex(of: "?") ?? target.endIndex
    var headers: [(name: String, value: String)] = []
    while let next = lines.popFirst(), !next.isEmpty {
      if next.first == " ", let last = headers.popLast() {
        headers.append((last.name, last.value + "\n" + next))
      } else {
        guard let colon = next.firstIndex(of: ":") else { throw Malformed() }
        headers.append((String(next[..<colon]), String(next[next.index(after: colon)...])))
      }
    }
    request = SignableRequest(
      method: String(line[..<methodEnd]), path: String(target[..<mark]), query: String(target[mark...].dropFirst()),
      headers: headers,
      body: Array(lines.joined(separator: "\n").utf8))
  }
}
