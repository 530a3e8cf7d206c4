import CZlib
import Glibc
import VaultDatabase
import VaultModel

/// Reads a text file line by line, compressed (RFC 1952) or not; memory use does not depend on its length.
final class LineFile {
  /// The maximum line length; the vault's rows are far shorter.
  static let maxLength = 4 << 20

  private let path: String
  private let stream: gzFile
  private var buffer = [UInt8](repeating: 0, count: 1 << 18)
  private var start = 0
  private var end = 0
  /// The number of the last line read; 1 for the first.
  private(set) var number = 0

  init(_ path: String) throws {
    let file = try AuditArchive.openRegular(path)
    guard let stream = gzdopen(file, "rb") else {
      close(file)
      throw DatabaseError.cannotOpen(path: path)
    }
    self.path = path
    self.stream = stream
    gzbuffer(stream, 1 << 17)
  }

  deinit { gzclose(stream) }

  /// Lends the next line, without its line break, until `body` returns; nil after the last.
  ///
  /// - Throws: `AuditArchive.Damage` for a line that is too long, and for a truncated or damaged compressed file.
  func next<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result? {
    var searched = start
    while true {
      let found = buffer.withUnsafeBytes { bytes in
        memchr(bytes.baseAddress! + searched, 10, end - searched).map { UnsafeRawPointer($0) - bytes.baseAddress! }
      }
      if let found {
        defer { start = found + 1 }
        number += 1
        return try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<found])) }
      }
      searched = end - start
      guard try fill() else { break }
    }
    guard start < end else { return nil }
    defer { start = end }
    number += 1
    return try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
  }

  /// Lends the whole content in pieces, regardless of lines.
  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    while try fill() {
      try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      start = end
    }
  }

  /// Moves the rest to the front and reads after it.
  private func fill() throws -> Bool {
    if start > 0 {
      buffer.withUnsafeMutableBytes { bytes in
        bytes.baseAddress!.copyMemory(from: bytes.baseAddress! + start, byteCount: end - start)
      }
      end -= start
      start = 0
    }
    if end == buffer.count {
      guard buffer.count < Self.maxLength else { throw AuditArchive.Damage(path: path) }
      buffer += [UInt8](repeating: 0, count: buffer.count)
    }
    let count = buffer.withUnsafeMutableBytes { gzread(stream, $0.baseAddress! + end, UInt32($0.count - end)) }
    guard count >= 0 else { throw AuditArchive.Damage(path: path) }
    if count == 0 {
      // A truncated stream ends without an error (zlib, `gzread`).
      var code: Int32 = Z_OK
      gzerror(stream, &code)
      guard code == Z_OK || code == Z_STREAM_END else { throw AuditArchive.Damage(path: path) }
      return false
    }
    end += Int(count)
    return true
  }
}
