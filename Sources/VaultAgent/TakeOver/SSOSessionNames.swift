import VaultModel

/// The sso-sessions for profiles of another program: those that are there for the same start URL and region, else new ones.
struct SSOSessionNames {
  private struct Place: Hashable {
    let startURL: String
    let region: String
  }

  /// The name of the first session for each place.
  private var names: [Place: String] = [:]
  private var taken: Set<String> = []
  /// The sessions that are to be made.
  private(set) var findings: [TakeOverFinding] = []

  init(_ stores: TheirStores) {
    for session in stores.known.values.map(\.section).filter({ $0.kind == .ssoSession }).sorted(by: { $0.name < $1.name }) {
      guard let url = session.text("sso_start_url"), let region = session.text("sso_region") else { continue }
      let place = Place(startURL: Self.canonical(url), region: region)
      if names[place] == nil { names[place] = session.name }
      taken.insert(session.name)
    }
  }

  /// The name of the session for a start URL.
  ///
  /// - Parameters:
  ///   - preferred: the other program's name; nil for the first part of the URL's host.
  ///   - origin: for the finding of a new one.
  mutating func name(startURL: String, region: String, preferred: String? = nil, from origin: String) -> String {
    let url = Self.canonical(startURL)
    let place = Place(startURL: url, region: region)
    if let known = names[place] { return known }
    let base = preferred ?? Self.label(of: url)
    let name = [base, "\(base)-\(region)"].first { !taken.contains($0) } ?? "\(base)-\(region)-\(taken.count)"
    names[place] = name
    taken.insert(name)
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
