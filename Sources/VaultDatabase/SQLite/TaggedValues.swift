import CSQLite
import VaultBytes

// Values with their types, as the audit log hashes them: NULL is a byte 0; text is a byte 1, its length in 4 bytes and its bytes; an
// integer is a byte 2 and 8 bytes. Numbers are big-endian.

extension ByteBuffer {
  package mutating func append(text: UnsafeRawBufferPointer) {
    append(5 + text.count) { place in
      place.storeBytes(of: 1, as: UInt8.self)
      place.storeBytes(of: UInt32(truncatingIfNeeded: text.count).bigEndian, toByteOffset: 1, as: UInt32.self)
      if let source = text.baseAddress { (place + 5).copyMemory(from: source, byteCount: text.count) }
    }
  }

  package mutating func append(number: Int64) {
    append(9) { place in
      place.storeBytes(of: 2, as: UInt8.self)
      place.storeBytes(of: number.bigEndian, toByteOffset: 1, as: Int64.self)
    }
  }
}

extension Statement {
  /// Appends columns of the current row. SQLite is asked for each value once: a log has millions of rows.
  ///
  /// - Returns: false if a column is neither NULL, nor text, nor integer.
  package func append(_ columns: Range<Int32>, to buffer: inout ByteBuffer) -> Bool {
    for column in columns {
      let value = value(column)
      switch sqlite3_value_type(value) {
      case SQLITE_NULL: buffer.append(0)
      case SQLITE_TEXT:
        let start = sqlite3_value_text(value)
        buffer.append(text: UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value))))
      case SQLITE_INTEGER: buffer.append(number: sqlite3_value_int64(value))
      default: return false
      }
    }
    return true
  }
}
