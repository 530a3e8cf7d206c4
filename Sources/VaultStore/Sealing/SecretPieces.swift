import VaultSecrets

/// Several secrets in one: 4 bytes of length (little-endian) before each.
enum SecretPieces {
  static func join(_ pieces: [SecretBytes]) -> SecretBytes {
    SecretBytes(count: pieces.reduce(0) { $0 + 4 + $1.count }) { form in
      var offset = 0
      for piece in pieces {
        form.storeBytes(of: UInt32(piece.count).littleEndian, toByteOffset: offset, as: UInt32.self)
        piece.withBytes { bytes in
          guard !bytes.isEmpty else { return }
          UnsafeMutableRawBufferPointer(rebasing: form[offset + 4..<offset + 4 + bytes.count]).copyMemory(from: bytes)
        }
        offset += 4 + piece.count
      }
    }
  }

  /// - Returns: nil unless the form holds exactly that many.
  static func split(_ form: SecretBytes, count: Int) -> [SecretBytes]? {
    var pieces: [SecretBytes] = []
    var offset = 0
    while pieces.count < count {
      guard form.count - offset >= 4 else { return nil }
      let length = form.withBytes { Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))) }
      guard length <= form.count - offset - 4 else { return nil }
      pieces.append(form.part(offset + 4..<offset + 4 + length))
      offset += 4 + length
    }
    return offset == form.count ? pieces : nil
  }
}
