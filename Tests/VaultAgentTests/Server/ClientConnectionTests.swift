import Glibc
import TestSupport
import Testing
import VaultModel
import VaultWire

@testable import VaultAgent

/// Long results to a client that reads slowly.
struct ClientConnectionTests {
  private static let count = 200
  private static let entry = String(repeating: "x", count: 8_000)

  private func pair() throws -> (connection: ClientConnection, client: Channel) {
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    return (ClientConnection(descriptor: ends[0], pid: getpid(), uid: getuid()), Channel(descriptor: ends[1]))
  }

  private func send(_ connection: ClientConnection, _ clock: FakeClock) async -> String? {
    do {
      for _ in 0..<Self.count { try await connection.send(entry: Self.entry, clock) }
      return nil
    } catch {
      return Failure(error).message
    }
  }

  @Test("a result that is longer than the socket's buffer waits for its reader")
  func slow() async throws {
    let (connection, client) = try pair()
    let clock = FakeClock()
    async let fault = send(connection, clock)
    while clock.sleeping == 0 { await Task.yield() }
    for _ in 0..<Self.count {
      var message: Message?
      while message == nil {
        message = try client.receive(within: 0)
        guard message == nil else { break }
        clock.advance(seconds: 1)
        await Task.yield()
      }
      let entry: String = try #require(message).value()
      #expect(message?.kind == .entry && entry == Self.entry)
    }
    #expect(await fault == nil && connection.isOpen)
  }

  @Test("a client that reads nothing is waited for a limited time, and is then disconnected")
  func stuck() async throws {
    let (connection, client) = try pair()
    let clock = FakeClock()
    async let fault = send(connection, clock)
    while clock.sleeping == 0 { await Task.yield() }
    clock.advance(seconds: 11)
    #expect(await fault == Failure(WireError.closed).message && !connection.isOpen)
    _ = client
  }
}
