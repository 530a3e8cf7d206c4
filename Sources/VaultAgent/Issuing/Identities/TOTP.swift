import COath
import Glibc
import VaultModel
import VaultSecrets

/// The codes of a virtual MFA device (RFC 6238: SHA-1, steps of 30 seconds, six digits), by liboath.
enum TOTP {
  /// - Parameter secret: the device's secret, as bytes.
  static func code(secret: SecretBytes, at now: Timestamp) throws(TimedCodeError) -> SecretBytes {
    guard oath_init() == OATH_OK.rawValue else { throw .unavailable }
    var outcome: Int32 = 0
    // Six digits and a zero.
    let form = SecretBytes(count: 7) { form in
      outcome = secret.withBytes { bytes in
        oath_totp_generate(
          bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, time_t(now.seconds), 30, 0, 6,
          form.bindMemory(to: CChar.self).baseAddress)
      }
    }
    guard outcome == OATH_OK.rawValue else { throw .unavailable }
    return form.part(0..<6)
  }

  /// A secret as AWS shows it: Base32, in upper or lower case, blanks and padding allowed (RFC 4648).
  ///
  /// - Throws: ``TimedCodeError/malformed`` for an invalid device secret: 16 to 128 bytes are valid.
  static func secret(base32 text: SecretBytes) throws(TimedCodeError) -> SecretBytes {
    guard oath_init() == OATH_OK.rawValue else { throw .unavailable }
    var decoded: UnsafeMutablePointer<CChar>?
    var length = 0
    let outcome = text.withBytes { oath_base32_decode($0.bindMemory(to: CChar.self).baseAddress, $0.count, &decoded, &length) }
    guard let decoded else { throw .malformed }
    let bytes = UnsafeMutableRawBufferPointer(start: decoded, count: length)
    defer {
      wipe(bytes)
      free(decoded)
    }
    guard outcome == OATH_OK.rawValue, (10...128).contains(length) else { throw .malformed }
    return SecretBytes(copying: UnsafeRawBufferPointer(bytes))
  }
}

/// Errors in the secret of a device.
enum TimedCodeError: ReportableError, Hashable {
  case malformed
  case unavailable

  var message: String {
    switch self {
    case .malformed: "not a valid MFA device secret"
    case .unavailable: "cannot generate the MFA code"
    }
  }

  var hint: String? {
    self == .malformed ? "IAM shows it as \"secret key\" beside the QR code: letters and the digits 2 to 7" : nil
  }
  var exitStatus: ExitStatus { self == .malformed ? .badData : .software }
}
