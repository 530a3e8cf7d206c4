import CQRCode

/// QR codes, by libqrencode.
enum QRCode {
  /// - Returns: a row of `0` and `1` (dark) for each line of the code, without a margin; empty for a text that does not fit.
  static func rows(_ text: String) -> [String] {
    guard let code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1) else { return [] }
    defer { QRcode_free(code) }
    let width = Int(code.pointee.width)
    guard width > 0, let modules = code.pointee.data else { return [] }
    return (0..<width).map { row in
      String((0..<width).map { modules[row * width + $0] & 1 == 1 ? "1" : "0" })
    }
  }
}
