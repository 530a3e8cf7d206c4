/// The fields of a row's JSON line, in the order in which they are written.
enum ExportedField {
  struct Field {
    let name: StaticString
    /// The position among the values of a row: a column's is its ``AuditField``, the others are in ``Proof``.
    let place: Int
    let kind: AuditColumn.Kind
    /// Whether a row without it is invalid.
    var isNeeded = false

    init(_ column: AuditColumn) {
      (name, place, kind, isNeeded) = (column.json, Int(column.field.rawValue), column.kind, column.isRequired)
    }

    init(name: StaticString, place: Int, kind: AuditColumn.Kind) { (self.name, self.place, self.kind) = (name, place, kind) }

    init(name: StaticString, _ field: AuditField, kind: AuditColumn.Kind = .text) {
      self.init(name: name, place: Int(field.rawValue), kind: kind)
    }
  }

  enum Proof {
    private static let first = AuditField.allCases.count
    static let timeMillis = first, issuedAtMillis = first + 1, expiresAtMillis = first + 2
    static let vault = first + 3, signedAt = first + 4, publicKey = first + 5, signature = first + 6
    /// The note on the executable, which is hashed.
    static let proven = first + 7
    /// What a requester without a run says of itself, which is in the column of the run's name.
    static let hint = first + 8
    /// The objects within a row, each of which occurs at most once.
    static let requester = first + 9, automation = first + 10
    static let count = first + 11
  }

  private static func columns(_ part: AuditColumn.Part) -> [Field] {
    AuditColumn.all.filter { $0.part == part }.map { Field($0) }
  }

  static let top =
    columns(.row) + [
      Field(name: "timeMillis", place: Proof.timeMillis, kind: .number),
      Field(name: "issuedAtMillis", place: Proof.issuedAtMillis, kind: .number),
      Field(name: "expiresAtMillis", place: Proof.expiresAtMillis, kind: .number),
    ] + columns(.proof)
  static let requester =
    columns(.requester) + [
      Field(name: "proven", place: Proof.proven, kind: .flag), Field(name: "hint", place: Proof.hint, kind: .text),
    ]
  static let automation = [
    Field(name: "name", .automation), Field(name: "run", .run), Field(name: "rootPid", .rootPid, kind: .number),
  ]
  static let head = [
    Field(name: "vault", place: Proof.vault, kind: .text), Field(name: "signedAt", place: Proof.signedAt, kind: .number),
    Field(name: "publicKey", place: Proof.publicKey, kind: .bytes(32)),
    Field(name: "signature", place: Proof.signature, kind: .bytes(64)),
  ]
  static let needed = (top + requester).filter(\.isNeeded)
}
