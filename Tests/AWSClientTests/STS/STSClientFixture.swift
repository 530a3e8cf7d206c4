import Synchronization
import TestSupport
import VaultModel
import VaultSecrets

@testable import AWSClient

/// A clock that jumps to where it is asked to sleep, and remembers for how long.
final class JumpingClock: WallClock {
  private let state: Mutex<(now: Timestamp, slept: [Int64])>

  init(_ start: Timestamp = Timestamp(seconds: 1_795_435_200)) { state = Mutex((start, [])) }

  /// Milliseconds of each sleep.
  var slept: [Int64] { state.withLock { $0.slept } }

  func now() -> Timestamp { state.withLock { $0.now } }
  func set(_ moment: Timestamp) { state.withLock { $0.now = moment } }

  func sleep(until moment: Timestamp) async throws {
    try Task.checkCancellation()
    state.withLock {
      $0.slept.append(moment.since($0.now))
      $0.now = moment
    }
  }
}

/// A client of STS with a script for the network, and what most tests ask of it.
struct ScriptedSTS {
  let transport: ScriptedTransport
  let clock = JumpingClock()
  let client: STSClient
  let credential = Credential(
    accessKeyId: "AKIAEXAMPLEEXAMPLE00", secretAccessKey: SecretBytes("a secret"), sessionToken: nil, expiresAt: nil)

  init(_ steps: [ScriptedTransport.Step]) {
    transport = ScriptedTransport(steps)
    client = STSClient(transport: transport, clock: clock, random: { 0.5 })
  }

  static let route = testRoute("https://sts.eu-west-1.amazonaws.com")

  func assumeRole(mayWait: Bool = true, _ change: (inout AssumeRoleRequest) -> Void = { _ in }) async throws -> STSResult {
    guard let arn = RoleARN("arn:aws:iam::123456789012:role/dev") else { throw CancellationError() }
    var request = AssumeRoleRequest(
      link: RoleLink(profile: "dev", roleARN: arn), sessionName: RoleSessionName(cleaning: "ann@desk"), duration: .default)
    change(&request)
    return try await client.assumeRole(
      request, signedBy: credential, at: STSEndpoint(region: "eu-west-1", settings: EndpointSettings()), via: Self.route,
      mayWait: mayWait)
  }

  /// The error with which the call ends.
  func failure() async -> AWSError? {
    do {
      _ = try await assumeRole()
      return nil
    } catch {
      return error as? AWSError
    }
  }

  /// What was sent in the request of this number.
  func body(_ index: Int) -> String { transport.requests[index].body.withBytes { String(decoding: $0, as: UTF8.self) } }

  func header(_ name: String, _ index: Int) -> String? { transport.requests[index].headers.first { $0.name == name }?.value }
}

/// A way that leads there and nowhere else.
func testRoute(_ url: String) -> NetworkSettings {
  guard let address = WebAddress(url) else { preconditionFailure("\(url) is no URL") }
  return NetworkSettings(to: address, proxies: .none, certificates: nil)
}
