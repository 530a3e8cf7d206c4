// The expected schema: what the migrations create in an empty database, object by object.

extension Schema {
  /// A schema object by type and name, with the SQL that created it.
  private typealias Objects = [String: String]

  /// Compares the tables, indexes and triggers of a database with those that the migrations create, up to its stated version.
  ///
  /// - Throws: `DatabaseError.foreignSchema` naming the first object that is missing, changed or foreign.
  public static func check(_ database: Database) throws {
    let version = try currentVersion(database)
    guard (0...Self.version).contains(version) else {
      throw DatabaseError.foreignSchema(path: database.path, what: "its version is \(version)")
    }
    let expected = version == Self.version ? try whole.get() : try made(by: Int(version))
    let found = try objects(of: database)
    guard found != expected else { return }
    let names = Set(found.keys).union(expected.keys).filter { found[$0] != expected[$0] }
    let name = names.min() ?? ""
    let how = found[name] == nil ? "is missing" : expected[name] == nil ? "was added" : "was changed"
    throw DatabaseError.foreignSchema(path: database.path, what: "\(name) \(how)")
  }

  /// Created once per process; takes a few milliseconds.
  private static let whole = Result { try made(by: migrations.count) }

  private static func made(by count: Int) throws -> Objects {
    let database = try Database()
    for number in 0..<count { try migrate(database, to: number + 1) }
    return try objects(of: database)
  }

  private static func objects(of database: Database) throws -> Objects {
    // SQLite's own indexes follow from the tables, and nobody else can use its reserved names.
    let rows = try database.prepare(
      "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    .begin().rows { ($0.text(0), $0.text(1)) }
    return Objects(rows) { first, second in first + second }
  }
}
