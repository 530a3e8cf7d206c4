import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("The simulator's log and its load")
struct LogTests {
  @Test("a call is logged with all that matters, in the report and as a line of the file, and without a secret")
  func entry() async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try await Boto3.shared.assumeRole(
      simulator, STSWorld.mfaRole,
      [
        "SerialNumber": .text(STSWorld.aliceMFASerial), "TokenCode": .text(STSWorld.aliceMFACodes[7]),
        "Tags": [["Key": "a", "Value": "b"]],
      ])
    _ = try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, as: answer.key)
    _ = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, ["TokenCode": "77777"])
    let report = try await simulator.report()
    let request = try #require(report.requests.first)
    #expect(request.action == "AssumeRole")
    #expect(request.parameters["RoleArn"] == STSWorld.mfaRole)
    #expect(request.parameters["Tags.member.1.Key"] == "a")
    #expect(request.accessKeyId == STSWorld.aliceAccessKeyId)
    #expect(request.callerARN == STSWorld.aliceARN)
    #expect(request.region == "us-east-1")
    #expect(request.issuedAccessKeyId == answer["Credentials.AccessKeyId"])
    #expect(request.requestId == answer["ResponseMetadata.RequestId"])
    #expect(request.userAgent.hasPrefix("Boto3/"))
    #expect(request.host == "127.0.0.1:\(simulator.port)")
    #expect(report.requests.map(\.errorCode) == [nil, "AccessDenied", "ValidationError"])
    #expect(report.requests.map(\.hasSessionToken) == [false, true, false])
    let file = try String(contentsOfFile: simulator.logFile, encoding: .utf8)
    let lines = try file.split(separator: "\n").map { try JSONDecoder().decode(STSRequest.self, from: Data($0.utf8)) }
    #expect(lines == report.requests)
    let key = try answer.key
    for secret in [key.secret, key.token ?? "", STSWorld.aliceSecretAccessKey, STSWorld.aliceMFACodes[7], "77777"] {
      #expect(!file.contains(secret))
    }
  }

  @Test("sixty-four calls at once are answered at once, each with a key of its own")
  func parallel() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(latencyMs: 20))
    let answer = try await Boto3.shared.ask([
      "do": "parallel", "threads": 64, "endpoint": .text(simulator.url), "credentials": .credentials(.alice),
      "method": "assume_role",
      "arguments": ["RoleArn": .text(STSWorld.devRole), "RoleSessionName": "test"],
    ])
    #expect(answer["right"] == "64", "\(answer["first wrong"] ?? "")")
    #expect(answer["keys"] == "64")
    #expect(try await simulator.requests("AssumeRole").count == 64)
  }

  @Test("sixty-four connections are served side by side, request after request on each")
  func connections() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(latencyMs: 20))
    let signed = try #require(try await Boto3.shared.raw(simulator, ["bytes": true])["request"])
    let rounds = 25
    let port = simulator.port
    let bytes =
      Array(String(repeating: signed, count: rounds - 1).utf8)
      + Array(signed.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n").utf8)
    let right = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<64 {
        group.addTask {
          let answers = try await onOwnThread { try LoopbackHTTP.exchange(bytes, port: port) }
          return String(decoding: answers, as: UTF8.self).split(separator: "HTTP/1.1 200 OK\r\n").count
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(right == 64 * rounds)
    let report = try await simulator.report()
    #expect(report.requests.count == 64 * rounds)
    #expect(report.connections == 64)
    #expect((32...64).contains(report.peakConcurrency), "\(report.peakConcurrency)")
    let began = report.requests.map(\.time).min() ?? 0
    let ended = report.requests.map { $0.time + $0.microseconds / 1_000 }.max() ?? 0
    print("simulator: \(report.requests.count) calls in \(ended - began) ms over 64 connections, each at least 20 ms")
  }

  @Test("more at once than is allowed is throttled")
  func limit() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(latencyMs: 300, maxConcurrent: 1))
    let answer = try await Boto3.shared.ask([
      "do": "parallel", "threads": 8, "endpoint": .text(simulator.url), "credentials": .credentials(.alice),
      "method": "get_caller_identity",
    ])
    #expect(Int(answer["right"] ?? "") ?? 0 >= 1)
    #expect(answer["first wrong"]?.contains("Throttling") == true)
  }

  @Test("connections stay open for further calls unless they are told not to")
  func keepAlive() async throws {
    let simulator = try await STSSimulatorProcess()
    let signed = try #require(try await Boto3.shared.raw(simulator, ["bytes": true])["request"])
    try await simulator.set(STSSettings(keepAlive: false))
    let answers = try LoopbackHTTP.exchange(Array((signed + signed).utf8), port: simulator.port)
    let text = String(decoding: answers, as: UTF8.self)
    #expect(text.split(separator: "HTTP/1.1 200 OK").count == 1)
    #expect(text.contains("\r\nConnection: close\r\n"))
  }
}
