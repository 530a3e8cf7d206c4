import Foundation
import Synchronization
import TestSupport
import Testing
import VaultModel
import VaultSecrets
import VaultStore

@testable import VaultAgent

/// Requests that find their session due, over a real socket and in virtual time.
@Suite struct DueRequestTests {
  /// A lease whose session is due after a minute, and all that was begun for it.
  private struct ServedProgram {
    let clock = FakeClock()
    let endpoint: CredentialEndpoint
    let lease: CredentialEndpoint.Lease
    let begun: Begun
    let withdrawals = Withdrawals()

    final class Begun: Sendable {
      let count = Atomic(0)
    }

    init() throws {
      let events = AgentEvents()
      endpoint = CredentialEndpoint(clock: clock, events: events, tokenFolder: NSTemporaryDirectory())
      begun = Begun()
      Task { [begun] in
        for await event in events.all { if case .sessionDue = event { begun.count.add(1, ordering: .relaxed) } }
      }
      lease = try endpoint.open(
        Self.credential("OLD", clock), permit: withdrawals.permit(), renewsAt: clock.now().adding(seconds: 60))
    }

    static func credential(_ key: String, _ clock: FakeClock) -> Credential {
      Credential(
        accessKeyId: key, secretAccessKey: SecretBytes("s"), sessionToken: SecretBytes("t"),
        expiresAt: clock.now().adding(seconds: 3_600))
    }

    var renewals: Int { begun.count.load(ordering: .relaxed) }

    func bring(_ key: String) {
      endpoint.update(
        lease.id, Self.credential(key, clock), permit: withdrawals.permit(), renewsAt: clock.now().adding(seconds: 60))
    }

    /// The key that a request gets, or the status of an answer without one.
    func ask() async throws -> String {
      let token = lease.token.withBytes { String(decoding: $0, as: UTF8.self) }
      let answer = try await LoopbackHTTP.send(
        "GET", CredentialEndpoint.path, port: UInt16(lease.port), headers: ["Authorization": token])
      guard answer.status == 200 else { return "\(answer.status)" }
      return (try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: String])?["AccessKeyId"] ?? ""
    }

    func isBegun(_ number: Int) async throws {
      let deadline = Date().addingTimeInterval(60)
      while renewals < number, Date() < deadline { try await Task.sleep(for: .milliseconds(5)) }
      try #require(renewals == number)
    }

    /// A question that begins a renewal, of which nothing comes.
    func askInVain(_ number: Int) async throws -> String {
      async let key = ask()
      try await isBegun(number)
      endpoint.resolve(lease.id, isLocked: false)
      return try await key
    }
  }

  @Test("those who ask when their session is due have one new one made, and none of them is answered before it is there")
  func renewed() async throws {
    let served = try ServedProgram()
    #expect(try await served.ask() == "OLD")
    #expect(served.renewals == 0)
    served.clock.advance(seconds: 60)
    let answered = ServedProgram.Begun()
    let keys = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<8 {
        group.addTask {
          defer { answered.count.add(1, ordering: .relaxed) }
          return try await served.ask()
        }
      }
      try await served.isBegun(1)
      #expect(answered.count.load(ordering: .relaxed) == 0)
      served.bring("NEW")
      served.endpoint.resolve(served.lease.id, isLocked: false)
      return try await group.reduce(into: [String]()) { $0.append($1) }
    }
    #expect(keys == Array(repeating: "NEW", count: 8) && served.renewals == 1)
    _ = served.endpoint.close(served.lease.id)
  }

  @Test("nobody waits longer than is had patience for, nor for what others have waited for too long")
  func slow() async throws {
    let served = try ServedProgram()
    served.clock.advance(seconds: 60)
    async let first = served.ask()
    try await served.isBegun(1)
    served.endpoint.timeOut(served.lease.id)
    #expect(try await first == "OLD")
    #expect(try await served.ask() == "OLD")
    #expect(served.renewals == 1)
    // It is served once it is there after all.
    served.bring("NEW")
    served.endpoint.resolve(served.lease.id, isLocked: false)
    #expect(try await served.ask() == "NEW")
    // What has ended is none.
    served.clock.advance(seconds: 3_600)
    #expect(try await served.askInVain(2) == "503")
    _ = served.endpoint.close(served.lease.id)
  }

  @Test("after renewals in vain a question is answered at once for 2 to 20 s, unless a person has done something meanwhile")
  func delays() async throws {
    let served = try ServedProgram()
    served.clock.advance(seconds: 60)
    #expect(try await served.askInVain(1) == "OLD")
    for (number, delay) in [Int64(2), 4, 8, 16, 20, 20].enumerated() {
      served.clock.advance(seconds: delay - 1)
      #expect(try await served.ask() == "OLD")
      #expect(served.renewals == number + 1)
      served.clock.advance(seconds: 1)
      #expect(try await served.askInVain(number + 2) == "OLD")
    }
    served.endpoint.endPauses()
    #expect(try await served.askInVain(8) == "OLD")
    // From the shortest pause on again.
    served.clock.advance(seconds: 2)
    #expect(try await served.askInVain(9) == "OLD")
    _ = served.endpoint.close(served.lease.id)
  }

  @Test("a locked vault is no failure: the first question after it is unlocked begins a renewal")
  func locked() async throws {
    let served = try ServedProgram()
    served.endpoint.sleep()
    async let first = served.ask()
    try await served.isBegun(1)
    served.endpoint.resolve(served.lease.id, isLocked: true)
    #expect(try await first == "503")
    async let second = served.ask()
    try await served.isBegun(2)
    served.bring("NEW")
    #expect(try await second == "NEW")
    _ = served.endpoint.close(served.lease.id)
  }

  @Test("who waits when the program's lease ends is let go, and the port is closed")
  func closed() async throws {
    let served = try ServedProgram()
    served.clock.advance(seconds: 60)
    async let waiting = served.ask()
    try await served.isBegun(1)
    #expect(served.endpoint.close(served.lease.id) == 1)
    let end: String
    do { end = try await waiting } catch { end = "cut off" }
    #expect(end == "403" || end == "cut off")
    await #expect(throws: LoopbackHTTP.Failure.self) { try await served.ask() }
  }
}
