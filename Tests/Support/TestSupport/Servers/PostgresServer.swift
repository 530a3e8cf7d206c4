import Foundation
import Glibc

/// A real PostgreSQL of its own for one test: a cluster in a temporary folder, on a Unix socket and on a port of loopback.
///
/// It does not run as root, which PostgreSQL refuses: a root starts it as `nobody`. It ends with its last reference.
public final class PostgresServer: Sendable {
  public let folder = TemporaryDirectory()
  public let port: UInt16
  private let server: RunningProgram
  private let programs: String

  /// Logins that the tests use, beside the owner of the database.
  public static let owner = "owner"
  public static let password = "pass word:with\\signs"

  /// - Parameters:
  ///   - certificate: a certificate and its key (PEM); with it loopback takes TLS.
  ///   - settings: more of `postgresql.conf`.
  public init(certificate: (certificate: String, key: String)? = nil, settings: [String] = []) async throws {
    programs = try Self.findPrograms()
    port = try Self.freePort()
    if geteuid() == 0 { chown(folder.path, 65_534, 65_534) }
    let data = folder.file("data")
    try Self.require(
      try await Subprocess.run(
        Self.unprivileged[0],
        Self.unprivileged.dropFirst() + [
          "\(programs)/initdb", "-D", data, "-U", Self.owner, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        ], environment: Self.environment, timeout: 120))
    // By the socket everybody is who he says; by the port with a password.
    let access = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    try access.write(toFile: data + "/pg_hba.conf", atomically: false, encoding: .utf8)
    var settings =
      settings + ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=\(folder.path)", "max_connections=80"]
    if let certificate {
      for (name, text) in [("server.crt", certificate.certificate), ("server.key", certificate.key)] {
        folder.write(text, to: "data/\(name)")
        if geteuid() == 0 { chown("\(data)/\(name)", 65_534, 65_534) }
      }
      settings.append("ssl=on")
    }
    server = try RunningProgram(
      Self.unprivileged[0],
      Self.unprivileged.dropFirst() + ["\(programs)/postgres", "-D", data, "-p", String(port)] + settings.flatMap { ["-c", $0] },
      environment: Self.environment)
    let limit = Date(timeIntervalSinceNow: 60)
    while try await !isReady() {
      guard server.isRunning, Date() < limit else { throw Failed(what: "postgres", errors: server.errors) }
      usleep(50_000)
    }
  }

  deinit {
    // Its children have process groups of their own, and go when it goes in order.
    server.signal(SIGQUIT)
    let limit = Date(timeIntervalSinceNow: 10)
    while server.isRunning, Date() < limit { usleep(5_000) }
  }

  /// The address for a login: by the socket, where nobody is asked for a password.
  public func address(_ user: String) -> String { "postgresql://\(user)@/postgres?host=\(folder.path)&port=\(port)" }

  /// Runs SQL as a login, by `psql`, and gives back what it prints: a line a row, columns parted by `|`.
  @discardableResult
  public func sql(_ text: String, as user: String = PostgresServer.owner) async throws -> String {
    let result = try await run(text, as: user)
    try Self.require(result)
    return result.output.trimmingCharacters(in: .newlines)
  }

  /// The same, whatever comes of it.
  public func run(_ text: String, as user: String) async throws -> Subprocess.Result {
    try await Subprocess.run(
      "\(programs)/psql",
      ["-h", folder.path, "-p", String(port), "-U", user, "-d", "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
      environment: Self.environment, input: text, timeout: 120)
  }

  private func isReady() async throws -> Bool {
    try await Subprocess.run(
      "\(programs)/pg_isready", ["-h", folder.path, "-p", String(port), "-d", "postgres"], environment: Self.environment
    ).succeeded
  }

  private static let environment = ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"]

  private static var unprivileged: [String] {
    geteuid() == 0
      ? ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : ["/usr/bin/env"]
  }

  /// Debian has a folder for each version.
  private static func findPrograms() throws -> String {
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    for version in versions.sorted(by: { (Int($0) ?? 0) > (Int($1) ?? 0) })
    where access("\(root)/\(version)/bin/initdb", X_OK) == 0 {
      return "\(root)/\(version)/bin"
    }
    throw MissingProgram(name: "initdb", searched: root)
  }

  private static func freePort() throws -> UInt16 {
    let listener = try LoopbackListener()
    return listener.port
  }

  private static func require(_ result: Subprocess.Result) throws {
    guard result.succeeded else { throw Failed(what: "a program of PostgreSQL's", errors: result.errors + result.output) }
  }

  public struct Failed: Error, CustomStringConvertible {
    let what: String
    let errors: String
    public var description: String { "\(what): \(errors)" }
  }
}
