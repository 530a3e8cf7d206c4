/// An array in PostgreSQL's binary form (`array_send`): one statement sends thousands of rows, with one array per column.
struct BinaryArray {
  enum Element: UInt32 {
    case bytes = 17
    case number = 20
    case text = 25
    case time = 1_184

    var arrayOid: UInt32 {
      switch self {
      case .bytes: 1_001
      case .number: 1_016
      case .text: 1_009
      case .time: 1_185
      }
    }
  }

  let type: Element
  private(set) var count: Int32 = 0
  private var elements: [UInt8] = []
  private var hasNull = false

  init(_ type: Element) { self.type = type }

  /// The whole array: one dimension, starting at index 1.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(20 + elements.count)
    for word in count == 0 ? [0, 0, type.rawValue] : [1, hasNull ? 1 : 0, type.rawValue, UInt32(count), 1] {
      withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
    }
    bytes.append(contentsOf: elements)
    return bytes
  }

  private mutating func begin(_ length: Int32) {
    count += 1
    withUnsafeBytes(of: length.bigEndian) { elements.append(contentsOf: $0) }
  }

  mutating func appendNull() {
    hasNull = true
    begin(-1)
  }

  mutating func append(_ number: Int64?) {
    guard let number else { return appendNull() }
    begin(8)
    withUnsafeBytes(of: number.bigEndian) { elements.append(contentsOf: $0) }
  }

  mutating func append(_ value: UnsafeRawBufferPointer) {
    begin(Int32(value.count))
    elements.append(contentsOf: value)
  }

  mutating func append(_ value: [UInt8]) { value.withUnsafeBytes { append($0) } }

  mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  mutating func removeAll() {
    count = 0
    hasNull = false
    elements.removeAll(keepingCapacity: true)
  }
}
