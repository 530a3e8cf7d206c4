import VaultModel

/// Who AWS says was refused, read from an ARN (IAM User Guide, "IAM identifiers").
public struct CallerName: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    case user(String)
    /// A session of a role that IAM Identity Center made for a permission set: `AWSReservedSSO_NAME_0123456789abcdef`.
    case permissionSet(String)
    case role(String)
    case root
    /// A session of `GetFederationToken`.
    case federated(String)
  }

  public let arn: String
  public let partition: String
  public let account: String
  public let kind: Kind
  /// The name of the session, of a role.
  public let session: String?

  /// - Returns: nil for what is no ARN of a user, a role or a session.
  public init?(_ arn: String) {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, parts[0] == "arn", parts[2] == "iam" || parts[2] == "sts" else { return nil }
    let names = parts[5].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    switch names.first {
    case "user" where names.count > 1: kind = .user(names[names.count - 1])
    case "role" where names.count > 1: kind = Self.role(names[names.count - 1])
    case "assumed-role" where names.count > 1: kind = Self.role(names[1])
    case "federated-user" where names.count > 1: kind = .federated(names[1])
    case "root": kind = .root
    default: return nil
    }
    self.arn = arn
    (partition, account) = (parts[1], parts[4])
    session = names[0] == "assumed-role" && names.count > 2 ? names[2] : nil
  }

  private static func role(_ name: String) -> Kind { permissionSet(role: name).map { .permissionSet($0) } ?? .role(name) }

  /// The permission set of a role of IAM Identity Center (its user guide, "Referencing permission sets").
  public static func permissionSet(role name: String) -> String? {
    let prefix = "AWSReservedSSO_"
    guard name.hasPrefix(prefix) else { return nil }
    let rest = name.dropFirst(prefix.count)
    guard let end = rest.lastIndex(of: "_"), end > rest.startIndex else { return nil }
    return String(rest[..<end])
  }

  /// The caller in words.
  public var words: String {
    switch kind {
    case .user(let name): "the IAM user \(name)"
    case .permissionSet(let name): "the permission set \(name)" + (session.map { " (\($0))" } ?? "")
    case .role(let name): "the role \(name)" + (session.map { " (session \($0))" } ?? "")
    case .root: "the root user"
    case .federated(let name): "the federated user \(name)"
    }
  }

  /// The caller without its session.
  var shortWords: String {
    switch kind {
    case .permissionSet(let name): "the permission set \(name)"
    case .role(let name): "the role \(name)"
    default: words
    }
  }
}
