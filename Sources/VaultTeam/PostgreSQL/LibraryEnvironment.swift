import Glibc

/// The variables by which libpq, and the TLS and Kerberos libraries under it, would let an environment say where a password goes and who is
/// believed to be the server. They are taken away before libpq is used: a project's `.env` is not the person's word.
///
/// The place and its TLS come from the address and from the vault's settings alone.
enum LibraryEnvironment {
  /// Beside everything that begins with `PG` (PostgreSQL, "Environment Variables"; openssl-env(7); krb5.conf(5)).
  private static let others: Set<String> = [
    "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "KRB5_CONFIG",
    "KRB5_TRACE", "KRB5_KDC_PROFILE", "GSS_MECH_CONFIG", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "RESOLV_HOST_CONF",
  ]
  /// What somebody may have set because he wants it, and is told of.
  private static let wished = [
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGPASSFILE", "PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE", "PGSSLROOTCERT",
  ]

  static func isTaken(_ name: String) -> Bool { name.hasPrefix("PG") || others.contains(name) }

  /// Takes them out of this process's environment.
  ///
  /// - Returns: those of them that somebody may miss.
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
