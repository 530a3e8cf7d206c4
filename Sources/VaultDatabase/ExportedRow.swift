import VaultModel

/// A row of the audit log as a line of JSON has it: the values of its columns, and what proves them.
///
/// A class that is filled again for each line, so that a million lines cost no memory.
final class ExportedRow {
  /// Where a value lies: in the text of the row, or by itself.
  private enum Value {
    case none
    case text(Range<Int>)
    case number(Int64)
  }
  private enum Kind { case text, number, time, flag, bytes(Int) }
  private struct Field {
    let name: StaticString
    /// The first 33 are the columns that the hash goes over, in their order; the others are ``Proof``.
    let place: Int
    let kind: Kind
    /// Whether a row without it is none.
    var isNeeded = false
  }
  private enum Proof {
    static let timeMillis = 33, issuedAtMillis = 34, expiresAtMillis = 35, hash = 36, previousHash = 37, mac = 38
    static let vault = 39, signedAt = 40, publicKey = 41, signature = 42
    static let count = 43
  }

  private static let top = [
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
  private static let requester = [
    Field(name: "user", place: 23, kind: .text, isNeeded: true), Field(name: "uid", place: 24, kind: .number, isNeeded: true),
    Field(name: "pid", place: 25, kind: .number, isNeeded: true), Field(name: "program", place: 26, kind: .text, isNeeded: true),
    Field(name: "directory", place: 28, kind: .text, isNeeded: true), Field(name: "host", place: 30, kind: .text, isNeeded: true),
    Field(name: "executable", place: 27, kind: .text, isNeeded: true),
    Field(name: "parent", place: 29, kind: .text, isNeeded: true),
  ]
  private static let head = [
    Field(name: "vault", place: Proof.vault, kind: .text), Field(name: "signedAt", place: Proof.signedAt, kind: .number),
    Field(name: "publicKey", place: Proof.publicKey, kind: .bytes(32)),
    Field(name: "signature", place: Proof.signature, kind: .bytes(64)),
  ]
  private static let needed = (top + requester).filter(\.isNeeded)

  private var values = [Value](repeating: .none, count: Proof.count)
  private var isSet = [Bool](repeating: false, count: Proof.count)
  private var text: [UInt8] = []
  private var name: [UInt8] = []
  private var form: [UInt8] = []
  private var hasHead = false

  // MARK: reading

  /// Takes in a line.
  ///
  /// - Returns: what is wrong with it; nil for a row.
  func read(_ line: UnsafeRawBufferPointer) -> String? {
    for place in values.indices {
      values[place] = .none
      isSet[place] = false
    }
    text.removeAll(keepingCapacity: true)
    hasHead = false
    var scanner = JSONScanner(line)
    if let fault = object(Self.top, &scanner, isTop: true) { return fault }
    guard scanner.isAtEnd else { return "is followed by something else" }
    if let missing = Self.needed.first(where: { if case .none = values[$0.place] { true } else { false } }) {
      return "has no \(missing.name)"
    }
    return addMillis()
  }

  private func object(_ fields: [Field], _ scanner: inout JSONScanner, isTop: Bool) -> String? {
    guard scanner.take("{") else { return "is no JSON object" }
    if scanner.take("}") { return nil }
    var expected = 0
    repeat {
      name.removeAll(keepingCapacity: true)
      guard scanner.string(into: &name), scanner.take(":") else { return "is no JSON object" }
      // Fields come in the order in which they are written, as a rule.
      if expected >= fields.count || !Self.has(fields[expected].name, name) {
        expected = fields.firstIndex { Self.has($0.name, name) } ?? fields.count
      }
      if expected < fields.count {
        if let fault = value(of: fields[expected], &scanner) { return fault }
        expected += 1
      } else if isTop, Self.has("requester", name) {
        if let fault = object(Self.requester, &scanner, isTop: false) { return fault }
        expected = fields.firstIndex { $0.place == 21 } ?? 0
      } else if isTop, Self.has("head", name), !hasHead {
        hasHead = true
        if let fault = object(Self.head, &scanner, isTop: false) { return fault }
        expected = 0
      } else if let again = fields.firstIndex(where: { Self.has($0.name, name) }) {
        return "has \(fields[again].name) twice"
      } else {
        return "has a field that is not the vault's: \(String(decoding: name.prefix(64), as: UTF8.self))"
      }
    } while scanner.take(",")
    return scanner.take("}") ? nil : "is no JSON object"
  }

  private static func has(_ name: StaticString, _ found: [UInt8]) -> Bool {
    name.utf8CodeUnitCount == found.count && name.withUTF8Buffer { $0.elementsEqual(found) }
  }

  private func value(of field: Field, _ scanner: inout JSONScanner) -> String? {
    guard !isSet[field.place] else { return "has \(field.name) twice" }
    isSet[field.place] = true
    if scanner.take(word: "null") { return nil }
    let start = text.count
    switch field.kind {
    case .number:
      guard let number = scanner.number() else { return "has no number as \(field.name)" }
      values[field.place] = .number(number)
    case .flag:
      if scanner.take(word: "true") {
        values[field.place] = .number(1)
      } else if scanner.take(word: "false") {
        values[field.place] = .number(0)
      } else {
        return "has neither true nor false as \(field.name)"
      }
    case .text:
      guard scanner.string(into: &text) else { return "has no text as \(field.name)" }
      values[field.place] = .text(start..<text.count)
    case .time:
      guard scanner.string(into: &text), text.count - start == 20,
        let time = Timestamp(iso8601: String(decoding: text[start...], as: UTF8.self))
      else { return "has no time as \(field.name)" }
      text.removeLast(text.count - start)
      values[field.place] = .number(time.milliseconds)
    case .bytes(let count):
      guard scanner.string(into: &text), Self.halve(&text, from: start), text.count - start == count else {
        return "has no \(2 * count) hexadecimal digits as \(field.name)"
      }
      values[field.place] = .text(start..<text.count)
    }
    return nil
  }

  /// Puts bytes in the place of their hexadecimal digits, at the end of a text.
  private static func halve(_ text: inout [UInt8], from start: Int) -> Bool {
    guard (text.count - start) % 2 == 0 else { return false }
    var place = start
    var byte: UInt8 = 0
    for offset in start..<text.count {
      let digit = text[offset]
      let value: UInt8
      switch digit {
      case 48...57: value = digit - 48
      case 97...102: value = digit - 87
      case 65...70: value = digit - 55
      default: return false
      }
      byte = byte << 4 | value
      guard (offset - start) % 2 == 1 else { continue }
      text[place] = byte
      place += 1
    }
    text.removeLast(text.count - place)
    return true
  }

  /// Puts together what the text of a time says and what it leaves out.
  private func addMillis() -> String? {
    for (place, millis) in [(2, Proof.timeMillis), (12, Proof.issuedAtMillis), (13, Proof.expiresAtMillis)] {
      guard case .number(let more) = values[millis] else { continue }
      guard (0..<1_000).contains(more), case .number(let time) = values[place] else { return "has milliseconds of no time" }
      values[place] = .number(time + more)
    }
    return nil
  }

  // MARK: what it says

  var sequence: Int64 { number(0) ?? 0 }

  /// The hash that the row has, and that its predecessor is said to have.
  var hash: ArraySlice<UInt8> { bytes(Proof.hash) ?? [] }
  var previousHash: ArraySlice<UInt8>? { bytes(Proof.previousHash) }
  var mac: ArraySlice<UInt8>? { bytes(Proof.mac) }

  /// The signed head that stands on the row, and the vault that it is of; nil where it is none.
  var checkpoint: (head: AuditCheckpoint, vaultId: String)? {
    guard hasHead, let vault = bytes(Proof.vault), let signedAt = number(Proof.signedAt), let key = bytes(Proof.publicKey),
      let signature = bytes(Proof.signature)
    else { return nil }
    return (
      AuditCheckpoint(
        sequence: sequence, hash: Array(hash), signedAt: Timestamp(milliseconds: signedAt), publicKey: Array(key),
        signature: Array(signature)), String(decoding: vault, as: UTF8.self)
    )
  }

  /// Whether there is a head, whatever it holds.
  var claimsHead: Bool { hasHead }

  private func number(_ place: Int) -> Int64? { if case .number(let number) = values[place] { number } else { nil } }
  private func bytes(_ place: Int) -> ArraySlice<UInt8>? { if case .text(let range) = values[place] { text[range] } else { nil } }

  /// The canonical form of the row behind its predecessor's hash (``AuditForm``): what its hash goes over.
  func form(after previous: some Collection<UInt8>) -> [UInt8] {
    form.removeAll(keepingCapacity: true)
    form.append(contentsOf: previous)
    form.append(AuditForm.version)
    for value in values[..<Int(AuditForm.count)] {
      switch value {
      case .none: form.append(0)
      case .text(let range):
        form.append(1)
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: range.count).bigEndian) { form.append(contentsOf: $0) }
        form.append(contentsOf: text[range])
      case .number(let number):
        form.append(2)
        withUnsafeBytes(of: number.bigEndian) { form.append(contentsOf: $0) }
      }
    }
    return form
  }
}
