import Glibc
import TestSupport
import Testing
import VaultKeys

/// The program that the tests run as another process; it is built beside them.
enum KeyStoreProbe {
  static func path() throws -> String {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = buffer.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, $0.count)
    }
    let tests = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    let path = tests[..<(tests.lastIndex(of: "/") ?? tests.endIndex)] + "/KeyStoreProbe"
    guard access(String(path), X_OK) == 0 else { throw SpawnedProgram.Failure(description: "\(path) is not built") }
    return String(path)
  }

  static func run(_ arguments: [String], _ environment: [String: String], under: [String] = []) throws -> (Int32, String) {
    let words = under + [try path()] + arguments
    let program = try SpawnedProgram(
      words[0].hasPrefix("/") ? words[0] : programPath(words[0]), Array(words.dropFirst()), environment)
    let text = program.readAll()
    return (program.wait(), text)
  }
}

extension VaultKeysTests {
  @Suite("As a process of its own")
  struct ProbeTests {
    @Test("the bus is found through the environment")
    func environmentBus() throws {
      let session = try KeyringSession(.unlocked(password: "pw"))
      let (status, text) = try KeyStoreProbe.run(["list", "vlt_test"], ["DBUS_SESSION_BUS_ADDRESS": session.busAddress])
      #expect(status == 0 && text.isEmpty)
      let folder = session.busAddress.dropFirst("unix:path=".count).dropLast("/bus".count)
      let (again, silence) = try KeyStoreProbe.run(["list", "vlt_test"], ["XDG_RUNTIME_DIR": String(folder)])
      #expect(again == 0 && silence.isEmpty)
    }

    @Test("without a bus, or a display to start one on, it says so and starts none")
    func noBus() throws {
      for environment in [[:], ["DISPLAY": ":99"], ["XDG_RUNTIME_DIR": "/nonexistent"], ["DBUS_SESSION_BUS_ADDRESS": ""]] {
        let (status, text) = try KeyStoreProbe.run(["list", "vlt_test"], environment)
        #expect(status == 69 && text.hasPrefix("no D-Bus session bus"), "\(environment): \(status) \(text)")
      }
    }

    @Test("locked memory is noticed, and so is its absence")
    func lockedMemory() throws {
      #expect(try KeyStoreProbe.run(["memory"], [:]) == (0, "true\n"))
      // Root locks memory whatever the limit, as long as it has the capability.
      let drop = geteuid() == 0 ? [try programPath("setpriv"), "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"] : []
      let without = [try programPath("prlimit"), "--memlock=0:0"] + drop
      #expect(try KeyStoreProbe.run(["memory"], [:], under: without) == (0, "false\n"))
    }
  }
}
