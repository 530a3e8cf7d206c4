import Foundation
import Glibc

/// The user's service manager (systemd) on a session bus of its own, as far as it starts scope units.
public struct UserManagerServer: Sendable {
  /// How it answers.
  public enum Behaviour: String, Sendable {
    /// Puts the process in a control group of its own.
    case normal
    case refuses
    /// Answers, and does not move the process.
    case forgets
    /// Never answers.
    case silent
  }

  private let bus: KeyringSession
  private let program: RunningProgram
  private let group: String
  public var busAddress: String { bus.busAddress }

  /// Where control groups of version 2 are mounted, if this process may make one there.
  private static let mount: String? = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].first { mount in
    let probe = mount + "/vault-probe-\(getpid())"
    guard access(mount + "/cgroup.procs", F_OK) == 0, mkdir(probe, 0o755) == 0 else { return false }
    return rmdir(probe) == 0
  }
  /// Whether this machine lets a test make control groups.
  public static var isPossible: Bool { mount != nil }

  public init(_ behaviour: Behaviour = .normal) async throws {
    bus = try KeyringSession(.none)
    group = (Self.mount ?? "/nowhere") + "/vault-test-\(UInt32.random(in: 0 ... .max))"
    let script = """
      import os, sys, dbus, dbus.service, dbus.mainloop.glib
      from gi.repository import GLib
      behaviour, group = sys.argv[1:]
      name = "org.freedesktop.systemd1"
      dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
      class Manager(dbus.service.Object):
          @dbus.service.method(name + ".Manager", in_signature="ssa(sv)a(sa(sv))", out_signature="o", async_callbacks=("done", "failed"))
          def StartTransientUnit(self, unit, mode, properties, others, done, failed):
              values = {str(key): value for key, value in properties}
              print(unit, mode, *[int(pid) for pid in values["PIDs"]], flush=True)
              if behaviour == "silent": return
              if behaviour == "refuses": return failed(dbus.DBusException("no", name=name + ".NoSuchUnit"))
              if behaviour == "normal":
                  os.makedirs(group + "/" + unit)
                  for pid in values["PIDs"]: open(group + "/" + unit + "/cgroup.procs", "w").write(str(int(pid)))
              done(dbus.ObjectPath("/org/freedesktop/systemd1/job/1"))
      bus = dbus.SessionBus()
      held = dbus.service.BusName(name, bus)
      manager = Manager(bus, "/org/freedesktop/systemd1")
      print("ready", flush=True)
      GLib.MainLoop().run()
      """
    program = try RunningProgram(
      "/usr/bin/python3", ["-c", script, behaviour.rawValue, group],
      environment: ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "DBUS_SESSION_BUS_ADDRESS": bus.busAddress])
    guard try await program.readLine() == "ready" else { throw KeyringSession.Failure(description: program.errors) }
  }

  /// The next unit that it is asked for: its name, the mode, and its process.
  public func next() async throws -> [String] { try await program.readLine(timeout: 40).split(separator: " ").map(String.init) }

  /// Removes the control groups, whose processes have ended.
  public func clean() {
    for unit in (try? FileManager.default.contentsOfDirectory(atPath: group)) ?? [] where unit.hasSuffix(".scope") {
      rmdir("\(group)/\(unit)")
    }
    rmdir(group)
  }
}
