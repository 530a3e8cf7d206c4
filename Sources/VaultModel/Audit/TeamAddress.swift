/// Checks of the address of a team's PostgreSQL that need no PostgreSQL library.
public enum TeamAddress {
  public enum Fault: Sendable {
    case notAnAddress
    /// Every user of the machine can see an address on a command line.
    case password
  }

  /// - Returns: why the address cannot be used; nil if only the server can tell.
  public static func fault(in address: String) -> Fault? {
    guard address.hasPrefix("postgresql://") || address.hasPrefix("postgres://"),
      address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return .notAnAddress }
    let behind = address.drop { $0 != "/" }.dropFirst(2)
    let authority = behind.prefix { $0 != "/" && $0 != "?" }
    let user = authority.lastIndex(of: "@").map { authority[..<$0] } ?? ""
    return user.contains(":") || address.contains("password=") ? .password : nil
  }

  /// Whether an entry of a list of trusted endpoints names the address's only host: `postgresql://HOST` or
  /// `postgresql://HOST:PORT`.
  ///
  /// Never true for an address with a query, which may set another host, another port or weaker TLS.
  public static func isTrusted(_ address: String, by entries: String) -> Bool {
    guard fault(in: address) == nil, !address.contains("?"), let place = place(of: address), !place.contains(",") else {
      return false
    }
    return entries.split(whereSeparator: { $0 == " " || $0 == "\t" }).contains { entry in
      guard let trusted = self.place(of: String(entry)) else { return false }
      return trusted == place || trusted + ":5432" == place || trusted == place + ":5432"
    }
  }

  /// `HOST` or `HOST:PORT` of an address; nil if it has none.
  private static func place(of address: String) -> String? {
    guard address.hasPrefix("postgresql://") || address.hasPrefix("postgres://") else { return nil }
    let authority = address.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
    let place = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    return place.isEmpty || place.contains("%") ? nil : place.lowercased()
  }
}
