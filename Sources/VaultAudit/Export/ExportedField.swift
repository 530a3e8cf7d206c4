/// The fields of a row's JSON line, in the order in which they are written.
enum ExportedField {
  enum Kind { case text, number, time, flag, bytes(Int) }

  struct Field {
    let name: StaticString
    /// The first 33 are the hashed columns, in order; the others are ``Proof``.
    let place: Int
    let kind: Kind
    /// Whether a row without it is invalid.
    var isNeeded = false
  }

  enum Proof {
    static let timeMillis = 33, issuedAtMillis = 34, expiresAtMillis = 35, hash = 36, previousHash = 37, mac = 38
    static let vault = 39, signedAt = 40, publicKey = 41, signature = 42
    /// The note on the executable, which is hashed.
    static let proven = 43
    static let count = 44
  }

  static let top = [
    Field(name: "id", place: 1, kind: .text, isNeeded: true), Field(name: "sequence", place: 0, kind: .number, isNeeded: true),
    Field(name: "time", place: 2, kind: .time, isNeeded: true), Field(name: "action", place: 3, kind: .text, isNeeded: true),
    Field(name: "outcome", place: 4, kind: .text, isNeeded: true), Field(name: "trigger", place: 5, kind: .text, isNeeded: true),
    Field(name: "profile", place: 6, kind: .text), Field(name: "roleArn", place: 7, kind: .text),
    Field(name: "roleSessionName", place: 8, kind: .text), Field(name: "sourceIdentity", place: 9, kind: .text),
    Field(name: "sourceAccessKeyId", place: 10, kind: .text), Field(name: "accessKeyId", place: 11, kind: .text),
    Field(name: "issuedAt", place: 12, kind: .time), Field(name: "expiresAt", place: 13, kind: .time),
    Field(name: "durationSeconds", place: 14, kind: .number), Field(name: "mfa", place: 15, kind: .flag, isNeeded: true),
    Field(name: "requestId", place: 16, kind: .text), Field(name: "endpoint", place: 17, kind: .text),
    Field(name: "reason", place: 18, kind: .text), Field(name: "sessionId", place: 21, kind: .text),
    Field(name: "error", place: 19, kind: .text), Field(name: "detail", place: 20, kind: .text),
    Field(name: "hash", place: Proof.hash, kind: .bytes(32), isNeeded: true),
    Field(name: "timeMillis", place: Proof.timeMillis, kind: .number),
    Field(name: "issuedAtMillis", place: Proof.issuedAtMillis, kind: .number),
    Field(name: "expiresAtMillis", place: Proof.expiresAtMillis, kind: .number),
    Field(name: "intentId", place: 22, kind: .text), Field(name: "subject", place: 31, kind: .text),
    Field(name: "subjectVersion", place: 32, kind: .number),
    Field(name: "previousHash", place: Proof.previousHash, kind: .bytes(32)),
    Field(name: "mac", place: Proof.mac, kind: .bytes(32)),
  ]
  static let requester = [
    Field(name: "user", place: 23, kind: .text, isNeeded: true), Field(name: "uid", place: 24, kind: .number, isNeeded: true),
    Field(name: "pid", place: 25, kind: .number, isNeeded: true), Field(name: "program", place: 26, kind: .text, isNeeded: true),
    Field(name: "directory", place: 28, kind: .text, isNeeded: true), Field(name: "host", place: 30, kind: .text, isNeeded: true),
    Field(name: "executable", place: 27, kind: .text, isNeeded: true),
    Field(name: "parent", place: 29, kind: .text, isNeeded: true), Field(name: "proven", place: Proof.proven, kind: .flag),
  ]
  static let head = [
    Field(name: "vault", place: Proof.vault, kind: .text), Field(name: "signedAt", place: Proof.signedAt, kind: .number),
    Field(name: "publicKey", place: Proof.publicKey, kind: .bytes(32)),
    Field(name: "signature", place: Proof.signature, kind: .bytes(64)),
  ]
  static let needed = (top + requester).filter(\.isNeeded)
}
