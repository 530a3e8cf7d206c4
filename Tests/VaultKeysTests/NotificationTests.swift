import Synchronization
import TestSupport
import Testing
import VaultConcurrency

@testable import VaultKeys

extension VaultKeysTests {
  /// Notifications, by a real service on a real bus.
  @Suite("Notifications on a desktop")
  struct NotificationTests {
    private final class Presses: Sendable {
      private let (stream, presses) = AsyncStream.makeStream(of: String.self)
      func button(_ name: String) -> DesktopNotifications.Button { .init("Sign in") { [presses] in presses.yield(name) } }
      func next() async -> String? { await stream.first { _ in true } }
    }

    @Test("a notification shows its text and its button, and only the button's press is one")
    func button() async throws {
      let (server, desktop, presses) = (try await NotificationServer(), DesktopNotifications(), Presses())
      func show(_ name: String, replacing old: UInt32 = 0) throws -> UInt32 {
        try #require(
          desktop.show(
            "vault: app needs you", text: "sign in to <corp> & co", button: presses.button(name), replacing: old,
            on: server.busAddress))
      }
      let first = try show("first")
      let shown = try await server.next()
      #expect(shown.number == Int(first) && shown.title == "vault: app needs you" && shown.text == "sign in to <corp> & co")
      #expect(shown.actions.count == 2 && shown.actions[1] == "Sign in" && shown.replaces == 0)
      let second = try show("second")
      #expect(second != first)
      _ = try await server.next()
      // In the order of the bus: what is not a press comes before what is one, and is not heard.
      server.dismiss(Int(first))
      server.forge(Int(second))
      server.press(Int(second))
      #expect(await presses.next() == "second")
      // One cause is one notification.
      #expect(try show("third", replacing: first) == first)
      #expect(try await server.next().replaces == Int(first))
      server.press(Int(first))
      #expect(await presses.next() == "third")
    }

    @Test("a button that was pressed, or whose cause is over, does nothing; its notification is taken away")
    func once() async throws {
      let (server, desktop, presses) = (try await NotificationServer(), DesktopNotifications(), Presses())
      let numbers = try ["one", "two", "three"].map {
        try #require(desktop.show("t", text: "", button: presses.button($0), on: server.busAddress))
      }
      for _ in numbers { _ = try await server.next() }
      server.press(Int(numbers[0]))
      #expect(await presses.next() == "one")
      server.press(Int(numbers[0]))
      server.press(Int(numbers[1]))
      #expect(await presses.next() == "two")
      desktop.close([numbers[2]])
      #expect(try await server.closed() == "closed \(numbers[2])")
      server.press(Int(numbers[2]))
      let last = try #require(desktop.show("t", text: "", button: presses.button("last"), on: server.busAddress))
      _ = try await server.next()
      server.press(Int(last))
      #expect(await presses.next() == "last")
    }

    @Test("what a service cannot do is left out, and markup is escaped for one that reads it")
    func capabilities() async throws {
      let (server, presses) = (try await NotificationServer(capabilities: "body body-markup"), Presses())
      #expect(
        DesktopNotifications().show(
          "<b>t</b>", text: "<a href=\"x\">&</a>", button: presses.button("x"), on: server.busAddress) != nil)
      let shown = try await server.next()
      #expect(shown.actions.isEmpty && shown.title == "<b>t</b>")
      #expect(shown.text == "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;")
    }

    @Test(
      "a service that is silent or answers something else shows nothing, and costs seconds at most",
      arguments: [NotificationServer.Behaviour.silent, .wrong, .wrongNumber])
    func hostile(_ behaviour: NotificationServer.Behaviour) async throws {
      let (server, desktop, presses) = (try await NotificationServer(behaviour), DesktopNotifications(), Presses())
      let start = ContinuousClock.now
      #expect(desktop.show("t", text: "", button: presses.button("x"), on: server.busAddress) == nil)
      #expect(start.duration(to: .now) < .seconds(10))
    }

    @Test("without a service, or on a bus that is none or not the user's, nothing is shown")
    func missing() throws {
      let session = try KeyringSession(.none)
      for address in [session.busAddress, "unix:path=/nonexistent", "tcp:host=127.0.0.1,port=1", "unixexec:path=/bin/true", ""] {
        #expect(DesktopNotifications().show("t", text: "", on: address) == nil, "\(address)")
      }
    }
  }
}
