import VaultModel

/// The team's server: a libpq connection string, made safe.
///
/// It must not contain a secret, since command lines are visible to every user of the machine. Unless it says otherwise, the
/// connection is encrypted and verified, except to a server on this machine.
struct ServerAddress {
  /// For libpq; later parameters take precedence.
  let parameters: [(name: String, value: String)]
  /// Whether the user allows an unencrypted or unverified connection to another machine.
  let isWeak: Bool

  static let secrets: Set<String> = ["password", "sslpassword"]

  /// - Parameter passwords: the password file from the vault's settings; one in the address takes precedence.
  init(_ text: String, passwords: String? = nil) throws {
    guard text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") else {
      throw Failure("\"\(text)\" is not a PostgreSQL address", hint: "postgresql://USER@HOST:PORT/DATABASE", exitStatus: .usage)
    }
    let given = try Server.parts(of: text)
    if given.contains(where: { Self.secrets.contains($0.name) }) {
      throw Failure(
        "the address must not contain a password: every user of the machine could see it",
        hint: "put it in ~/.pgpass (mode 0600), or in the file set with `vault config audit_passfile FILE`",
        exitStatus: .usage)
    }
    func value(_ name: String) -> String? { given.last { $0.name == name }?.value }
    let hosts = (value("host") ?? "").split(separator: ",", omittingEmptySubsequences: false)
    let numbers = (value("hostaddr") ?? "").split(separator: ",", omittingEmptySubsequences: false)
    let service = value("service")
    // A service file may name any host.
    let isHere = service == nil && hosts.allSatisfy(Self.isHere) && numbers.allSatisfy(Self.isHere)
    let mode = value("sslmode")
    var parameters = [
      ("fallback_application_name", "vault"), ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
    ]
    parameters.append(("tcp_user_timeout", "30000"))
    // Kerberos's own encryption would take precedence over TLS and authenticates the server by other means, so it is used only on
    // request.
    if value("gssencmode") == nil { parameters.append(("gssencmode", "disable")) }
    if let passwords, value("passfile") == nil { parameters.append(("passfile", passwords)) }
    parameters += given.map { ($0.name, $0.value) }
    if mode == nil, !isHere { parameters.append(("sslmode", "verify-full")) }
    parameters.append(("client_encoding", "UTF8"))
    let seconds = value("connect_timeout").flatMap { Int($0) } ?? 10
    parameters.append(("connect_timeout", String(min(max(seconds, 2), 30))))
    self.parameters = parameters.map { (name: $0.0, value: $0.1) }
    isWeak = !isHere && ["disable", "allow", "prefer", "require"].contains(mode ?? "verify-full")
  }

  /// Whether a host is this machine: a Unix socket, or loopback. An empty name means libpq's default socket.
  private static func isHere(_ host: Substring) -> Bool {
    if host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") || host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
