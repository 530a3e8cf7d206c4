import VaultDatabase
import VaultModel

/// How what the followed files said stands in the tables.
public enum FileRows: Sendable {
  case asWritten
  /// Taken in while the vault was locked, so that the files are to be read again.
  case pending
  /// Another program changed it.
  case changed
}

/// What is known of the rows that lead to a secret.
struct RowTrust: Sendable {
  /// `PRAGMA data_version` when the sets were looked at; nil where they are to be.
  var version: Int64?
  var fault: RowError?
  var files = FileRows.asWritten
}

// Which rows there are: a code over the codes of all, for the vault's own and for what the followed files say. Its version is one that the
// audit log knows, as a secret's is, so that an older set put back is seen. What each row says is looked at when it is used.
extension VaultStore {
  /// The subject by which the audit log knows the sets' version.
  static let rowSubject = "row-sets"

  /// In words, where it is not known which of the rows was changed that come from followed files.
  public static let changedFileRows = "what followed files say was changed in the vault's database by another program"

  /// What authenticates rows, once it is known that none was taken away and no older one put back. Looked at again after each change to
  /// the file that is not the store's own (SQLite, "PRAGMA data_version").
  ///
  /// - Throws: `StoreError.locked`; `RowError` where it is not so.
  public func authenticRows() throws -> RowMACs {
    try beginRowMACs()
    let codes = try rowMACs()
    let version = try dataVersion()
    if trust.version != version {
      let known = try self.version(of: Self.rowSubject)
      trust.fault = try ownFault(codes, known)
      trust.files = try fileRows(codes, known)
      trust.version = version
    }
    if let fault = trust.fault { throw fault }
    return codes
  }

  /// How what the followed files said stands in the tables. After ``authenticRows()``.
  public var fileRows: FileRows { trust.files }

  private func dataVersion() throws -> Int64 {
    try database.statement("PRAGMA data_version").begin().first { $0.int(0) } ?? 0
  }

  private func set(_ name: String) throws -> (version: Int64, code: [UInt8])? {
    try database.statement("SELECT version, mac FROM row_set WHERE name = ?").begin().bind(name).first { ($0.int(0), $0.blob(1)) }
  }

  private func ownFault(_ codes: RowMACs, _ version: Int64) throws -> RowError? {
    if let set = try set("own"), set.version == version {
      if codes.fits(set.code, Self.form(own: try ownMACs(), version)) { return nil }
      // What somebody only added is refused by itself where it is used.
      var right: [[UInt8]] = []
      var wrong: [String] = []
      try eachOwnRow { row in
        if let code = row.code, codes.fits(code, row.form) { right.append(code) } else { wrong.append(row.fault.what) }
      }
      right.sort { $0.lexicographicallyPrecedes($1) }
      return codes.fits(set.code, Self.form(own: right, version)) ? nil : .set(wrong)
    }
    return .set([])
  }

  private func fileRows(_ codes: RowMACs, _ version: Int64) throws -> FileRows {
    guard let set = try set("files") else { return .pending }
    return try set.version == version && codes.fits(set.code, fileForm(version)) ? .asWritten : .changed
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

  private static func form(own codes: [[UInt8]], _ version: Int64) -> RowForm {
    var form = RowForm("row_set", ["own", String(version)])
    for code in codes { form.add(code) }
    return form
  }

  private func fileForm(_ version: Int64) throws -> RowForm {
    var form = RowForm("row_set", ["files", String(version)])
    for file in try FollowedRows.all(in: database) {
      form.add(file.path)
      for number in [file.stamp.device, file.stamp.inode, file.stamp.size, file.stamp.mtime] { form.add(number) }
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

  /// Within a transaction that changed rows: gives the sets their new codes, and logs the change with their new version.
  ///
  /// - Parameter event: nil where nothing changed but where the files' settings stand in them, which keeps the version.
  func bindRows(_ event: AuditEvent?) throws {
    rowGeneration += 1
    let codes = try rowMACs()
    let version = try self.version(of: Self.rowSubject) + (event == nil ? 0 : 1)
    if event != nil { try put("own", codes.code(Self.form(own: try ownMACs(), version)), version) }
    // What is to be read again stays so.
    if trust.files == .asWritten { try put("files", codes.code(try fileForm(version)), version) }
    if let event { try append(event, subject: (Self.rowSubject, version)) }
  }

  private func put(_ name: String, _ code: [UInt8], _ version: Int64) throws {
    try database.statement(
      """
      INSERT INTO row_set (name, version, mac) VALUES (?, ?, ?) \
      ON CONFLICT (name) DO UPDATE SET version = excluded.version, mac = excluded.mac
      """
    ).begin().bind(name).bind(version).bind(code).run()
  }

  /// Within a transaction: the followed files are to be read again before anything that they said is used.
  func forgetFileRows() throws {
    try database.statement("DELETE FROM row_set WHERE name = 'files'").begin().run()
    trust.files = .pending
    rowGeneration += 1
  }
}
