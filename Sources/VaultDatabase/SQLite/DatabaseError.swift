import CSQLite
import VaultModel

/// Errors of the database.
public enum DatabaseError: ReportableError, Hashable {
  case full(path: String)
  case readOnly(path: String)
  /// The last writer was interrupted and left a journal that must be rolled back: the creation of a new file.
  case halfWritten(path: String)
  case inputOutput(path: String, code: Int32)
  case busy(path: String)
  case corrupt(path: String)
  case cannotOpen(path: String)
  case newerSchema(path: String, found: Int64, known: Int64)
  case constraint(path: String)
  case insecure(path: String, why: String, remedy: String)
  /// A row with a value that the vault never writes.
  case badRow(table: String, what: String)
  /// The tables, indexes or triggers are not those that the vault created.
  case foreignSchema(path: String, what: String)
  /// SQLite reported success, but no row was written.
  case notWritten(path: String)
  case other(path: String, code: Int32)

  init(code: Int32, path: String) {
    // SQLITE_READONLY_ROLLBACK, a macro that Swift does not see.
    if code == SQLITE_READONLY | 3 << 8 {
      self = .halfWritten(path: path)
      return
    }
    switch code & 0xFF {
    case SQLITE_FULL: self = .full(path: path)
    case SQLITE_READONLY: self = .readOnly(path: path)
    case SQLITE_IOERR, SQLITE_PROTOCOL, SQLITE_NOLFS: self = .inputOutput(path: path, code: code)
    case SQLITE_BUSY, SQLITE_LOCKED: self = .busy(path: path)
    case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT: self = .corrupt(path: path)
    case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: self = .cannotOpen(path: path)
    case SQLITE_CONSTRAINT: self = .constraint(path: path)
    default: self = .other(path: path, code: code)
    }
  }

  public var message: String {
    switch self {
    case .full(let path): "the disk is full: cannot write \(path)"
    case .readOnly(let path): "\(path) cannot be written"
    case .halfWritten(let path): "the creation of \(path) was interrupted"
    case .inputOutput(let path, let code): "disk error at \(path) (SQLite \(code))"
    case .busy(let path): "\(path) is locked by another program"
    case .corrupt(let path): "\(path) is damaged"
    case .cannotOpen(let path): "\(path) cannot be opened"
    case .newerSchema(let path, let found, let known):
      "\(path) was written by a newer vault (schema \(found); this one supports \(known))"
    case .constraint(let path): "the new row contradicts the rows in \(path)"
    case .insecure(let path, let why, _): "\(path) \(why)"
    case .badRow(let table, let what): "invalid row in \(table): \(what)"
    case .foreignSchema(let path, let what): "the tables of \(path) were changed by another program: \(what)"
    case .notWritten(let path): "\(path) did not keep a row that was written"
    case .other(let path, let code): "\(path): SQLite error \(code)"
    }
  }

  public var hint: String? {
    switch self {
    case .full: "free some space and try again; nothing was lost or handed out"
    case .readOnly: "is the file system mounted read-only, or does the file belong to another user?"
    case .halfWritten: "`vault agent start` undoes the partial work and creates it again"
    case .busy: "close the program that has it open (an sqlite3 shell?) and try again"
    case .corrupt(let path): "the file was left unchanged; restore a copy (\(path).before-…), or move it away and import again"
    case .newerSchema: "use the newer vault; nothing was changed"
    case .insecure(_, _, let remedy): remedy
    case .foreignSchema(let path, _):
      "nothing was handed out; stop the agent, move \(path) away, and restore your own copy"
    case .notWritten, .badRow: "`vault audit verify` checks whether the log is intact"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .full, .readOnly, .halfWritten, .inputOutput, .busy, .corrupt, .cannotOpen, .foreignSchema, .notWritten: .inputOutput
    case .newerSchema: .configuration
    case .insecure: .refused
    case .badRow: .badData
    case .constraint, .other: .software
    }
  }
}
