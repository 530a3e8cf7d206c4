import VaultDatabase
import VaultModel

/// A section of a credentials file that holds a profile's current keys.
public struct CredentialsLink: Sendable, Hashable {
  /// Of the file, absolute.
  public var path: String
  /// What the section is called in the file.
  public var section: String
  public var profile: String

  public init(path: String, section: String, profile: String) {
    self.path = path
    self.section = section
    self.profile = profile
  }
}

extension VaultStore {
  public func credentialsLinks() throws -> [CredentialsLink] {
    try database.statement("SELECT path, section, profile FROM credentials_link ORDER BY path, section").begin().rows {
      CredentialsLink(path: $0.text(0), section: $0.text(1), profile: $0.text(2))
    }
  }

  /// Remembers that a file is to have a profile's keys from now on. Again is fine.
  public func add(_ link: CredentialsLink, requester: Requester) throws {
    try change { store in
      try store.database.statement(
        """
        INSERT INTO credentials_link (path, section, profile, created_at) VALUES (?, ?, ?, ?) \
        ON CONFLICT (path, section) DO UPDATE SET profile = excluded.profile
        """
      ).begin().bind(link.path).bind(link.section).bind(link.profile).bind(store.clock.now().milliseconds).run()
      try store.append(Self.event(.credentialsLinked, link, requester))
    }
  }

  /// Forgets it again; nothing happens where it was not so.
  public func remove(_ link: CredentialsLink, requester: Requester) throws {
    try change { store in
      try store.database.statement("DELETE FROM credentials_link WHERE path = ? AND section = ?").begin().bind(link.path)
        .bind(link.section).run()
      guard store.database.changes > 0 else { return }
      try store.append(Self.event(.credentialsUnlinked, link, requester))
    }
  }

  private static func event(_ action: AuditAction, _ link: CredentialsLink, _ requester: Requester) -> AuditEvent {
    var event = AuditEvent(action: action, outcome: .success, trigger: .manual, profile: link.profile, requester: requester)
    event.detail = "[\(link.section)] in \(link.path)"
    return event
  }
}
