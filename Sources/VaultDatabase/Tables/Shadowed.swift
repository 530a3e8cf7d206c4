import VaultModel

/// A section of a watched file that is ignored because the vault manages a profile of this name.
public struct ShadowedSection: Sendable, Hashable {
  public let profile: String
  /// `~/.aws/config:3`
  public let place: String
}

/// Stored as one setting of the vault, which the next import rewrites.
public enum ShadowedRows {
  private static let name = "import.shadowed"

  /// - Parameter profiles: the names of the ignored sections.
  public static func keep(_ profiles: [String], of sections: [ConfigSection], in database: Database) throws {
    let names = Set(profiles)
    let lines = sections.filter { $0.kind == .profile && names.contains($0.name) }.map { section in
      "\(section.settings.first?.origin.description ?? "an AWS config file")\t\(section.name)"
    }
    try database.statement("DELETE FROM setting WHERE name = ?").begin().bind(name).run()
    guard !lines.isEmpty else { return }
    try database.statement("INSERT INTO setting (name, value) VALUES (?, ?)").begin().bind(name)
      .bind(lines.joined(separator: "\n")).run()
  }

  static func all(in database: Database) throws -> [ShadowedSection] {
    let text = try database.statement("SELECT value FROM setting WHERE name = ?").begin().bind(name).first { $0.text(0) }
    return (text ?? "").split(separator: "\n").compactMap { line in
      let parts = line.split(separator: "\t", maxSplits: 1)
      return parts.count == 2 ? ShadowedSection(profile: String(parts[1]), place: String(parts[0])) : nil
    }
  }
}

extension WatchedFile {
  /// The same, but unlike any file: it is read again with the next request.
  public var asChanged: WatchedFile {
    WatchedFile(path: path, role: role, home: home, identity: FileIdentity(device: -1, inode: -1, size: -1, mtime: -1))
  }
}

extension VaultReader {
  /// Sections of watched files that are ignored because the vault manages profiles of their names.
  public func shadowedSections() throws -> [ShadowedSection] {
    guard let database else { return [] }
    let own = Set(
      try database.statement("SELECT name FROM profile WHERE is_own = 1 AND removed_at IS NULL").begin().rows { $0.text(0) })
    return try ShadowedRows.all(in: database).filter { own.contains($0.profile) }
  }
}
