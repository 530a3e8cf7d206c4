import Glibc

/// Writes all of the bytes to a descriptor, continuing after an interrupting signal.
///
/// - Returns: false, with `errno` set, if the descriptor takes no more.
@discardableResult
public func writeAll(_ bytes: RawSpan, to descriptor: Int32) -> Bool {
  bytes.withUnsafeBytes { bytes in
    var offset = 0
    while offset < bytes.count {
      let written = write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
      if written > 0 { offset += written } else if written == 0 || errno != EINTR { return false }
    }
    return true
  }
}
