import VaultDatabase
import VaultModel

/// The state of the rows from watched files.
public enum FileRows: Sendable {
  case asWritten
  /// Imported while the vault was locked, so that the files must be read again.
  case pending
  /// Another program changed it.
  case changed
}

/// The knowledge about the rows that lead to a secret.
struct RowTrust: Sendable {
  /// `PRAGMA data_version` when the sets were last checked; nil if they must be checked.
  var version: Int64?
  var fault: RowError?
  var files = FileRows.asWritten
}

// The set of existing rows: a MAC over the MACs of all, one for the vault's own rows and one for those from watched files. The
// audit log knows its version, as with a secret, so that an older set put back is detected. The content of each row is checked when
// it is used.
extension VaultStore {
  /// The subject under which the audit log has the sets' version.
  static let rowSubject = "row-sets"

  /// In words, for a change where it is not known which row from a watched file was changed.
  public static let changedFileRows = "settings from watched files were changed in the vault's database by another program"

  /// The row MACs, once it is certain that no row was removed and no older one put back. Checked again after each change of the
  /// file by another program (SQLite, "PRAGMA data_version").
  ///
  /// - Throws: `StoreError.locked`; `RowError` if the check fails.
  public func authenticRows() throws -> RowMACs {
    try beginRowMACs()
    let macs = try rowMACs()
    let version = try dataVersion()
    if trust.version != version {
      let known = try self.version(of: Self.rowSubject)
      trust.fault = try ownFault(macs, known)
      trust.files = try fileRows(macs, known)
      trust.version = version
    }
    if let fault = trust.fault { throw fault }
    return macs
  }

  /// The state of the rows from watched files. Call after ``authenticRows()``.
  public var fileRows: FileRows { trust.files }

  private func dataVersion() throws -> Int64 {
    try database.statement("PRAGMA data_version").begin().first { $0.int(0) } ?? 0
  }

  private func set(_ name: String) throws -> (version: Int64, code: [UInt8])? {
    try database.statement("SELECT version, mac FROM row_set WHERE name = ?").begin().bind(name).first { ($0.int(0), $0.blob(1)) }
  }

  private func ownFault(_ macs: RowMACs, _ version: Int64) throws -> RowError? {
    if let set = try set("own"), set.version == version {
      if macs.fits(set.code, Self.form(own: try ownMACs(), version)) { return nil }
      // A row that was only added is refused when it is used.
      var right: [[UInt8]] = []
      var wrong: [String] = []
      try eachOwnRow { row in
        if let code = row.code, macs.fits(code, row.form) { right.append(code) } else { wrong.append(row.fault.what) }
      }
      right.sort { $0.lexicographicallyPrecedes($1) }
      return macs.fits(set.code, Self.form(own: right, version)) ? nil : .set(wrong)
    }
    return .set([])
  }

  private func fileRows(_ macs: RowMACs, _ version: Int64) throws -> FileRows {
    guard let set = try set("files") else { return .pending }
    return try set.version == version && macs.fits(set.code, fileForm(version)) ? .asWritten : .changed
  }

  private func ownMACs() throws -> [[UInt8]] {
    try database.statement(
      """
      SELECT mac FROM (SELECT mac FROM profile WHERE is_own = 1 AND removed_at IS NULL \
      UNION ALL SELECT mac FROM shared_section WHERE is_own = 1 UNION ALL SELECT mac FROM followed_file \
      UNION ALL SELECT mac FROM setting UNION ALL SELECT mac FROM credentials_link) WHERE mac IS NOT NULL ORDER BY mac
      """
    ).begin().rows { $0.blob(0) }
  }

  private static func form(own macs: [[UInt8]], _ version: Int64) -> RowForm {
    var form = RowForm("row_set", ["own", String(version)])
    for code in macs { form.add(code) }
    return form
  }

  private func fileForm(_ version: Int64) throws -> RowForm {
    var form = RowForm("row_set", ["files", String(version)])
    for file in try FollowedRows.all(in: database) {
      form.add(file.path)
      for number in [file.identity.device, file.identity.inode, file.identity.size, file.identity.mtime] { form.add(number) }
    }
    for sql in [
      "SELECT mac FROM profile WHERE is_own = 0 AND removed_at IS NULL ORDER BY id",
      "SELECT mac FROM shared_section WHERE is_own = 0 ORDER BY id",
    ] as [StaticString] {
      let statement = try database.statement(sql).begin()
      while try statement.step() { statement.withBlob(0) { form.add(Array($0)) } }
      form.add(nil as String?)
    }
    return form
  }

  // MARK: as rows change

  /// Call within a transaction that changed rows: updates the MACs of the sets, and logs the change with their new version.
  ///
  /// - Parameter event: nil if only the lines of the files' settings changed, which keeps the version.
  func bindRows(_ event: AuditEvent?) throws {
    rowGeneration += 1
    let macs = try rowMACs()
    let version = try self.version(of: Self.rowSubject) + (event == nil ? 0 : 1)
    if event != nil { try put("own", code: macs.code(Self.form(own: try ownMACs(), version)), version: version) }
    // Rows that must be read again stay so.
    if trust.files == .asWritten { try put("files", code: macs.code(try fileForm(version)), version: version) }
    if let event { try append(event, subject: (Self.rowSubject, version)) }
  }

  private func put(_ name: String, code: [UInt8], version: Int64) throws {
    try database.statement(
      """
      INSERT INTO row_set (name, version, mac) VALUES (?, ?, ?) \
      ON CONFLICT (name) DO UPDATE SET version = excluded.version, mac = excluded.mac
      """
    ).begin().bind(name).bind(version).bind(code).run()
  }

  /// Call within a transaction: the watched files must be read again before anything from them is used.
  func forgetFileRows() throws {
    try database.statement("DELETE FROM row_set WHERE name = 'files'").begin().run()
    trust.files = .pending
    rowGeneration += 1
  }
}
