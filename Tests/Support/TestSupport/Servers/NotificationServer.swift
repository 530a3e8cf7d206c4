import Foundation

/// A notification service on a session bus of its own, which tells what it shows and presses its buttons when told to.
public struct NotificationServer: Sendable {
  /// How it answers.
  public enum Behaviour: String, Sendable {
    case normal
    /// Never answers `Notify`.
    case silent
    /// Answers everything, with other types.
    case wrong
    /// Answers `Notify` with a text.
    case wrongNumber
  }

  /// What it was told to show.
  public struct Notification: Decodable, Sendable {
    public let number: Int
    public let replaces: Int
    public let title: String
    public let text: String
    /// Keys and labels by turns.
    public let actions: [String]
  }

  private let bus: KeyringSession
  private let program: RunningProgram
  public var busAddress: String { bus.busAddress }

  public init(_ behaviour: Behaviour = .normal, capabilities: String = "body actions") async throws {
    bus = try KeyringSession(.none)
    let script = """
      import json, os, sys, threading, time, dbus, dbus.service, dbus.mainloop.glib
      from gi.repository import GLib
      behaviour, capabilities = sys.argv[1], sys.argv[2].split()
      name = "org.freedesktop.Notifications"
      dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
      keys = {}
      class Service(dbus.service.Object):
          @dbus.service.method(name)
          def GetCapabilities(self):
              return dbus.UInt32(1) if behaviour == "wrong" else dbus.Array(capabilities, signature="s")
          @dbus.service.method(name, in_signature="susssasa{sv}i", async_callbacks=("done", "failed"))
          def Notify(self, app, replaces, icon, title, text, actions, hints, timeout, done, failed):
              number = int(replaces) or len(keys) + 1
              keys[number] = [str(key) for key in actions[::2]]
              print(json.dumps(dict(number=number, replaces=int(replaces), title=title, text=text, actions=list(actions))), flush=True)
              if behaviour != "silent": done("x" if behaviour == "wrongNumber" else dbus.UInt32(number))
          @dbus.service.method(name, in_signature="u")
          def CloseNotification(self, number): print(json.dumps("closed %d" % number), flush=True)
          @dbus.service.signal(name, signature="us")
          def ActionInvoked(self, number, key): pass
          @dbus.service.signal(name, signature="uu")
          def NotificationClosed(self, number, reason): pass
      bus = dbus.SessionBus()
      held = dbus.service.BusName(name, bus)
      service = Service(bus, "/org/freedesktop/Notifications")
      def act(word, number):
          if word == "die": os._exit(0)
          if word == "hang": time.sleep(1000)
          if word.startswith("press"): service.ActionInvoked(number, keys[number][int(word[5:])])
          if word == "forge": service.ActionInvoked(number, "default")
          service.NotificationClosed(number, 2)
      def listen():
          for line in sys.stdin:
              word, number = line.split()
              GLib.idle_add(act, word, int(number))
      threading.Thread(target=listen, daemon=True).start()
      print("ready", flush=True)
      GLib.MainLoop().run()
      """
    program = try RunningProgram(
      "/usr/bin/python3", ["-c", script, behaviour.rawValue, capabilities],
      environment: ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "DBUS_SESSION_BUS_ADDRESS": bus.busAddress])
    guard try await program.readLine() == "ready" else { throw KeyringSession.Failure(description: program.errors) }
  }

  /// The next notification that it is told to show.
  public func next() async throws -> Notification {
    try JSONDecoder().decode(Notification.self, from: Data(try await program.readLine(timeout: 40).utf8))
  }

  /// The numbers of all that it was told to show so far.
  public var shown: [Int] {
    program.output.split(separator: "\n").compactMap {
      try? JSONDecoder().decode(Notification.self, from: Data($0.utf8)).number
    }
  }

  /// Waits until it is told to take a notification away.
  public func closed() async throws -> String {
    try JSONDecoder().decode(String.self, from: Data(try await program.readLine().utf8))
  }

  /// Presses a button, as the person does. The notification then goes.
  public func press(_ number: Int, button: Int = 0) { program.send("press\(button) \(number)\n") }
  /// Ends as a program that crashes.
  public func die() { program.send("die 0\n") }
  /// Answers nothing from then on.
  public func hang() { program.send("hang 0\n") }
  /// Says that a button was pressed that the notification does not have.
  public func forge(_ number: Int) { program.send("forge \(number)\n") }
  /// Closes it, as the person does.
  public func dismiss(_ number: Int) { program.send("close \(number)\n") }
}
