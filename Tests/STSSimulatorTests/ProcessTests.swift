import Foundation
import Glibc
import TestSupport
import Testing

@Suite("The simulator as a program")
struct ProcessTests {
  private let folder = TemporaryDirectory()

  private func run(_ arguments: String...) async throws -> Subprocess.Result {
    try await Subprocess.run(Programs.stsSimulator, arguments, environment: [:], timeout: 20)
  }

  @Test("it ends with its standard input, and with SIGTERM", arguments: [true, false])
  func ends(byInput: Bool) async throws {
    let world = folder.write("{}", to: "world.json")
    let program = try RunningProgram(
      Programs.stsSimulator, ["--world", world] + (byInput ? ["--until-stdin-closes"] : []), environment: [:])
    #expect(try await program.readLine().wholeMatch(of: /listening on http:\/\/127\.0\.0\.1:\d+/) != nil)
    if byInput { program.send("", end: true) } else { program.terminate() }
    #expect(try await program.wait(timeout: 20).end == .exit(0))
  }

  @Test("a port can be had again at once, after the simulator that had it is gone")
  func samePort() async throws {
    let first = try await STSSimulatorProcess()
    _ = try await Boto3.shared.call(first, "get_caller_identity")
    try await first.stop()
    await #expect(throws: LoopbackHTTP.Failure.self) { try await first.report() }
    let second = try await STSSimulatorProcess(port: first.port)
    #expect(second.port == first.port)
    #expect(try await Boto3.shared.call(second, "get_caller_identity").succeeded)
  }

  @Test("it listens on 127.0.0.1 alone")
  func loopback() async throws {
    let simulator = try await STSSimulatorProcess()
    let sockets = try await Subprocess.run("/bin/cat", ["/proc/net/tcp", "/proc/net/tcp6"], environment: [:])
    let listening = sockets.output.split(separator: "\n").filter {
      $0.contains(":" + String(format: "%04X", simulator.port) + " 00000000:0000 0A")
    }
    #expect(listening.count == 1)
    #expect(listening.first?.contains(" 0100007F:") == true)
  }

  @Test(
    "wrong options and worlds are refused with a word about them",
    arguments: [
      ([], 64, "--world is missing"), (["--world"], 64, "--world needs a value"), (["--port", "x"], 64, "x is no port"),
      (["--wrld", "x"], 64, "unknown option --wrld"),
      (["--world", "{"], 70, "sts-simulator: "), (["--world", #"{"regions":[]}"#], 78, "the world has no region"),
      (["--world", #"{"roles":[{"arn":"x","trusts":[]}]}"#], 78, "x is not the ARN of a role"),
    ] as [([String], Int32, String)])
  func refused(arguments: [String], status: Int32, words: String) async throws {
    var arguments = arguments
    if let last = arguments.last, last.hasPrefix("{") { arguments[arguments.count - 1] = folder.write(last, to: "world.json") }
    let result = try await Subprocess.run(Programs.stsSimulator, arguments, environment: [:], timeout: 20)
    #expect(result.end == .exit(status))
    #expect(result.errors.contains(words), "\(result.errors)")
    #expect(result.output == "")
  }

  @Test("moto's server starts, answers boto3, and ends")
  func moto() async throws {
    let moto = try await MotoServer()
    let answer = try await Boto3.shared.ask([
      "do": "call", "endpoint": .text(moto.url), "credentials": .credentials(.alice), "method": "get_caller_identity",
    ])
    #expect(answer["Account"] == "123456789012")
  }
}
