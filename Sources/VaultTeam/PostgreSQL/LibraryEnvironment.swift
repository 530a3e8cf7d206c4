import Glibc

/// The variables through which the environment could tell libpq, and the TLS and Kerberos libraries under it, where a password goes
/// and which server to trust. They are removed before libpq is used: a project's `.env` does not speak for the user.
///
/// The server's address and TLS settings come only from the connection string and the vault's settings.
enum LibraryEnvironment {
  /// In addition to everything that begins with `PG` (PostgreSQL, "Environment Variables"; openssl-env(7); krb5.conf(5)).
  private static let others: Set<String> = [
    "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "KRB5_CONFIG",
    "KRB5_TRACE", "KRB5_KDC_PROFILE", "GSS_MECH_CONFIG", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "RESOLV_HOST_CONF",
  ]
  /// Variables that a user may have set deliberately; their removal is reported.
  private static let wished = [
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGPASSFILE", "PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE", "PGSSLROOTCERT",
  ]

  static func isTaken(_ name: String) -> Bool { name.hasPrefix("PG") || others.contains(name) }

  /// Removes the variables from this process's environment.
  ///
  /// - Returns: the removed variables that a user may miss.
  static func clear() -> [String] {
    var names: [String] = []
    var entry = environ
    while let text = entry.pointee {
      let name = String(cString: text).prefix { $0 != "=" }
      if isTaken(String(name)) { names.append(String(name)) }
      entry += 1
    }
    for name in names { unsetenv(name) }
    return wished.filter { names.contains($0) }
  }
}
