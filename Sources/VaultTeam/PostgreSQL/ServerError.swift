import VaultModel

/// Errors of the team's server.
enum ServerError: ReportableError, Hashable {
  /// It cannot be reached, or the connection broke; can be retried.
  case lost(String)
  /// It is up but accepts no more at the moment; can be retried.
  case busy(String)
  /// It refuses the connection, or is not the expected server.
  case refused(String, needsPassword: Bool)
  /// The login lacks the permission.
  case forbidden(String)
  /// The tables do not exist.
  case noSchema
  /// A row that does not follow the server's last row.
  case unchained(String)
  /// Another client added the same rows meanwhile.
  case taken
  case other(state: String, said: String)
  case address(String)
  /// An answer that no server with this schema gives.
  case senseless
  case outOfMemory

  /// A failed connection. libpq's messages are English unless `setlocale` was called, and it has no error code for this.
  init(connecting said: String, needsPassword: Bool) {
    if needsPassword {
      self = .refused(said, needsPassword: true)
    } else if said.contains("FATAL:") {
      let isPassing = ["starting up", "shutting down", "too many", "remaining connection slots", "in recovery"].contains {
        said.contains($0)
      }
      self = isPassing ? .busy(said) : .refused(said, needsPassword: false)
    } else if said.contains("certificate") || said.contains("does not support SSL") || said.contains("SSL error: tls")
      || said.contains("invalid ")
    {
      self = .refused(said, needsPassword: false)
    } else {
      self = .lost(said)
    }
  }

  /// A failed statement (PostgreSQL, Appendix A: "PostgreSQL Error Codes").
  init(state: String, said: String) {
    switch state {
    case "42501": self = .forbidden(said)
    case "3F000", "42P01", "42703": self = .noSchema
    case "23503", "23514", "23502": self = .unchained(said)
    case "23505": self = .taken
    case "40001", "40P01", "55P03": self = .busy(said)
    case _ where state.hasPrefix("53"): self = .busy(said)
    case _ where state.hasPrefix("08") || state.hasPrefix("57P"): self = .lost(said)
    default: self = .other(state: state, said: said)
    }
  }

  /// Whether a retry may succeed.
  var isPassing: Bool {
    switch self {
    case .lost, .busy, .taken: true
    default: false
    }
  }

  var message: String {
    switch self {
    case .lost(let said): "the team's server cannot be reached: \(said)"
    case .busy(let said): "the team's server is busy: \(said)"
    case .refused(let said, _): "cannot agree on a connection with the team's server: \(said)"
    case .forbidden(let said): "the team's server does not allow it: \(said)"
    case .noSchema: "the server lacks the tables for a team's audit logs, or has those of another version"
    case .unchained(let said): "the team's server rejected a row: \(said)"
    case .taken: "another program is shipping this log at the same time"
    case .other(let state, let said): "the team's server failed (\(state)): \(said)"
    case .address(let said): "that is not a PostgreSQL address: \(said)"
    case .senseless: "unexpected response from the team's server"
    case .outOfMemory: "not enough memory for a connection"
    }
  }

  var hint: String? {
    switch self {
    case .refused(_, needsPassword: true):
      "put the password in ~/.pgpass (mode 0600), or in the file set with `vault config audit_passfile FILE`; never in the address"
    case .refused(let said, _) where said.contains("certificate"):
      "put the authority's certificate in ~/.postgresql/root.crt, or name it with sslrootcert= in the address"
    case .refused(let said, _) where said.contains("permission denied for database"):
      "is the login a member of vault_shipper, or vault_reader? (docs/team-audit.md)"
    case .forbidden: "is the login a member of vault_shipper, or vault_reader? (docs/team-audit.md)"
    case .noSchema: "the database's owner creates them: vault audit ship --print-schema | psql …"
    case .unchained: "`vault audit verify` checks the log here, `vault audit verify --from` the copy there"
    case .address: "postgresql://USER@HOST:PORT/DATABASE"
    default: nil
    }
  }

  var exitStatus: ExitStatus {
    switch self {
    case .lost, .other: .unavailable
    case .busy, .taken: .temporary
    case .refused, .forbidden: .refused
    case .noSchema: .configuration
    case .unchained, .senseless: .badData
    case .address: .usage
    case .outOfMemory: .software
    }
  }
}
