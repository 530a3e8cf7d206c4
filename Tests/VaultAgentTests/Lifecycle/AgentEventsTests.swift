import Foundation
import Testing

@testable import VaultAgent

@Suite struct AgentEventsTests {
  @Test("what parts report waits for its reader, in order: rows, an unlock, the end of a program, refused requests")
  func stream() async throws {
    let stage = try await AgentStage()
    let program = Process()
    program.executableURL = URL(fileURLWithPath: "/bin/cat")
    program.standardInput = Pipe()
    try program.run()
    await stage.broker.observe("lease", program.processIdentifier)
    kill(program.processIdentifier, SIGKILL)
    program.waitUntilExit()
    var seen: [String] = []
    reading: for await event in stage.events.all {
      switch event {
      case .store(.rowsAdded): if seen.last != "rows" { seen.append("rows") }
      case .unlocked: seen.append("unlocked")
      case .programEnded(let lease):
        seen.append(lease)
        for _ in 0..<RejectionMonitor.many { stage.endpoint.rejections.record("unknown token") }
      case .requestsRefused(let detail):
        seen.append(detail)
        break reading
      default: Issue.record("\(event)")
      }
    }
    #expect(seen == ["rows", "unlocked", "rows", "lease", "16 requests were refused within a minute (unknown token)"])
  }
}
