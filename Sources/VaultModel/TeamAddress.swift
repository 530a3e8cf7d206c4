/// What can be seen of the address of a team's PostgreSQL without the library that connects to it.
public enum TeamAddress {
  public enum Fault: Sendable {
    case notAnAddress
    /// Every user of the machine sees an address on a command line.
    case password
  }

  /// - Returns: why an address is not to be used; nil where only the server can tell.
  public static func fault(in address: String) -> Fault? {
    guard address.hasPrefix("postgresql://") || address.hasPrefix("postgres://"),
      address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return .notAnAddress }
    let behind = address.drop { $0 != "/" }.dropFirst(2)
    let authority = behind.prefix { $0 != "/" && $0 != "?" }
    let user = authority.lastIndex(of: "@").map { authority[..<$0] } ?? ""
    return user.contains(":") || address.contains("password=") ? .password : nil
  }
}
