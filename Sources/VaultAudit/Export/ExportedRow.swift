import Glibc
import VaultBytes
import VaultModel
import VaultSecrets

/// An audit row parsed from a JSON line: the values of its columns and their proof.
///
/// Reused for each line, so that a million lines cost no memory, and no `String` is made.
struct ExportedRow: ~Copyable {
  private typealias Field = ExportedField.Field
  private typealias Proof = ExportedField.Proof

  /// The location of a value: in the text of the row, or separate.
  private enum Value {
    case none
    case text(Range<Int>)
    case number(Int64)
  }

  private let values = UnsafeMutablePointer<Value>.allocate(capacity: Proof.count)
  /// The fields that were present, one bit each.
  private var isSet: UInt128 = 0
  private var text = ByteBuffer()
  private var name = ByteBuffer()
  private var form = ByteBuffer()
  private var days = DayReader()
  private var hasCheckpoint = false

  init() { values.initialize(repeating: .none, count: Proof.count) }

  deinit { values.deallocate() }

  /// Parses a line.
  ///
  /// - Returns: what is wrong with it; nil for a valid row.
  mutating func read(_ line: UnsafeRawBufferPointer) -> String? {
    values.update(repeating: .none, count: Proof.count)
    isSet = 0
    text.removeAll()
    hasCheckpoint = false
    var scanner = JSONScanner(line.bytes)
    if let fault = object(ExportedField.top, &scanner, within: .row) { return fault }
    guard scanner.isAtEnd else { return "has extra text after the JSON object" }
    if let missing = ExportedField.needed.first(where: { if case .none = values[$0.place] { true } else { false } }) {
      return "has no \(missing.name)"
    }
    if let proven = number(Proof.proven), (proven == 1) == (bytes(.executable)?.isEmpty ?? true) {
      return "has an executable that contradicts proven"
    }
    if let fault = addHint() { return fault }
    // Its hash would not bind them.
    if let count = AuditTable.current.count(of: version),
      let later = AuditField.hashed[count...].first(where: { if case .none = values[Int($0.rawValue)] { false } else { true } })
    {
      return "has \(later), which rows of its form do not have"
    }
    return addMillis()
  }

  private enum Level { case row, requester, leaf }

  private mutating func object(_ fields: [Field], _ scanner: inout JSONScanner, within level: Level) -> String? {
    guard scanner.consume("{") else { return "is not a JSON object" }
    if scanner.consume("}") { return nil }
    var expected = 0
    repeat {
      // Fields usually come in the order in which they are written.
      if expected < fields.count, scanner.consume(field: fields[expected].name) {
        if let fault = value(of: fields[expected], &scanner) { return fault }
        expected += 1
        continue
      }
      name.removeAll()
      guard scanner.string(into: &name), scanner.consume(":") else { return "is not a JSON object" }
      if let found = fields.firstIndex(where: { isName($0.name) }) {
        if let fault = value(of: fields[found], &scanner) { return fault }
        expected = found + 1
      } else if level == .row, isName("requester") {
        guard isFirst(Proof.requester) else { return "has requester twice" }
        if let fault = object(ExportedField.requester, &scanner, within: .requester) { return fault }
      } else if level == .requester, isName("automation") {
        guard isFirst(Proof.automation) else { return "has automation twice" }
        if scanner.consume(word: "null") { continue }
        if let fault = object(ExportedField.automation, &scanner, within: .leaf) { return fault }
      } else if level == .row, isName("head"), !hasCheckpoint {
        hasCheckpoint = true
        if let fault = object(ExportedField.head, &scanner, within: .leaf) { return fault }
        expected = 0
      } else {
        return "has an unknown field: \(String(decoding: name.bytes.prefix(64), as: UTF8.self))"
      }
    } while scanner.consume(",")
    return scanner.consume("}") ? nil : "is not a JSON object"
  }

  private func isName(_ wanted: StaticString) -> Bool {
    wanted.utf8CodeUnitCount == name.count && wanted.withUTF8Buffer { $0.elementsEqual(name.bytes) }
  }

  /// Whether a field or an object is read for the first time.
  private mutating func isFirst(_ place: Int) -> Bool {
    let bit: UInt128 = 1 << UInt128(place)
    defer { isSet |= bit }
    return isSet & bit == 0
  }

  private mutating func value(of field: Field, _ scanner: inout JSONScanner) -> String? {
    guard isFirst(field.place) else { return "has \(field.name) twice" }
    if scanner.consume(word: "null") { return nil }
    let start = text.count
    switch field.kind {
    case .number:
      guard let number = scanner.number() else { return "has a \(field.name) that is not a number" }
      values[field.place] = .number(number)
    case .flag:
      if scanner.consume(word: "true") {
        values[field.place] = .number(1)
      } else if scanner.consume(word: "false") {
        values[field.place] = .number(0)
      } else {
        return "has a \(field.name) that is not true or false"
      }
    case .text:
      guard scanner.string(into: &text) else { return "has a \(field.name) that is not text" }
      values[field.place] = .text(start..<text.count)
    case .list, .object:
      // A text that is no such JSON is written as a string.
      if scanner.isAtString {
        guard scanner.string(into: &text) else { return "has a \(field.name) that is not of its kind" }
        guard !AuditColumn.isJSON(UnsafeRawBufferPointer(rebasing: text.bytes[start...])) else {
          return "has a \(field.name) that is JSON within a string"
        }
      } else {
        guard CanonicalJSON.append(&scanner, to: &text) else { return "has a \(field.name) that is not of its kind" }
        if text.count - start <= 2 {
          guard case .list = field.kind, text.bytes[start...].elementsEqual("[]".utf8) else {
            return "has a \(field.name) that is not of its kind"
          }
          text.removeAll(from: start)
          return nil
        }
      }
      values[field.place] = .text(start..<text.count)
    case .time:
      guard scanner.string(into: &text), text.count - start == 20,
        let time = days.milliseconds(UnsafeRawBufferPointer(rebasing: text.bytes[start...]))
      else { return "has a \(field.name) that is not a time" }
      text.removeAll(from: start)
      values[field.place] = .number(time)
    case .bytes(let count):
      guard scanner.string(into: &text), text.count - start == 2 * count, text.unhex(from: start) else {
        return "has a \(field.name) that is not \(2 * count) hexadecimal digits"
      }
      values[field.place] = .text(start..<text.count)
    }
    return nil
  }

  /// Puts the hint in its column: either there is a run with an ID, or a hint.
  private mutating func addHint() -> String? {
    let hasName = bytes(.automation) != nil
    let hasRun = bytes(.run) != nil || number(Int(AuditField.rootPid.rawValue)) != nil
    guard bytes(Proof.hint) != nil else { return hasName && !hasRun ? "has an automation without a run" : nil }
    guard !hasName, !hasRun else { return "has an automation and a hint" }
    values[Int(AuditField.automation.rawValue)] = values[Proof.hint]
    return nil
  }

  private static let times = [
    (AuditField.time, Proof.timeMillis), (.issuedAt, Proof.issuedAtMillis), (.expiresAt, Proof.expiresAtMillis),
  ]

  /// Combines the text of a time with the part that it leaves out.
  private func addMillis() -> String? {
    for (field, millis) in Self.times {
      let place = Int(field.rawValue)
      guard case .number(let more) = values[millis] else { continue }
      guard (0..<1_000).contains(more), case .number(let time) = values[place] else { return "has milliseconds without a time" }
      values[place] = .number(time + more)
    }
    return nil
  }

  /// The version of the form.
  private var version: Int64 { number(Int(AuditField.formVersion.rawValue)) ?? Int64(AuditTable.firstVersion) }

  var sequence: Int64 { number(Int(AuditField.sequence.rawValue)) ?? 0 }

  /// The hash of the row, and the one it states for its predecessor; valid until the next line.
  var hash: UnsafeRawBufferPointer { bytes(.hash) ?? UnsafeRawBufferPointer(start: nil, count: 0) }
  var previousHash: UnsafeRawBufferPointer? { bytes(.previousHash) }
  var mac: UnsafeRawBufferPointer? { bytes(.mac) }

  /// The signed checkpoint at the row, and its vault; nil if it is missing or invalid.
  var checkpoint: (head: AuditCheckpoint, vaultId: String)? {
    guard hasCheckpoint, let vault = bytes(Proof.vault), let signedAt = number(Proof.signedAt), let key = bytes(Proof.publicKey),
      let signature = bytes(Proof.signature)
    else { return nil }
    return (
      AuditCheckpoint(
        sequence: sequence, hash: Array(hash), signedAt: Timestamp(milliseconds: signedAt), publicKey: Array(key),
        signature: Array(signature)), String(decoding: vault, as: UTF8.self)
    )
  }

  /// Whether there is a checkpoint, whatever its content.
  var claimsCheckpoint: Bool { hasCheckpoint }

  private func number(_ place: Int) -> Int64? { if case .number(let number) = values[place] { number } else { nil } }
  private func bytes(_ field: AuditField) -> UnsafeRawBufferPointer? { bytes(Int(field.rawValue)) }
  private func bytes(_ place: Int) -> UnsafeRawBufferPointer? {
    if case .text(let range) = values[place] { UnsafeRawBufferPointer(rebasing: text.bytes[range]) } else { nil }
  }

  /// The hash of the predecessor's hash followed by the canonical form of the row (``CanonicalRow``).
  ///
  /// - Returns: false if this version does not know the form.
  mutating func computeHash(after previous: UnsafeRawBufferPointer, into digest: inout [UInt8]) -> Bool {
    guard let count = AuditTable.current.count(of: version) else { return false }
    form.removeAll()
    form.append(previous)
    form.append(UInt8(version))
    for place in AuditField.unhashed..<AuditField.unhashed + count {
      switch values[place] {
      case .none: form.append(0)
      case .text(let range): form.append(text: UnsafeRawBufferPointer(rebasing: text.bytes[range]))
      case .number(let number): form.append(number: number)
      }
    }
    digest.withUnsafeMutableBytes { blake2b256(form.bytes, into: $0) }
    return true
  }
}

/// Reads `2026-11-27T07:16:40Z` by the million: a date is computed only once.
private struct DayReader {
  /// The date as written, with the `T` after it.
  private var date: (UInt64, UInt32) = (0, 0)
  private var start: Int64 = 0

  /// - Parameter text: 20 bytes.
  mutating func milliseconds(_ text: UnsafeRawBufferPointer) -> Int64? {
    // Leaves out the byte after the `T`.
    let today = (
      text.loadUnaligned(as: UInt64.self),
      UInt32(littleEndian: text.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) & 0x00FF_FFFF
    )
    // Only as the vault writes it: a changed letter, as in `…40z`, would be the same time and another file.
    guard let seconds = Self.seconds(text) else { return nil }
    if today != date {
      guard let time = Timestamp(iso8601: String(decoding: text, as: UTF8.self)) else { return nil }
      (date, start) = (today, time.milliseconds - seconds * 1_000)
    }
    return start + seconds * 1_000
  }

  /// Seconds of the day; nil unless written in the vault's own format.
  private static func seconds(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard text[10] == UInt8(ascii: "T"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
      text[19] == UInt8(ascii: "Z"),
      let hour = two(text, 11, below: 24), let minute = two(text, 14, below: 60), let second = two(text, 17, below: 60)
    else { return nil }
    return hour * 3_600 + minute * 60 + second
  }

  private static func two(_ text: UnsafeRawBufferPointer, _ place: Int, below limit: Int64) -> Int64? {
    let (tens, ones) = (text[place] &- 48, text[place + 1] &- 48)
    let number = Int64(tens) * 10 + Int64(ones)
    return tens < 10 && ones < 10 && number < limit ? number : nil
  }
}
