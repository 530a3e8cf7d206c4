import VaultDatabase
import VaultModel
import VaultSecrets

/// A section of a credentials file that holds a profile's current keys.
public struct CredentialsLink: Sendable, Hashable {
  /// The absolute path of the file.
  public var path: String
  /// The section's name in the file.
  public var section: String
  public var profile: String
  /// What the keys are narrowed to.
  public var scope: SessionScope { didSet { scopeText = scope.stored } }
  /// The scope as its row has it, and as the row's MAC covers it.
  private(set) var scopeText: String?

  public init(path: String, section: String, profile: String, scope: SessionScope = .none) {
    self.path = path
    self.section = section
    self.profile = profile
    self.scope = scope
    scopeText = scope.stored
  }

  /// - Parameter stored: the scope of a row.
  fileprivate init(path: String, section: String, profile: String, stored: String?) {
    self.init(path: path, section: section, profile: profile, scope: SessionScope(stored: stored) ?? .none)
    scopeText = SessionScope.covered(stored)
  }
}

extension VaultStore {
  public func credentialsLinks() throws -> [CredentialsLink] {
    try linkRows().map(\.link)
  }

  /// The links that are kept current, and those that another program added.
  ///
  /// - Throws: `StoreError.locked`; `RowError` if links may have been removed, or older ones put back.
  public func provenLinks() throws -> (links: [CredentialsLink], foreign: [RowError]) {
    let macs = try authenticRows()
    var links: [CredentialsLink] = []
    var foreign: [RowError] = []
    for (link, code) in try linkRows() {
      if macs.fits(code, RowForm(link)) {
        links.append(link)
      } else {
        foreign.append(.credentialsLink(path: link.path, section: link.section))
      }
    }
    return (links, foreign)
  }

  func linkRows() throws -> [(link: CredentialsLink, code: [UInt8]?)] {
    try database.statement("SELECT path, section, profile, scope, mac FROM credentials_link ORDER BY path, section").begin().rows
    {
      (
        CredentialsLink(path: $0.text(0), section: $0.text(1), profile: $0.text(2), stored: $0.optionalText(3)),
        $0.isNull(4) ? nil : $0.blob(4)
      )
    }
  }

  /// The AWS settings from the variables of the user who linked a file, if set: later agents have no other source for them.
  public func environment(of link: CredentialsLink) throws -> [String: String] {
    try setting(Self.variables(of: link)).map(Self.environment) ?? [:]
  }

  private static func variables(of link: CredentialsLink) -> String { "link.\(link.path)\n\(link.section)" }

  /// Records that a file holds a profile's keys from now on. May be repeated.
  ///
  /// - Parameter environment: its AWS variables are recorded too.
  public func add(_ link: CredentialsLink, environment: [String: String] = [:], requester: Requester) throws {
    let macs = try authenticRows()
    try change { store in
      try store.database.statement(
        """
        INSERT INTO credentials_link (path, section, profile, scope, created_at, mac) VALUES (?, ?, ?, ?, ?, ?) \
        ON CONFLICT (path, section) DO UPDATE SET profile = excluded.profile, scope = excluded.scope, mac = excluded.mac
        """
      ).begin().bind(link.path).bind(link.section).bind(link.profile).bind(link.scope.stored)
        .bind(store.clock.now().milliseconds).bind(macs.code(RowForm(link))).run()
      let variables = Self.text(of: environment.filter { $0.key.hasPrefix("AWS_") })
      try store.set(Self.variables(of: link), variables.isEmpty ? nil : variables)
      try store.bindRows(Self.event(.credentialsLinked, of: link, requester: requester))
    }
  }

  /// Removes a link; does nothing if there is none.
  public func remove(_ link: CredentialsLink, requester: Requester) throws {
    _ = try authenticRows()
    try change { store in
      try store.database.statement("DELETE FROM credentials_link WHERE path = ? AND section = ?").begin().bind(link.path)
        .bind(link.section).run()
      guard store.database.changes > 0 else { return }
      try store.set(Self.variables(of: link), nil)
      try store.bindRows(Self.event(.credentialsUnlinked, of: link, requester: requester))
    }
  }

  private static func event(_ action: AuditAction, of link: CredentialsLink, requester: Requester) -> AuditEvent {
    var event = AuditEvent(action: action, outcome: .success, trigger: .manual, profile: link.profile, requester: requester)
    event.detail = "[\(link.section)] in \(link.path)"
    event.scope = link.scope.shown
    return event
  }
}
