import Foundation
import TestSupport

/// boto3, AWS's own Python client, in a process that all tests share. What it says is what the simulator is held to.
actor Boto3 {
  /// Credentials as boto3 takes them.
  struct Key: Codable, Sendable {
    var id: String
    var secret: String
    var token: String?

    static let alice = Key(id: STSWorld.aliceAccessKeyId, secret: STSWorld.aliceSecretAccessKey)
    static let bob = Key(id: STSWorld.bobAccessKeyId, secret: STSWorld.bobSecretAccessKey)
  }

  /// What boto3 made of an answer.
  struct Answer: Decodable, Sendable {
    /// The answer flattened: `Credentials.AccessKeyId`, `ResponseMetadata.HTTPStatusCode`, …
    var values: [String: String]?
    /// AWS's error code and message, where boto3 read one.
    var code: String?
    var message: String?
    /// The class of another exception.
    var exception: String?

    subscript(_ name: String) -> String? { values?[name] }
    var status: String? { self["ResponseMetadata.HTTPStatusCode"] ?? self["status"] }
    var succeeded: Bool { code == nil && exception == nil }

    /// The credentials that were issued.
    var key: Key {
      get throws {
        guard let id = self["Credentials.AccessKeyId"], let secret = self["Credentials.SecretAccessKey"],
          let token = self["Credentials.SessionToken"]
        else { throw NoCredentials(answer: self) }
        return Key(id: id, secret: secret, token: token)
      }
    }
    struct NoCredentials: Error { let answer: Answer }
  }

  /// A value in the arguments of a call.
  enum Value: Encodable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByBooleanLiteral
  {
    case text(String), number(Int), flag(Bool), list([Value]), members([String: Value]), credentials(Boto3.Key)

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .number(value) }
    init(booleanLiteral value: Bool) { self = .flag(value) }
    init(arrayLiteral elements: Value...) { self = .list(elements) }
    init(dictionaryLiteral elements: (String, Value)...) { self = .members(Dictionary(elements) { $1 }) }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let value): try container.encode(value)
      case .number(let value): try container.encode(value)
      case .flag(let value): try container.encode(value)
      case .list(let value): try container.encode(value)
      case .members(let value): try container.encode(value)
      case .credentials(let value): try container.encode(value)
      }
    }
  }

  static let shared = Boto3()

  private var process: RunningProgram?
  private var last: Task<Answer, any Error>?

  /// Calls STS once (or as often as `attempts` allows), and says what came of it.
  func call(
    _ simulator: STSSimulatorProcess, _ method: String, _ arguments: [String: Value] = [:], as key: Key? = .alice,
    more: [String: Value] = [:]
  ) async throws -> Answer {
    var request: [String: Value] = ["do": "call", "method": .text(method), "arguments": .members(arguments)]
    request["endpoint"] = .text(simulator.url)
    request["credentials"] = key.map { .credentials($0) }
    return try await ask(request.merging(more) { $1 })
  }

  /// `AssumeRole` with a session name of `test`, unless `more` says another.
  func assumeRole(
    _ simulator: STSSimulatorProcess, _ role: String, _ more: [String: Value] = [:], as key: Key = .alice
  ) async throws -> Answer {
    let arguments: [String: Value] = ["RoleArn": .text(role), "RoleSessionName": "test"]
    return try await call(simulator, "assume_role", arguments.merging(more) { $1 }, as: key)
  }

  /// A request signed by botocore, and then changed as asked.
  func raw(
    _ simulator: STSSimulatorProcess, _ change: [String: Value] = [:], as key: Key = .alice,
    body: String = "Action=GetCallerIdentity&Version=2011-06-15"
  ) async throws -> Answer {
    let request: [String: Value] = [
      "do": "raw", "endpoint": .text(simulator.url), "credentials": .credentials(key), "body": .text(body),
    ]
    return try await ask(request.merging(change) { $1 })
  }

  /// The code that a device with this seed shows now.
  func totp(_ seed: String) async throws -> String {
    try await ask(["do": "totp", "seed": .text(seed)])["code"] ?? ""
  }

  /// One request after the other, in the order of the calls.
  func ask(_ request: [String: Value]) async throws -> Answer {
    let program = try process ?? start()
    let line = String(decoding: try JSONEncoder().encode(request), as: UTF8.self) + "\n"
    let previous = last
    let task = Task {
      _ = await previous?.result
      program.send(line)
      return try JSONDecoder().decode(Answer.self, from: Data(try await program.readLine(timeout: 120).utf8))
    }
    last = task
    return try await task.value
  }

  private func start() throws -> RunningProgram {
    let program = try RunningProgram(
      Programs.python, ["-c", Self.script],
      environment: ["HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"])
    process = program
    return program
  }
}
