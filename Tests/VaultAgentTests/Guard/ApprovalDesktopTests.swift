import Glibc
import Synchronization
import TestSupport
import Testing
import VaultModel

@testable import VaultAgent

/// Where a person is asked to agree, and by what.
struct ApprovalDesktopTests {
  private let folder = TemporaryDirectory()

  /// A socket that listens where systemd puts the user's bus.
  private func listen() throws -> (root: String, listener: Int32) {
    let directory = folder.file("\(geteuid())")
    mkdir(directory, 0o700)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array("\(directory)/bus".utf8)) }
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    try #require(code == 0)
    return (folder.path, listener)
  }

  @Test(
    "the user's bus at its well-known place is asked, whatever the agent was started with; else the one that it was started with")
  func bus() throws {
    let named = ["DBUS_SESSION_BUS_ADDRESS": "unix:path=/named", "XDG_RUNTIME_DIR": "/nonexistent"]
    #expect(ApprovalDesktop(startedIn: named, root: folder.path).bus == "unix:path=/named")
    #expect(ApprovalDesktop(startedIn: [:], root: folder.path).bus == nil)
    let (root, listener) = try listen()
    defer { close(listener) }
    for environment in [named, [:]] {
      let place = ApprovalDesktop(startedIn: environment, root: root)
      #expect(place.bus == "unix:path=\(root)/\(geteuid())/bus")
      #expect(place.display == nil)
    }
  }

  @Test("pinentry gets the agent's own display, bus and search path, and nothing else of who started the agent")
  func display() throws {
    let place = ApprovalDesktop(
      startedIn: [
        "DISPLAY": ":0", "PATH": "/evil", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/b", "HOME": "/h", "LC_ALL": "C",
        "XDG_CONFIG_HOME": "/evil", "VAULT_HOME": "/v",
      ], root: folder.path)
    let text = try #require(place.display).withBytes { String(decoding: $0, as: UTF8.self) }
    #expect(
      Set(text.split(separator: "\0")) == [
        "DISPLAY=:0", "PATH=\(AgentEnvironment.path)", "DBUS_SESSION_BUS_ADDRESS=unix:path=/b", "HOME=/h", "LC_ALL=C",
      ])
    #expect(ApprovalDesktop(startedIn: ["DISPLAY": ""], root: folder.path).display == nil)
  }

  @Test("only a file that root alone can replace asks a person")
  func program() throws {
    #expect(ApprovalDesktop.isRoots("/usr/bin/env"))
    #expect(ApprovalDesktop.program("env")?.hasSuffix("/env") == true)
    #expect(ApprovalDesktop.program("no-such-program") == nil)
    // Its own mode is not enough: another could take its place.
    let file = folder.write("#!/bin/sh\n", to: "pinentry", mode: 0o755)
    #expect(!ApprovalDesktop.isRoots(file))
    #expect(!ApprovalDesktop.isRoots("/usr/bin/no-such-program"))
  }

  @Test("a notification whose service or bus acts by itself is not shown; a person's is, and its button is the answer")
  func automation() async throws {
    let server = try await NotificationServer()
    let place = ApprovalDesktop(startedIn: ["DBUS_SESSION_BUS_ADDRESS": server.busAddress], root: folder.path)
    let clock = FakeClock()
    let ask = ApprovalAsk(
      profile: "prod", roleARN: nil, scope: .none, duration: .default, reason: nil, requester: AgentStage.me, remembered: nil)
    let asked = Mutex<[Int32]>([])
    func channel(refused: @escaping @Sendable (Int32) -> Bool) -> NotificationApproval {
      NotificationApproval(place: place, clock: clock) { pid in
        asked.withLock { if !$0.contains(pid) { $0.append(pid) } }
        return refused(pid)
      }
    }
    let end = clock.now().adding(seconds: 60)
    async let answer = channel { _ in false }.ask(ask, until: end)
    server.press(try await server.next().number)
    #expect(await answer == true)
    let processes = asked.withLock { $0 }
    #expect(processes.count == 2 && processes.allSatisfy { $0 > 0 && $0 != getpid() })
    for pid in processes { #expect(await channel { $0 == pid }.ask(ask, until: end) == nil) }
    #expect(server.shown.count == 1)
  }
}
