/// Writes a run of fields, or reads one.
///
/// A field's tag is its place in the list of its type, from 1 on; a field without a value is left out. So a field that is unknown,
/// repeated or out of place is refused, and what was read would be written just as it was received. After the first fault, nothing
/// more is read.
public final class FieldCoder {
  private let frame: WireBuffer?
  /// The bytes that are not read yet.
  private var rest: WireBytes
  private var tag: UInt16 = 0
  private var fault: WireError?

  init(writing frame: WireBuffer) { (self.frame, rest) = (frame, .none) }

  init(reading bytes: WireBytes) { (frame, rest) = (nil, bytes) }

  /// A field that must be there.
  @discardableResult
  public func field<Value: FieldValue>(_ value: inout Value) -> Self {
    tag &+= 1
    if let frame {
      write(value, to: frame)
    } else if let bytes = next() {
      if let read = Value(field: bytes) { value = read } else { fail("has an invalid value") }
    } else {
      fail("is missing")
    }
    return self
  }

  @discardableResult
  public func field<Value: FieldValue>(_ value: inout Value?) -> Self {
    tag &+= 1
    if let frame {
      if let value { write(value, to: frame) }
    } else if let bytes = next() {
      value = Value(field: bytes)
      if value == nil { fail("has an invalid value") }
    } else {
      value = nil
    }
    return self
  }

  private func write(_ value: some FieldValue, to frame: WireBuffer) {
    frame.append(littleEndian: tag)
    let start = frame.count
    frame.append(littleEndian: UInt32(0))
    value.append(to: frame)
    frame.overwrite(UInt32(truncatingIfNeeded: frame.count - start - 4), at: start)
  }

  /// The bytes of the next field, if it is the one that is to be read.
  private func next() -> WireBytes? {
    guard hasMore else { return nil }
    let (tag, length) = rest.withBytes { bytes -> (UInt16, UInt32) in
      guard bytes.count >= 6 else { return (0, .max) }
      return (
        UInt16(littleEndian: bytes.loadUnaligned(as: UInt16.self)),
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
      )
    }
    guard Int(length) <= rest.count - 6 else {
      fault = .malformed
      return nil
    }
    guard tag == self.tag else { return nil }
    let field = rest[6..<6 + Int(length)]
    rest = rest[6 + Int(length)..<rest.count]
    return field
  }

  private func fail(_ what: String) { fault = fault ?? .field(tag: tag, what) }

  var hasMore: Bool { fault == nil && rest.count > 0 }

  /// - Throws: the first fault; also if a field has not been read.
  func end() throws(WireError) {
    if hasMore {
      tag &+= 1
      fail("is unknown, repeated or out of place")
    }
    if let fault { throw fault }
  }
}
