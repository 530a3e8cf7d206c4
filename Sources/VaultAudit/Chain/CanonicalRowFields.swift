/// The columns in the canonical form of an audit row (``CanonicalRow``), by position.
///
/// Created once and reused for every row: nothing is copied, and every length is checked before use.
public struct CanonicalRowFields {
  public enum Field: Sendable, Hashable {
    case none
    /// The position of the text's bytes, which may not be UTF-8.
    case text(Range<Int>)
    case number(Int64)
  }

  /// The longest form accepted from outside: 1 MiB.
  public static let maxLength = 1 << 20

  private var fields = [Field](repeating: .none, count: AuditField.hashed.count)

  public init() {}

  /// None for a field that is not in the form, or not in the row's version of it.
  public subscript(_ field: AuditField) -> Field {
    let place = Int(field.rawValue) - AuditField.unhashed
    return place < 0 ? .none : fields[place]
  }

  /// Parses a form.
  ///
  /// - Returns: false if it has an unknown version, or anything follows it.
  public mutating func read(_ form: UnsafeRawBufferPointer) -> Bool {
    guard (1...Self.maxLength).contains(form.count), let count = AuditTable.current.count(of: Int64(form[0])) else {
      return false
    }
    var place = 1
    for column in count..<fields.count { fields[column] = .none }
    for column in 0..<count {
      guard place < form.count else { return false }
      let kind = form[place]
      place += 1
      switch kind {
      case 0: fields[column] = .none
      case 1:
        guard form.count - place >= 4 else { return false }
        let length = Int(UInt32(bigEndian: form.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
        place += 4
        guard form.count - place >= length else { return false }
        fields[column] = .text(place..<place + length)
        place += length
      case 2:
        guard form.count - place >= 8 else { return false }
        fields[column] = .number(Int64(bigEndian: form.loadUnaligned(fromByteOffset: place, as: Int64.self)))
        place += 8
      default: return false
      }
    }
    return place == form.count
  }

  /// A text, repaired if it is not UTF-8; nil if the column holds none.
  public func text(_ field: AuditField, of form: UnsafeRawBufferPointer) -> String? {
    guard case .text(let range) = self[field] else { return nil }
    return String(decoding: UnsafeRawBufferPointer(rebasing: form[range]), as: UTF8.self)
  }

  public func number(_ field: AuditField) -> Int64? {
    if case .number(let number) = self[field] { number } else { nil }
  }
}
