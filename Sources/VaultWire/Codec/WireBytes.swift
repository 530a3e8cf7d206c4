/// Bytes of a message. They may be secret, and are wiped with the last reference to their buffer.
public struct WireBytes: FieldValue {
  private let buffer: WireBuffer
  private let range: Range<Int>

  private init(_ buffer: WireBuffer, _ range: Range<Int>) { (self.buffer, self.range) = (buffer, range) }

  /// The whole of a buffer.
  public init(_ buffer: WireBuffer) { self.init(buffer, 0..<buffer.count) }

  /// No bytes.
  public static let none = WireBytes(WireBuffer(capacity: 0))

  public init(copying bytes: UnsafeRawBufferPointer) {
    let buffer = WireBuffer(capacity: bytes.count)
    buffer.append(bytes)
    self.init(buffer)
  }

  public init(_ text: String) {
    let buffer = WireBuffer(capacity: text.utf8.count)
    buffer.append(text)
    self.init(buffer)
  }

  public var count: Int { range.count }

  subscript(_ part: Range<Int>) -> WireBytes {
    WireBytes(buffer, range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
  }

  /// Lends the bytes. They must not leave `body`.
  public func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure)
    -> Result
  { try buffer.withBytes { bytes throws(Failure) in try body(UnsafeRawBufferPointer(rebasing: bytes[range])) } }

  public init?(field: WireBytes) { self = field }
  public func append(to frame: WireBuffer) { withBytes { frame.append($0) } }
}
