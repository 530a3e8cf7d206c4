import VaultModel

/// Where the team's server is: a connection string of libpq's, made safe.
///
/// No secret may stand in it, since every user of the machine sees command lines; and what does not say otherwise is encrypted and checked,
/// but for a server on this machine.
struct ServerAddress {
  /// For libpq; later ones count.
  let parameters: [(name: String, value: String)]
  /// A connection to another machine may go unencrypted or unchecked, because the person says so.
  let isWeak: Bool

  static let secrets: Set<String> = ["password", "sslpassword"]

  /// - Parameter passwords: the file of passwords that the vault's settings name; the address's own counts before it.
  init(_ text: String, passwords: String? = nil) throws {
    guard text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") else {
      throw Failure("\"\(text)\" is no address of a PostgreSQL", hint: "postgresql://USER@HOST:PORT/DATABASE", exitStatus: .usage)
    }
    let given = try Server.parts(of: text)
    if given.contains(where: { Self.secrets.contains($0.name) }) {
      throw Failure(
        "a password must not stand in the address, where every user of the machine sees it",
        hint: "put it in ~/.pgpass (mode 0600), or in a file that `vault config audit_passfile FILE` names",
        exitStatus: .usage)
    }
    func value(_ name: String) -> String? { given.last { $0.name == name }?.value }
    let hosts = (value("host") ?? "").split(separator: ",", omittingEmptySubsequences: false)
    let numbers = (value("hostaddr") ?? "").split(separator: ",", omittingEmptySubsequences: false)
    let service = value("service")
    // A service's file may name any host.
    let isHere = service == nil && hosts.allSatisfy(Self.isHere) && numbers.allSatisfy(Self.isHere)
    let mode = value("sslmode")
    var parameters = [
      ("fallback_application_name", "vault"), ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
    ]
    parameters.append(("tcp_user_timeout", "30000"))
    // Kerberos's own encryption would come before TLS, and proves the server by other means: only where it is asked for.
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

  /// Whether a host is this machine: a Unix socket, or loopback. No name at all is libpq's own socket.
  private static func isHere(_ host: Substring) -> Bool {
    if host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") || host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
