import VaultBytes

extension ByteBuffer {
  /// Appends a text column of the canonical form (``CanonicalRow``).
  mutating func append(text: UnsafeRawBufferPointer) {
    append(5 + text.count) { place in
      place.storeBytes(of: 1, as: UInt8.self)
      place.storeBytes(of: UInt32(truncatingIfNeeded: text.count).bigEndian, toByteOffset: 1, as: UInt32.self)
      if let source = text.baseAddress { (place + 5).copyMemory(from: source, byteCount: text.count) }
    }
  }

  /// Appends an integer column.
  mutating func append(number: Int64) {
    append(9) { place in
      place.storeBytes(of: 2, as: UInt8.self)
      place.storeBytes(of: number.bigEndian, toByteOffset: 1, as: Int64.self)
    }
  }
}
