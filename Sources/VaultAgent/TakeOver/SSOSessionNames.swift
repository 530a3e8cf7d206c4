import VaultModel

/// The sso-sessions for profiles of another program: those that are there for the same start URL and region, else new ones.
struct SSOSessionNames {
  private var sessions: [(name: String, startURL: String, region: String)]
  /// The sessions that are to be made.
  private(set) var findings: [TakeOverFinding] = []

  init(_ stores: TheirStores) {
    sessions = stores.known.values.map(\.section).filter { $0.kind == .ssoSession }.sorted { $0.name < $1.name }.compactMap {
      guard let url = $0.text("sso_start_url"), let region = $0.text("sso_region") else { return nil }
      return ($0.name, Self.canonical(url), region)
    }
  }

  /// The name of the session for a start URL.
  ///
  /// - Parameters:
  ///   - preferred: the other program's name; nil for the first part of the URL's host.
  ///   - origin: for the finding of a new one.
  mutating func name(startURL: String, region: String, preferred: String? = nil, from origin: String) -> String {
    let url = Self.canonical(startURL)
    if let known = sessions.first(where: { $0.startURL == url && $0.region == region }) { return known.name }
    let base = preferred ?? Self.label(of: url)
    let taken = Set(sessions.map(\.name))
    let name = [base, "\(base)-\(region)"].first { !taken.contains($0) } ?? "\(base)-\(region)-\(sessions.count)"
    sessions.append((name, url, region))
    findings.append(
      .section(
        .ssoSession, name,
        settings: [("sso_start_url", url), ("sso_region", region), ("sso_registration_scopes", "sso:account:access")],
        from: origin))
    return name
  }

  /// Granted takes a URL with and without a slash at its end for the same.
  private static func canonical(_ url: String) -> String { url.hasSuffix("/") ? String(url.dropLast()) : url }

  /// `corp` of `https://corp.awsapps.com/start`
  private static func label(of url: String) -> String {
    let host = url.split(separator: "/", omittingEmptySubsequences: true).dropFirst().first ?? ""
    let label = host.prefix { $0 != "." && $0 != ":" }
    return label.isEmpty ? "sso" : String(label)
  }
}
