import VaultModel

/// Sessions, from fifteen columns in the order of the table.
public enum SessionRows {
  public static func read(_ row: Statement, from first: Int32, profile: String) throws -> SessionRecord {
    guard let kind = SessionKind(rawValue: row.text(first + 2)) else {
      throw DatabaseError.badRow(table: "session", what: row.text(first))
    }
    return SessionRecord(
      id: row.text(first), profile: profile, kind: kind, fingerprint: row.text(first + 3), roleARN: row.optionalText(first + 4),
      roleSessionName: row.optionalText(first + 5), sourceIdentity: row.optionalText(first + 6), accessKeyId: row.text(first + 7),
      issuedAt: Timestamp(milliseconds: row.int(first + 8)), expiresAt: Timestamp(milliseconds: row.int(first + 9)),
      endedAt: row.optionalInt(first + 10).map { Timestamp(milliseconds: $0) },
      endReason: row.optionalText(first + 11).flatMap { SessionEnd(rawValue: $0) }, replacedBy: row.optionalText(first + 12),
      deliveries: row.int(first + 13), lastUsedAt: row.optionalInt(first + 14).map { Timestamp(milliseconds: $0) })
  }
}

/// Master keys, oldest first.
public enum KeyRows {
  public static func all(in database: Database) throws -> [KeyRecord] {
    try database.statement("SELECT key_id, state, store, key_check, created_at FROM master_key ORDER BY created_at, rowid")
      .begin().rows { row in
        guard let id = KeyID(bytes: row.blob(0)), let state = KeyRecord.State(rawValue: row.text(1)) else {
          throw DatabaseError.badRow(table: "master_key", what: "its name or state")
        }
        return KeyRecord(
          id: id, state: state, store: row.text(2), check: row.isNull(3) ? nil : row.blob(3),
          createdAt: Timestamp(milliseconds: row.int(4)))
      }
  }
}

/// Access keys that have not been removed, by name.
public enum AccessKeyRows {
  public static func all(in database: Database) throws -> [AccessKeyRecord] {
    try database.statement(
      "SELECT id, name, access_key_id, mfa_serial, origin, created_at FROM access_key WHERE removed_at IS NULL ORDER BY name"
    ).begin().rows(read)
  }

  /// Reads the first six columns, in the order of ``all(in:)``.
  public static func read(_ row: Statement) -> AccessKeyRecord {
    AccessKeyRecord(
      id: row.text(0), name: row.text(1), accessKeyId: row.text(2), mfaSerial: row.optionalText(3), origin: row.text(4),
      createdAt: Timestamp(milliseconds: row.int(5)))
  }
}

/// Watched files, in the order in which they were imported.
public enum FollowedRows {
  public static func all(in database: Database) throws -> [WatchedFile] {
    try database.statement("SELECT path, role, home, device, inode, size, mtime FROM followed_file ORDER BY position").begin()
      .rows { row in
        guard let role = WatchedFile.Role(rawValue: row.text(1)) else {
          throw DatabaseError.badRow(table: "followed_file", what: row.text(0))
        }
        return WatchedFile(
          path: row.text(0), role: role, home: row.optionalText(2),
          identity: FileIdentity(device: row.int(3), inode: row.int(4), size: row.int(5), mtime: row.int(6)))
      }
  }
}

/// A stored section with its MAC.
public struct StoredSection: Sendable {
  public var section: ConfigSection
  /// Whether the vault manages it itself.
  public var isOwn: Bool
  /// The file of a profile, as shown.
  public var origin: String?
  /// Nil if it was not written with the vault's key.
  public var code: [UInt8]?
}

/// Sections and their settings.
public enum SettingRows {
  /// A section with its MAC; nil if there is none. For migrated tables.
  public static func stored(_ kind: SectionKind, _ name: String, in database: Database) throws -> StoredSection? {
    guard let section = try section(kind, name, in: database) else { return nil }
    let row =
      kind == .profile
      ? try database.statement("SELECT is_own, mac, origin FROM profile WHERE name = ?").begin().bind(name)
      : try database.statement("SELECT is_own, mac FROM shared_section WHERE kind = ? AND name = ?").begin().bind(kind.rawValue)
        .bind(name)
    return try row.first { row in
      StoredSection(
        section: section, isOwn: row.int(0) != 0, origin: kind == .profile ? row.text(2) : nil,
        code: row.isNull(1) ? nil : row.blob(1))
    }
  }

  /// The section of a kind and name; nil if there is none.
  public static func section(_ kind: SectionKind, _ name: String, in database: Database) throws -> ConfigSection? {
    let owner: Int64?
    let settings: [Setting]
    if kind == .profile {
      owner = try database.statement("SELECT id FROM profile WHERE name = ? AND removed_at IS NULL").begin().bind(name).first {
        $0.int(0)
      }
      guard let owner else { return nil }
      settings = try read(
        database.statement("SELECT name, nested, value, file, line FROM setting_line WHERE profile_id = ? ORDER BY id").begin()
          .bind(owner))
    } else {
      owner = try database.statement("SELECT id FROM shared_section WHERE kind = ? AND name = ?").begin().bind(kind.rawValue)
        .bind(name).first { $0.int(0) }
      guard let owner else { return nil }
      settings = try read(
        database.statement("SELECT name, nested, value, file, line FROM setting_line WHERE section_id = ? ORDER BY id").begin()
          .bind(owner))
    }
    return ConfigSection(kind: kind, name: name, settings: settings)
  }

  private static func read(_ statement: Statement) throws -> [Setting] {
    var settings: [Setting] = []
    _ = try statement.rows { row in
      let name = row.text(0)
      let origin = SettingOrigin(file: row.text(3), line: Int(truncatingIfNeeded: row.int(4)))
      guard let nested = row.optionalText(1) else {
        settings.append(Setting(name: name, value: .text(row.text(2)), origin: origin))
        return
      }
      let line = NestedSetting(name: nested, value: row.text(2))
      if nested.isEmpty {
        settings.append(Setting(name: name, value: .nested([]), origin: origin))
      } else if let last = settings.indices.last, settings[last].name == name, case .nested(let lines) = settings[last].value {
        settings[last].value = .nested(lines + [line])
      } else {
        settings.append(Setting(name: name, value: .nested([line]), origin: origin))
      }
    }
    return settings
  }
}
