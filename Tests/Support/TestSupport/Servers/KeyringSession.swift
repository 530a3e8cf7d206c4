import Glibc
import Synchronization

/// A session bus of its own, with or without gnome-keyring on it, in a temporary home.
///
/// Nothing of the person's own session is touched: own address, own folders, own environment. The programs are Debian's
/// `dbus-daemon`, `gnome-keyring`, `libglib2.0-bin` (gdbus) and `libsecret-tools` (secret-tool).
public final class KeyringSession: Sendable {
  /// What is on the bus at first.
  public enum Service: Sendable {
    /// gnome-keyring, with a login keyring of this password, unlocked.
    case unlocked(password: String)
    /// gnome-keyring as it is activated by the bus, with a login keyring of an empty password.
    case blankPassword
    /// Nothing, and nothing that the bus could start.
    case none
  }

  /// What comes when gnome-keyring wants to ask the person something.
  public enum Prompter: Sendable {
    /// gcr's own, which finds no display and fails at once.
    case withoutDisplay
    /// One that is never ready, as with a person who has left the desk.
    case silent
  }

  /// What went wrong with the session, as opposed to what it tests.
  public struct Failure: Error, CustomStringConvertible {
    /// For the person who reads the test's output.
    public let description: String
  }

  /// Where the bus is.
  public let busAddress: String
  /// The path of the service.
  public static let root = "/org/freedesktop/secrets"
  /// The path of the login keyring, which gnome-keyring makes the default collection.
  public static let login = "/org/freedesktop/secrets/collection/login"
  private static let name = "org.freedesktop.secrets"

  private let home = TemporaryDirectory()
  private let environment: [String: String]
  private let bus: SpawnedProgram
  private let daemon = Mutex<SpawnedProgram?>(nil)

  /// Starts the bus, and the daemon where there is to be one, and returns once they answer.
  public init(_ service: Service, prompter: Prompter = .withoutDisplay) throws {
    for folder in ["run", "data", "data/keyrings", "services"] { mkdir(home.file(folder), 0o700) }
    busAddress = "unix:path=" + home.file("run/bus")
    environment = [
      "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": home.path,
      "XDG_RUNTIME_DIR": home.file("run"), "XDG_DATA_HOME": home.file("data"), "XDG_CONFIG_HOME": home.file("config"),
      "XDG_CACHE_HOME": home.file("cache"), "DBUS_SESSION_BUS_ADDRESS": busAddress,
    ]
    var folders = "<servicedir>\(home.file("services"))</servicedir>"
    if case .none = service {} else { folders += "<servicedir>/usr/share/dbus-1/services</servicedir>" }
    if case .silent = prompter {
      // Never takes the name that it is started for, and ends with the bus.
      home.write(
        "[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\n"
          + "Exec=/bin/sh -c \"touch \(home.file("asked")); exec gdbus wait --session --timeout 60 vault.test.Nobody\"\n",
        to: "services/org.gnome.keyring.SystemPrompter.service")
    }
    if case .blankPassword = service {
      home.write("[keyring]\ndisplay-name=Login\nctime=0\nmtime=0\nlock-on-idle=false\n", to: "data/keyrings/login.keyring")
    }
    let configuration = home.write(
      """
      <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" \
      "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
      <busconfig><type>session</type><listen>\(busAddress)</listen><auth>EXTERNAL</auth>\(folders)
      <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
      """, to: "bus.conf")
    bus = try SpawnedProgram(
      programPath("dbus-daemon"), ["--nofork", "--nopidfile", "--config-file", configuration, "--print-address=1"], environment)
    // The address is written once the bus listens.
    guard bus.readLine() else { throw Failure(description: "dbus-daemon did not start") }
    if case .unlocked(let password) = service { try start(password: password) }
  }

  deinit {
    // What the bus activated ends with it.
    bus.kill()
    daemon.withLock { $0?.kill() }
  }

  /// Starts gnome-keyring with its login keyring unlocked, and waits until it answers. One that runs is killed first.
  public func start(password: String) throws {
    try kill()
    let next = try SpawnedProgram(
      programPath("gnome-keyring-daemon"), ["--foreground", "--components=secrets", "--unlock"], environment)
    next.type(password)
    try run("gdbus", ["wait", "--session", "--timeout", "20", Self.name])
    daemon.withLock { daemon in
      daemon?.kill()
      daemon = next
    }
    // The name is taken before the password is tried.
    let limit = ContinuousClock.now + .seconds(20)
    while try isLocked() {
      guard ContinuousClock.now < limit else { throw Failure(description: "gnome-keyring did not unlock its keyring") }
    }
    guard try owner() == next.pid else { throw Failure(description: "another daemon was started meanwhile") }
  }

  /// Whether the login keyring says that it is locked, or is not there yet.
  public func isLocked() throws -> Bool {
    let answer = try? call(
      at: Self.login, "org.freedesktop.DBus.Properties.Get", "org.freedesktop.Secret.Collection", "Locked")
    return answer?.contains("false") != true
  }

  /// Ends whoever is the Secret Service with SIGKILL, and waits until the bus has noticed. The bus starts another, locked, for the
  /// next who calls.
  public func kill() throws {
    guard let owner = try owner() else { return }
    Glibc.kill(owner, SIGKILL)
    while try self.owner() == owner {}
  }

  /// Waits until a silent prompter has been asked to show something.
  public func waitUntilAsked() throws {
    let limit = ContinuousClock.now + .seconds(20)
    while access(home.file("asked"), F_OK) != 0 {
      guard ContinuousClock.now < limit else { throw Failure(description: "nobody was asked anything") }
      sched_yield()
    }
  }

  /// Whether a silent prompter was asked to show something.
  public var wasAsked: Bool { access(home.file("asked"), F_OK) == 0 }

  /// How many connections the bus has had so far, this question's among them.
  public func connections() throws -> Int {
    let names = try run(
      "gdbus",
      ["call", "--session", "-d", "org.freedesktop.DBus", "-o", "/org/freedesktop/DBus", "-m", "org.freedesktop.DBus.ListNames"])
    return names.split(separator: "'").compactMap { $0.hasPrefix(":1.") ? Int($0.dropFirst(3)) : nil }.max() ?? 0
  }

  /// Stops the service in its tracks: it is there, and answers nobody.
  public func freeze() throws { _ = try signal(SIGSTOP) }

  /// Lets the service go on.
  public func thaw() throws { _ = try signal(SIGCONT) }

  /// Freezes the bus itself.
  public func freezeBus() { Glibc.kill(bus.pid, SIGSTOP) }

  /// Lets the bus go on.
  public func thawBus() { Glibc.kill(bus.pid, SIGCONT) }

  /// Ends the bus.
  public func killBus() {
    bus.kill()
  }

  /// Locks the login keyring.
  public func lock() throws {
    try call("org.freedesktop.Secret.Service.Lock", "['\(Self.login)']")
  }

  /// The answer of a method of the service, as GVariant text.
  @discardableResult
  public func call(at path: String = KeyringSession.root, _ method: String, _ arguments: String...) throws -> String {
    try run("gdbus", ["call", "--session", "--timeout", "20", "-d", Self.name, "-o", path, "-m", method] + arguments)
  }

  /// The paths of the items with this attribute.
  public func items(_ attribute: String, _ value: String, kind: String? = nil) throws -> [String] {
    let more = kind.map { ", 'kind': '\($0)'" } ?? ""
    let answer = try call("org.freedesktop.Secret.Service.SearchItems", "{'\(attribute)': '\(value)'\(more)}")
    return answer.split(separator: "'").filter { $0.hasPrefix("/") }.map { String($0) }
  }

  /// Deletes an item, as a person would in Passwords and Keys.
  public func delete(item path: String) throws {
    try call(at: path, "org.freedesktop.Secret.Item.Delete")
  }

  /// Runs a program in this session, and returns what it printed.
  @discardableResult
  public func run(_ name: String, _ arguments: [String], input: String = "") throws -> String {
    let process = try SpawnedProgram(programPath(name), arguments, environment, errorsToo: true)
    process.type(input)
    let text = process.readAll()
    let status = process.wait()
    guard status == 0 else {
      throw Failure(description: "\(name) \(arguments.joined(separator: " ")): status \(status): \(text)")
    }
    return text
  }

  /// The process that is the Secret Service now.
  private func owner() throws -> pid_t? {
    let address = ["call", "--session", "-d", "org.freedesktop.DBus", "-o", "/org/freedesktop/DBus", "-m"]
    guard try run("gdbus", address + ["org.freedesktop.DBus.NameHasOwner", Self.name]).contains("true") else { return nil }
    let answer = try? run("gdbus", address + ["org.freedesktop.DBus.GetConnectionUnixProcessID", Self.name])
    // "(uint32 4242,)"; gone between the two questions is gone.
    return answer.flatMap { pid_t($0.split(separator: " ").last?.prefix { $0.isNumber } ?? "") }
  }

  private func signal(_ number: Int32) throws -> Bool {
    guard let owner = try owner() else { return false }
    return Glibc.kill(owner, number) == 0
  }
}
