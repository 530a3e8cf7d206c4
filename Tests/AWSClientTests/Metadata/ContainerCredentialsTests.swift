import Foundation
import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// The clock of these tests stands at 2026-11-23T12:00:00Z.
struct ContainerCredentialsTests {
  static let keys = """
    {"AccessKeyId":"ASIAEXAMPLEEXAMPLE00","SecretAccessKey":"secretsecretsecretsecret/+=","Token":"tokentokentokentoken/+=",
    "Expiration":"2026-11-23T14:00:00Z","RoleArn":"arn:aws:iam::123456789012:role/task"}
    """

  private func credentials(
    _ service: ScriptedService, _ authorization: ContainerAuthorization = .none, full: String = "http://127.0.0.1:8080/creds"
  ) async throws -> IssuedCredential {
    let endpoint = try #require(try ContainerEndpoint(relativeURI: nil, fullURI: full))
    return try await service.container.getCredentials(from: endpoint, authorization: authorization)
  }

  @Test(
    "the relative URI counts first and goes to ECS, the full one where it says",
    arguments: [
      ("/v2/credentials/abc", "http://127.0.0.1/x", "http://169.254.170.2/v2/credentials/abc"),
      ("/v1/credentials?id=a%2Fb&c", nil, "http://169.254.170.2/v1/credentials?id=a%2Fb&c"),
      ("", "http://localhost:1338/latest/?x=1", "http://localhost:1338/latest/?x=1"),
      (nil, "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials"),
      (nil, "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"),
      (nil, "http://127.9.8.7:1/x", "http://127.9.8.7:1/x"),
      (nil, "http://[::1]:80/x", "http://[::1]/x"),
      (nil, "https://creds.example.test/x", "https://creds.example.test/x"),
    ] as [(String?, String?, String)])
  func endpoints(_ relative: String?, _ full: String?, _ url: String) async throws {
    let endpoint = try #require(try ContainerEndpoint(relativeURI: relative, fullURI: full))
    let service = ScriptedService([.json(Self.keys)])
    _ = try await service.container.getCredentials(from: endpoint, authorization: .none)
    let request = service.transport.requests[0]
    #expect(request.wholeURL == url && request.method == "GET" && request.body.count == 0)
    #expect(request.timeout == 2_000 && request.isPlainAllowed && request.route == nil)
    #expect(service.header("Accept") == "application/json" && service.header("Authorization") == nil)
    #expect(service.header("Host") == endpoint.host)
  }

  @Test("without either there is no endpoint")
  func none() throws {
    #expect(try ContainerEndpoint(relativeURI: nil, fullURI: nil) == nil)
    #expect(try ContainerEndpoint(relativeURI: "", fullURI: "") == nil)
  }

  @Test(
    "without TLS no other host is asked",
    arguments: [
      "http://example.test/", "http://10.0.0.1/", "http://169.254.169.254/", "http://169.254.170.3/",
      "http://host.docker.internal/",
      "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://127.0.0.1.example.test/",
      "http://localhost.example.test/",
      "http://[fd00:ec2::24]/", "http://[::ffff:10.0.0.1]/", "http://[::]/", "http://0.0.0.0/", "http://0177.0.0.1/",
    ])
  func insecure(_ url: String) {
    #expect(throws: TransportError.self) { try ContainerEndpoint(relativeURI: nil, fullURI: url) }
  }

  @Test(
    "what is no URI is refused",
    arguments: [
      (nil, "127.0.0.1/x"), (nil, "ftp://127.0.0.1/x"), (nil, "http://127.0.0.1/x#y"), (nil, "http://127.0.0.1/x?a b"),
      (nil, "http://127.0.0.1/x?a#b"),
      (nil, "http://user@127.0.0.1/x"), (nil, "http://127.0.0.1/x\r\nA: b"), ("v2/credentials", nil), ("@example.test/x", nil),
      (".example.test/", nil), (":80@example.test/", nil), ("/a\nb", nil),
    ] as [(String?, String?)])
  func notAURI(_ relative: String?, _ full: String?) {
    #expect(throws: TransportError.self) { try ContainerEndpoint(relativeURI: relative, fullURI: full) }
  }

  @Test("credentials are read")
  func read() async throws {
    let issued = try await credentials(ScriptedService([.json(Self.keys)]))
    #expect(issued.credential.accessKeyId == "ASIAEXAMPLEEXAMPLE00")
    #expect(issued.credential.secretAccessKey.revealed == "secretsecretsecretsecret/+=")
    #expect(issued.credential.sessionToken?.revealed == "tokentokentokentoken/+=")
    #expect(issued.credential.expiresAt?.iso8601 == "2026-11-23T14:00:00Z")
  }

  @Test("a token is sent as it is")
  func token() async throws {
    let service = ScriptedService([.json(Self.keys)])
    _ = try await credentials(service, .token(SecretBytes("Basic abc=")))
    #expect(service.header("Authorization") == "Basic abc=")
  }

  @Test("a token's file is read anew at each call")
  func tokenFile() async throws {
    let folder = TemporaryDirectory()
    let path = folder.path + "/token"
    let service = ScriptedService([.json(Self.keys), .json(Self.keys)])
    for token in ["first", "second"] {
      try token.write(toFile: path, atomically: true, encoding: .utf8)
      _ = try await credentials(service, .file(path))
    }
    #expect(service.header("Authorization", 0) == "first" && service.header("Authorization", 1) == "second")
  }

  @Test(
    "a token with a line break or another control character is not sent",
    arguments: ["a\r\nX: y", "a\n", "a\u{0}", "a\u{7F}", "\u{E9}"])
  func badToken(_ token: String) async throws {
    let folder = TemporaryDirectory()
    let path = folder.path + "/token"
    try token.write(toFile: path, atomically: true, encoding: .utf8)
    for authorization in [ContainerAuthorization.token(SecretBytes(token)), .file(path)] {
      let service = ScriptedService([.json(Self.keys)])
      let error = await failure(AWSError.self) { _ = try await credentials(service, authorization) }
      guard case .invalid = error?.cause else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(service.transport.requests.isEmpty && error?.exitStatus == .configuration)
    }
  }

  @Test(
    "credentials that cannot be are believed from no one",
    arguments: [
      "{}", "[]", "not JSON", #"{"AccessKeyId":"ASIAEXAMPLEEXAMPLE00"}"#, keys.replacing("2026-11-23T14", with: "2026-11-23T11"),
      keys.replacing("2026-11-23T14", with: "2027-11-23T14"), keys.replacing("\"Token\"", with: "\"SessionToken\""),
      keys.replacing("\"2026-11-23T14:00:00Z\"", with: "1795442400"), keys.replacing("secretsecretsecretsecret", with: "a b"),
    ])
  func malformedResponse(_ body: String) async {
    let service = ScriptedService(Array(repeating: .json(body), count: 3))
    let error = await failure(AWSError.self) { _ = try await credentials(service) }
    guard case .malformedResponse = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("an error is told in the endpoint's own words")
  func refused() async {
    let service = ScriptedService([.json(#"{"code":"AccessDenied","message":"no such task"}"#, status: 403)])
    let error = await failure(AWSError.self) { _ = try await credentials(service) }
    #expect(error?.message == "GetContainerCredentials: AccessDenied: no such task" && error?.exitStatus == .refused)
  }

  @Test("a fault is waited out, three times in all, and then says what to look at")
  func weather() async throws {
    let fault = ScriptedTransport.Step.failure(.timedOut(host: "127.0.0.1"))
    #expect(try await credentials(ScriptedService([fault, .answer(status: 500, body: ""), .json(Self.keys)])).attempts == 3)
    let error = await failure(AWSError.self) { _ = try await credentials(ScriptedService([fault, fault, fault, fault])) }
    #expect(error?.attempts == 3 && error?.hint?.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI") == true)
  }
}

struct TokenFileTests {
  private func problem(_ path: String) -> TokenFile.Problem? {
    do throws(TokenFile.Problem) {
      _ = try TokenFile.read(path)
      return nil
    } catch {
      return error
    }
  }

  @Test("a token is what the file holds, through a link too")
  func read() throws {
    let folder = TemporaryDirectory()
    let path = folder.path + "/token"
    try "a token\n".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try TokenFile.read(path).revealed == "a token\n")
    symlink(path, path + ".link")
    #expect(try TokenFile.read(path + ".link").revealed == "a token\n")
    try String(repeating: "x", count: 60_000).write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try TokenFile.read(path).count == 60_000)
  }

  @Test("what holds no token is told from one, at once")
  func problems() throws {
    let folder = TemporaryDirectory()
    let path = folder.path + "/token"
    #expect(problem(path) == .cannotRead(path: path, why: "No such file or directory"))
    #expect(problem(path)?.exitStatus == .noInput)
    #expect(problem(folder.path) == .notAFile(path: folder.path))
    mkfifo(path + ".fifo", 0o600)
    #expect(problem(path + ".fifo") == .notAFile(path: path + ".fifo"))
    #expect(problem("/dev/zero") == .notAFile(path: "/dev/zero"))
    try "".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(problem(path) == .empty(path: path))
    try String(repeating: "x", count: 65_537).write(toFile: path, atomically: true, encoding: .utf8)
    #expect(problem(path) == .tooLarge(path: path))
  }
}
