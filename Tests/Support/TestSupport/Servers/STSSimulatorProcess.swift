import Foundation
@_exported import SimulatorModel

/// The strict STS simulator as a process of its own, on a free port of 127.0.0.1. It ends with its last reference.
public final class STSSimulatorProcess: Sendable {
  public let port: UInt16
  private let process: RunningProgram
  private let folder: TemporaryDirectory

  /// For `endpoint_url`, `AWS_ENDPOINT_URL_STS` and the like.
  public var url: String { "http://127.0.0.1:\(port)" }
  /// The log as JSON Lines, one ``STSRequest`` a line.
  public var logFile: String { folder.file("requests.jsonl") }

  /// Starts the simulator and waits until it listens.
  ///
  /// - Parameter port: a port to be had again, as after a restart; 0 for a free one. What was issued before is unknown to the
  ///   new one.
  public init(_ world: STSWorld = .standard, port: UInt16 = 0) async throws {
    folder = TemporaryDirectory()
    let json = String(decoding: try JSONEncoder().encode(world), as: UTF8.self)
    let file = folder.write(json, to: "world.json")
    process = try RunningProgram(
      Programs.stsSimulator,
      ["--world", file, "--port", "\(port)", "--log", folder.file("requests.jsonl"), "--until-stdin-closes"], environment: [:])
    let line = try await process.readLine()
    guard let number = line.split(separator: ":").last.flatMap({ UInt16($0) }) else {
      throw StrangeLine(line: line)
    }
    self.port = number
  }

  /// Ends the simulator, as a service that is down: the port refuses connections then.
  public func stop() async throws {
    process.terminate()
    try await process.wait(timeout: 10)
  }

  /// The calls so far, control calls not among them.
  public func report() async throws -> STSReport {
    let response = try await LoopbackHTTP.send("GET", "/_sim/requests", port: port)
    guard response.status == 200 else { throw Refused(status: response.status, text: response.text) }
    return try JSONDecoder().decode(STSReport.self, from: Data(response.body))
  }

  /// The calls so far, or those of one action.
  public func requests(_ action: String? = nil) async throws -> [STSRequest] {
    try await report().requests.filter { action == nil || $0.action == action }
  }

  /// Queues faults behind those that wait. Each befalls the next calls that it fits, until its count is used up.
  public func queue(_ faults: STSFault...) async throws { try await post("faults", faults) }

  /// Queues a fault of a kind.
  public func queue(_ kind: STSFault.Kind, count: Int = 1, action: String? = nil) async throws {
    try await queue(STSFault(kind, count: count, action: action))
  }

  /// Changes what is not nil.
  public func set(_ settings: STSSettings) async throws { try await post("settings", settings) }

  /// Denies everything to the sessions that a role has had so far.
  public func revoke(role: String) async throws { try await post("revoke", STSRevocation(role: role)) }

  /// Makes a key unknown, a user's or an issued one.
  public func revoke(accessKeyId: String) async throws { try await post("revoke", STSRevocation(accessKeyId: accessKeyId)) }

  /// Puts another world in the place of this one; sessions, log and faults stay.
  public func change(to world: STSWorld) async throws { try await post("world", world) }

  /// What the person, or an administrator, does about sign-ins.
  public func signIn(_ act: SignInControl.Act) async throws { try await post("sign-in", SignInControl(act)) }

  /// Changes what is not nil.
  public func change(_ identity: IdentityChange) async throws { try await post("identity", identity) }

  /// The variables by which every service that the vault calls is the simulator.
  public var environment: [String: String] {
    [
      "AWS_ENDPOINT_URL_STS": url, "AWS_ENDPOINT_URL_SSO": url, "AWS_ENDPOINT_URL_SSO_OIDC": url, "AWS_ENDPOINT_URL_IAM": url,
      "AWS_ENDPOINT_URL_SIGNIN": url, "AWS_ENDPOINT_URL_SSO_ADMIN": url, "AWS_ENDPOINT_URL_IDENTITYSTORE": url,
    ]
  }

  /// Back to the start: no sessions, faults, used MFA codes or log, and the settings of the world.
  public func reset() async throws { try await post("reset", [String: String]()) }

  private func post(_ path: String, _ body: some Encodable) async throws {
    let json = try JSONEncoder().encode(body)
    let response = try await LoopbackHTTP.send("POST", "/_sim/\(path)", port: port, body: Array(json))
    guard response.status == 200 else { throw Refused(status: response.status, text: response.text) }
  }

  /// The simulator did not take a control call.
  public struct Refused: Error {
    public let status: Int
    public let text: String
  }

  /// The simulator's first line was not the one that says where it listens.
  public struct StrangeLine: Error {
    public let line: String
  }
}
