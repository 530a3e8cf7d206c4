import VaultModel

/// The start URL of an IAM Identity Center: AWS's own, or a company's own address that redirects to it (a vanity URL).
///
/// It comes from a person or from a redirect: everything after the path is dropped, and only plain characters are accepted.
public struct StartURL: Sendable, Hashable {
  public let address: WebAddress
  /// Without the slash at its end.
  public let text: String

  /// - Returns: nil unless it is an `https` URL, or an `http` URL of this machine, for a mock of AWS.
  public init?(_ text: String) {
    guard let address = WebAddress(String(text.prefix { $0 != "?" && $0 != "#" })) else { return nil }
    guard address.scheme == "https" || address.isLoopback else { return nil }
    var path = address.path[...]
    while path.hasSuffix("/") { path = path.dropLast() }
    // The portal of `NAME.awsapps.com` is at /start. People leave that out.
    if path.isEmpty, address.host.hasSuffix(".awsapps.com") { path = "/start" }
    self.address = address
    self.text = address.origin + path
  }

  /// The hosts that the AWS CLI accepts as AWS's own (`awscli/customizations/sso/resolve.py`). It is a list rather than all of
  /// `amazonaws.com`, below which anyone can have a host: a bucket, a load balancer.
  private static let suffixes = [
    ".awsapps.com", ".awsapps.cn", ".app.aws", ".portal.amazonaws.com", ".portal.amazonaws.com.cn",
  ]
  private static let hosts: Set<String> = ["identitycenter.amazonaws.com", "identitycenter.amazonaws.com.cn"]

  public var isAWS: Bool {
    guard address.scheme == "https", address.port == nil || address.port == 443 else { return false }
    guard address.host.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 0x2D || $0 == 0x2E }) else {
      return false
    }
    return Self.hosts.contains(address.host) || Self.suffixes.contains { address.host.hasSuffix($0) }
  }

  /// The region that the name of AWS's own host contains; nil for a name without one, such as `corp.awsapps.com`.
  public var region: String? {
    guard isAWS else { return nil }
    let labels = address.host.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    var found: String?
    // The forms that the AWS CLI reads: ID.portal.REGION.app.aws, ID.REGION.portal.amazonaws.com and the same in China.
    if labels.count == 5, labels[1] == "portal", labels[3...] == ["app", "aws"] { found = labels[2] }
    if labels.count > 4, labels[2...] == ["portal", "amazonaws", "com"] || labels[2...] == ["portal", "amazonaws", "com", "cn"] {
      found = labels[1]
    }
    // GovCloud and China: start.REGION.us-gov-home.awsapps.com, start.REGION.home.awsapps.cn.
    if labels.count == 5, labels[0] == "start",
      labels[2...] == ["us-gov-home", "awsapps", "com"] || labels[2...] == ["home", "awsapps", "cn"]
    {
      found = labels[1]
    }
    return found.flatMap { Partition.isRegionName($0) ? $0 : nil }
  }

  /// A name for the sign-in: `corp` for `corp.awsapps.com` and for `aws.corp.example`, a directory's ID where the host is the same
  /// for all.
  public var name: String {
    var labels = address.host.split(separator: ".").map(String.init)
    if isAWS {
      let path = text.split(separator: "/").last.map(String.init) ?? ""
      let isShared = Self.hosts.contains(address.host) || labels.first == "start"
      return isShared && !path.isEmpty ? path : labels.first ?? "sso"
    }
    if labels.count < 2 || address.isLoopback { return "sso" }
    labels.removeLast()
    while labels.count > 1, Self.common.contains(labels[0]) { labels.removeFirst() }
    return labels[0]
  }

  /// What companies call the host for this purpose.
  private static let common: Set<String> = ["aws", "sso", "login", "start", "portal", "www", "signin", "awssso", "my"]
}
